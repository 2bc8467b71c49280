"""`tools/run_net.py` pre-trains by the shipped MaskFeat file, shrunk, and fine-tunes from the checkpoint that it leaves."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from slowfast.video.writing.writer import write_video
from tests.once import Once
from tests.rules.sources import ROOT

PRE_TRAINING = str(ROOT / "configs/masked_ssl/k400_MVITv2_S_16x4_MaskFeat_PT.yaml")
FINE_TUNING = str(ROOT / "configs/masked_ssl/k400_MVITv2_S_16x4_FT.yaml")
# The network and its input shrunk; rates and what is done to clips are the files'.
SMALL = [
    *("MVIT.EMBED_DIM", "8", "MVIT.DEPTH", "3", "MVIT.DIM_MUL", "[[1,2.0]]", "MVIT.HEAD_MUL", "[[1,2.0]]"),
    *("MVIT.POOL_KV_STRIDE_ADAPTIVE", "[1,2,2]", "DATA.NUM_FRAMES", "4"),
    *("DATA.TRAIN_CROP_SIZE", "32", "DATA.TEST_CROP_SIZE", "32", "DATA.TRAIN_JITTER_SCALES", "[36,40]"),
    *("TRAIN.BATCH_SIZE", "4", "TEST.BATCH_SIZE", "4", "NUM_GPUS", "0", "DATA_LOADER.NUM_WORKERS", "0"),
    *("SOLVER.MAX_EPOCH", "2", "SOLVER.WARMUP_EPOCHS", "0.5", "TRAIN.CHECKPOINT_PERIOD", "1", "LOG_PERIOD", "1"),
    *("MODEL.NUM_CLASSES", "2"),
]
PRE = ["MVIT.POOL_Q_STRIDE", "[[0,1,1,1],[1,1,2,2],[2,1,1,1]]", "MASK.PRETRAIN_DEPTH", "[2]"]
TESTS = ["TEST.ENABLE", "True", "TEST.NUM_TEMPORAL_CLIPS"]
PRE += ["AUG.MASK_WINDOW_SIZE", "[2,4,4]", *TESTS, "[1,2]"]
FINE = ["MVIT.POOL_Q_STRIDE", "[[0,1,1,1],[1,1,2,2],[2,1,2,2]]", *TESTS, "[1]"]


def make_videos(out: Path) -> None:
    rng = np.random.default_rng(0)
    for i in range(4):
        blocks = np.kron(rng.integers(0, 256, (20, 3, 4, 3), np.uint8), np.ones((1, 16, 16, 1), np.uint8))
        write_video(blocks, out / f"videos/{i}.mp4", fps=25)
    for split in ("train", "val", "test"):
        (out / f"{split}.csv").write_text("".join(f"{i}.mp4 {i % 2}\n" for i in range(4)))


@pytest.fixture(scope="session")
def data(once: Once) -> list[str]:
    folder = once.folder("maskfeat_videos", make_videos)
    return ["DATA.PATH_TO_DATA_DIR", str(folder), "DATA.PATH_PREFIX", str(folder / "videos")]


def records(folder: Path, kind: str) -> list[dict]:
    lines = map(json.loads, (folder / "log.jsonl").read_text().splitlines())
    return [line for line in lines if line["kind"] == kind]


def test_pre_training_then_fine_tuning(run_main, data, tmp_path):
    pre = [*SMALL, *PRE, *data]
    done = run_main("tools/run_net.py", "--cfg", PRE_TRAINING, "OUTPUT_DIR", "pre", *pre)
    assert "labels are not read; cube masks hide 13 of 2x4x4 cells" in done.stdout
    steps, (evaluation,) = records(tmp_path / "pre", "train"), records(tmp_path / "pre", "eval")
    assert len(steps) == 2 and steps[0]["loss"] == steps[0]["loss/mse"] > 0
    assert evaluation["epoch"] == 2 and evaluation["loss"] > 0 and evaluation["explained"] < 1
    metrics = json.loads((tmp_path / "pre/metrics.json").read_text())
    assert metrics["clips"] == metrics["pretraining_clips"] == 8 and metrics["hidden_tokens"] <= 8 * 13
    assert metrics["tests"]["1x1"]["clips"] == 4 and metrics["tests"]["2x1"]["explained"] == metrics["explained"]
    assert metrics["mask"] == {"kind": "cube", "window": [2, 4, 4], "ratio": 0.4}
    assert metrics["loss"] == sum(metrics["mse"])
    saved = torch.load(tmp_path / "pre/checkpoints/checkpoint_epoch_00002.pyth", weights_only=True)
    assert saved["class_names"] == [] and {"mask_token", "pred_head.projections.0.weight"} <= set(saved["model_state"])
    assert (tmp_path / "pre/checkpoints/best.pyth").is_file()

    weights = str(tmp_path / "pre/checkpoints/checkpoint_epoch_00002.pyth")
    start = ["TRAIN.CHECKPOINT_FILE_PATH", weights, "MVIT.SEPARATE_QKV", "True"]
    done = run_main("tools/run_net.py", "--cfg", FINE_TUNING, "OUTPUT_DIR", "fine", *SMALL, *FINE, *data, *start)
    assert "names of PySlowFast pre-training:" in done.stdout
    assert "mask_token: part of the masked pre-training only" in done.stdout
    assert "head.projection.{weight,bias}: a masked pre-training has none" in done.stdout
    assert "missing               0" in done.stdout and "unexpected            0" in done.stdout
    steps = records(tmp_path / "fine", "train")
    assert len(steps) == 2 and all(np.isfinite(step["loss"]) for step in steps)
    rates = set(steps[-1]["lr"])  # layer decay 0.75 over three blocks, before and after
    assert {"backbone x0.316406", "backbone x1, no decay", "heads x1"} <= rates, rates
    assert json.loads((tmp_path / "fine/metrics.json").read_text())["num_videos"] == 4


@pytest.mark.slow
def test_two_processes_take_the_same_steps_and_test_the_same(run_main, data, tmp_path):
    pre = [*SMALL, *PRE, *data]
    run_main("tools/run_net.py", "--cfg", PRE_TRAINING, "OUTPUT_DIR", "pre", *pre)
    run_main("tools/run_net.py", "--cfg", PRE_TRAINING, "OUTPUT_DIR", "two", *pre, processes=2)
    for one, both in zip(*(records(tmp_path / run, "train") for run in ("pre", "two")), strict=True):
        assert both["loss"] == pytest.approx(one["loss"], rel=1e-4)
    alone, shared = (json.loads((tmp_path / f"{run}/metrics.json").read_text()) for run in ("pre", "two"))
    assert shared["loss"] == pytest.approx(alone["loss"], rel=1e-4)
    assert shared["hidden_tokens"] == alone["hidden_tokens"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (["AUG.MASK_WINDOW_SIZE", "[2,3,4]"], "AUG.MASK_WINDOW_SIZE must have 2 times, and numbers of rows"),
        (["MASK.PRETRAIN_DEPTH", "[0]"], "a token of block 0 covers 4 x 4 pixels"),
        (["TRAIN.DATASET", "jhmdb", "TEST.DATASET", "jhmdb", "AUG.ENABLE", "False"], "jhmdb"),
        (["AUG.MASK_RATIO", "0.01"], "is nothing or everything: change AUG.MASK_RATIO"),
    ],
)
def test_what_cannot_run_says_why(run_main, data, tmp_path, change, message):
    done = run_main("tools/run_net.py", "--cfg", PRE_TRAINING, *SMALL, *PRE, *data, *change, expect=1)
    assert message in done.stderr and "Traceback" not in done.stderr
