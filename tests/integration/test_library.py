"""README's lines for use as a library, as they stand there."""

import re
import runpy
import shutil
from pathlib import Path

from slowfast.inference.detector import ActionDetector


def test_the_lines_of_the_readme(repo_root: Path, trained: Path, tmp_path: Path, monkeypatch):
    (block,) = re.findall(r"```python\n(import slowfast\n.*?)```", (repo_root / "README.md").read_text(), re.DOTALL)
    shutil.copytree(trained, tmp_path / "runs/bmvit")
    monkeypatch.chdir(tmp_path)
    Path("readme.py").write_text(block)
    found = runpy.run_path("readme.py")
    assert "mvitv2_s" in found["names"] and isinstance(found["detector"], ActionDetector)
    assert found["model"].head.projection.out_features == 7 and found["detector"].classes
    assert repr(found["detector"]) == (
        "ActionDetector(runs/bmvit/checkpoints/best.pyth: BMViT, 7 classes (stand, sit, hold ball, walk left, ...), "
        f"4 frames of 64x80, on {found['detector'].loaded.inputs.device})"
    )
