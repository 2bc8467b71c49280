"""CONTRIBUTING's five examples work as printed: each is trained and tested with the command shown below it."""

import json
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
import torch

from slowfast.config import load_cfg
from slowfast.config.cli import split_overrides
from slowfast.engine.run import run
from slowfast.structures.annotations.label_map import LabelMap, write_label_map
from slowfast.toy.data_set import make_toy_ava
from slowfast.video.writing.writer import write_video

EXAMPLES = ("my_backbone", "my_model", "my_loss", "my_set", "my_task")
SMALL = [
    *("MVIT.EMBED_DIM", "16", "MVIT.DEPTH", "2", "MVIT.MLP_RATIO", "2", "MVIT.POOL_Q_STRIDE", "[[0,1,1,1],[1,1,2,2]]"),
    *("DATA.NUM_FRAMES", "2", "DATA.SAMPLING_RATE", "4", "TRAIN.BATCH_SIZE", "2", "TEST.BATCH_SIZE", "2"),
    *("SOLVER.MAX_EPOCH", "1", "SOLVER.WARMUP_EPOCHS", "0", "LOG_PERIOD", "1", "TENSORBOARD.ENABLE", "False"),
    *("TEST.REPORT", "False", "DATA.CACHE_DIR", ""),
]


def examples(root: Path) -> dict[str, tuple[str, list[str]]]:
    """Module name -> its source, and the overrides of the command below it."""
    text = (root / "CONTRIBUTING.md").read_text(encoding="utf-8")
    found = {}
    pattern = r"```python\n# (\w+)\.py\n(.*?)```\n\n```bash\nPYTHONPATH=\. ([^\n]+)\n```"
    for name, source, command in re.findall(pattern, text, flags=re.DOTALL):
        found[name] = source, split_overrides(shlex.split(command)[2:])[1]
    return found


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """Three toy videos of four seconds, and the folder that my_set.py describes."""
    folder = tmp_path_factory.mktemp("contributing")
    make_toy_ava(folder / "toy", videos=3, seconds=4, seed=3, num_workers=0)
    (folder / "mine/videos").mkdir(parents=True)
    noise = np.random.default_rng(0).integers(0, 255, (4, 48, 64, 3), dtype=np.uint8)
    for split in ("train", "test"):
        write_video(noise, folder / f"mine/videos/{split}.mp4", 12)
        rows = "".join(f"{split},{frame},0.2,0.2,0.6,0.9,{1 + frame % 2}\n" for frame in (1, 2, 3, 4))
        (folder / f"mine/{split}.csv").write_text(rows)
    write_label_map(LabelMap((1, 2), ("sway", "stay")), folder / "mine/classes.pbtxt")
    return folder


def test_every_example_is_there(repo_root):
    found = examples(repo_root)
    assert tuple(found) == EXAMPLES
    assert all(f"[{name}]" in overrides for name, (_, overrides) in found.items())


@pytest.mark.parametrize("name", EXAMPLES)
def test_it_trains_and_tests_as_printed(name, data, repo_root, tmp_path, monkeypatch):
    source, overrides = examples(repo_root)[name]
    (tmp_path / f"{name}.py").write_text(source, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    here = ["AVA.VIDEO_DIR", str(data / "toy/videos"), "AVA.ANNOTATION_DIR", str(data / "toy/annotations")]
    if "DATA.PATH_TO_DATA_DIR" in overrides:
        here += ["DATA.PATH_TO_DATA_DIR", str(data / "mine")]
    cfg = load_cfg(
        repo_root / "configs/Toy/BMViT_toy.yaml", [*overrides, *SMALL, *here, "OUTPUT_DIR", str(tmp_path / "run")]
    )
    torch.manual_seed(0)
    run(cfg, torch.device("cpu"))
    records = [json.loads(line) for line in (tmp_path / "run/log.jsonl").read_text().splitlines()]
    trained = [record for record in records if record["kind"] == "train"]
    assert trained and all(np.isfinite(record["loss"]) for record in trained)
    metrics = json.loads((tmp_path / "run/metrics.json").read_text())
    assert metrics["clips"] == (4 if name == "my_set" else 2)
    _check(name, trained[0], metrics)


def _check(name: str, step: dict, metrics: dict) -> None:
    """What is particular to an example shows in what it left."""
    if name == "my_loss":
        assert step["loss/count"] > 0 and "loss/box_giou" in step
    elif name == "my_set":
        assert metrics["convention"].startswith("frames every") and {"AP/sway", "AP/stay"} <= set(metrics)
    elif name == "my_task":
        assert "loss/count" in step and metrics["count_error"] >= 0 and "mAP" not in metrics
    else:
        assert "mAP" in metrics and "loss/action" in step
