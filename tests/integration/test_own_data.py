"""docs/OWN_DATA.md as it stands: the example folder, the spreadsheet, the check, a training, an mAP, and the doctor."""

import json
import re
import shlex
from pathlib import Path

import pytest

from slowfast.commands.bmvit import COMMANDS, run_command

SHORTER = [
    "TRAIN.EVAL_PERIOD",
    "1",
    "SOLVER.MAX_EPOCH",
    "1",
    "SOLVER.WARMUP_EPOCHS",
    "0.5",
    "TRAIN.CHECKPOINT_PERIOD",
    "1",
    "MVIT.DEPTH",
    "3",
]
SHORTER += ["MVIT.POOL_Q_STRIDE", "[[0,1,1,1],[1,1,2,2],[2,1,1,1]]", "DATA.NUM_FRAMES", "4", "TEST.REPORT", "False"]


def commands_of(page: Path) -> list[list[str]]:
    """The `bmvit` lines of the page's bash blocks, in order, without the name."""
    blocks = re.findall(r"^```bash\n(.*?)^```", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    lines = "".join(blocks).replace("\\\n", " ").splitlines()
    return [shlex.split(line, comments=True)[1:] for line in lines if line.startswith("bmvit ")]


@pytest.fixture(scope="module")
def commands(repo_root: Path) -> list[list[str]]:
    return commands_of(repo_root / "docs" / "OWN_DATA.md")


# The small detector, on pictures of a twelfth of its size.
SMALLER = ["DATA.TRAIN_CROP_SIZE", "[64, 64]", "DATA.TEST_CROP_SIZE", "[64, 64]", "DATA.FEATURE_VIEWS", "1"]
SMALLER += ["SOLVER.MAX_EPOCH", "1", "SOLVER.WARMUP_EPOCHS", "0", "TEST.REPORT", "False"]


def test_the_page_can_be_followed_to_an_map(commands, repo_root, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "weights").symlink_to(repo_root / "weights")
    ran = []
    for name, *arguments in commands:
        if name == "predict":
            continue  # tests/integration/test_predict.py
        if name == "train":
            arguments += SHORTER if "mydata/config.yaml" in arguments else SMALLER
        code = run_command(COMMANDS[name][0], arguments)
        ran.append(name)
        out, err = capsys.readouterr()
        assert code == 0, f"bmvit {name} {arguments}: {out[-2000:]} {err[-2000:]}"
        if name == "validate-data" and "--detections" not in arguments:
            assert "errors" not in out and "ava: " in out
        if name == "validate-data" and "--detections" in arguments:
            assert "likeliest cause:" in out
    first = ["new-dataset", "convert-annotations", "validate-data", "train", "validate-data"]
    assert ran == [*first, "convert-annotations", "train"]
    metrics = json.loads((tmp_path / "mydata" / "run" / "metrics.json").read_text())
    assert 0 <= metrics["mAP"] <= 1 and metrics["num_classes_scored"] == 3
    assert metrics["num_key_frames"] == 18  # of half seconds
    assert "yard,0000.500," in (tmp_path / "mydata" / "run" / "detections.csv").read_text()
    lite = json.loads((tmp_path / "mydata" / "run_lite" / "metrics.json").read_text())
    assert lite["num_key_frames"] == 18 and "yard,0007," in (tmp_path / "mydata/run_lite/detections.csv").read_text()
    assert len(list((tmp_path / "mydata/features").glob("*.npy"))) == 2
    page = (tmp_path / "mydata" / "data.html").read_text()
    assert "Ready" in page and "slide left" in page
    _test_without_annotations(tmp_path / "mydata", capsys)


def _test_without_annotations(folder: Path, capsys) -> None:
    """Key frames that are only listed: what was found is left, and there is no mAP, which is not a mAP of 0."""
    (folder / "annotations" / "moments.csv").write_text("yard,1.5\nyard,2\n")
    keys = ["TRAIN.ENABLE", "False", "AVA.GROUNDTRUTH_FILE", "moments.csv", "OUTPUT_DIR", str(folder / "blind")]
    keys += [
        "TEST.CHECKPOINT_FILE_PATH",
        str(folder / "run" / "checkpoints" / "best.pyth"),
        *SHORTER,
        "TEST.REPORT",
        "True",
    ]
    code = run_command("runs.run_net", ["--cfg", str(folder / "config.yaml"), *keys])
    out, err = capsys.readouterr()
    assert code == 0, out + err
    assert (
        "no mAP: the 2 key frames are listed without people" in out + err
        and "no report: nobody is annotated" in out + err
    )
    metrics = json.loads((folder / "blind" / "metrics.json").read_text())
    assert metrics["mAP"] is None and metrics["clips"] == 2
    found = {line.split(",")[1] for line in (folder / "blind" / "detections.csv").read_text().splitlines()}
    assert found == {"0001.500", "0002"} and not (folder / "blind" / "report.html").exists()


def test_the_example_is_not_written_over_anything(tmp_path, capsys):
    (tmp_path / "mydata").mkdir()
    (tmp_path / "mydata" / "thesis.txt").write_text("mine")
    assert run_command("data.new_dataset", [str(tmp_path / "mydata")]) == 1
    assert "exists already" in capsys.readouterr().err and (tmp_path / "mydata" / "thesis.txt").read_text() == "mine"
