"""`tools/run_net.py` trains classifiers: every shipped recipe as written, and what a run of one is worth."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from slowfast.config import load_cfg
from tests.integration.small_classifiers import SMALL, data_of, records
from tests.rules.sources import ROOT
from tests.rules.test_configs import CONFIGS

RECIPES = [
    path for path in CONFIGS if path.parent.name in ("Kinetics", "SSv2", "ImageNet") and "_test" not in path.name
]


def test_all_recipes_are_here():
    assert len(RECIPES) >= 13 and {path.parent.name for path in RECIPES} == {"Kinetics", "SSv2", "ImageNet"}


@pytest.mark.parametrize("config", RECIPES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_recipe_trains_two_steps_and_is_tested(run_main, small_sets, tmp_path, config):
    done = run_main("tools/run_net.py", "--cfg", str(config), "OUTPUT_DIR", "run", *SMALL, *data_of(config, small_sets))
    cfg = load_cfg(config)
    steps = records(tmp_path / "run", "train")
    assert len(steps) == 2 and all(np.isfinite(step["loss"]) for step in steps)
    clips = 2 * cfg.AUG.NUM_SAMPLE
    assert f"BATCH_SIZE 2 videos x AUG.NUM_SAMPLE {cfg.AUG.NUM_SAMPLE} = {clips} clips" in done.stdout
    assert (
        f"{clips} clips a step over all machines, 2 steps an epoch; learning rate {cfg.SOLVER.BASE_LR:g}" in done.stdout
    )
    metrics = json.loads((tmp_path / "run/metrics.json").read_text())
    assert metrics["num_videos"] == 4 and not metrics["unreadable_clips"]
    saved = torch.load(tmp_path / "run/checkpoints/checkpoint_epoch_00001.pyth", weights_only=True)
    assert len(saved["class_names"]) == 2


# ---------------------------------------------------------------------------------------------------------- one run

RUN = ROOT / "configs/Kinetics/MVITv2_S_16x4.yaml"


@pytest.fixture
def train(run_main, small_sets, tmp_path) -> Callable[..., Path]:
    def train(name: str, *overrides: str) -> Path:
        run_main(
            "tools/run_net.py", "--cfg", str(RUN), "OUTPUT_DIR", name, *SMALL, *data_of(RUN, small_sets), *overrides
        )
        return tmp_path / name

    return train


def weights(run: Path, epoch: int) -> dict[str, torch.Tensor]:
    return torch.load(run / f"checkpoints/checkpoint_epoch_{epoch:05d}.pyth", weights_only=True)["model_state"]


def test_a_resumed_run_repeats_a_straight_one(train):
    """With repeats, mixup, RandAugment and erasing."""
    two = ("SOLVER.MAX_EPOCH", "2", "TRAIN.CHECKPOINT_PERIOD", "1", "TEST.ENABLE", "False")
    run = train("run", *two)
    last = run / "checkpoints/checkpoint_epoch_00002.pyth"
    straight = weights(run, 2)
    last.unlink()
    resumed = weights(train("run", *two), 2)
    for name, value in straight.items():
        assert torch.equal(value, resumed[name]), name


def test_validation_is_the_same_whenever_it_is_asked(train):
    """Learning nothing, two evaluations give the same numbers: no chance is in them."""
    run = train("run", "SOLVER.MAX_EPOCH", "2", "TRAIN.EVAL_PERIOD", "1", "SOLVER.BASE_LR", "0", "TEST.ENABLE", "False")
    first, second = records(run, "eval")
    assert {k: v for k, v in first.items() if k.startswith(("top", "mean"))} == {
        k: v for k, v in second.items() if k.startswith(("top", "mean"))
    }


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_the_switches_of_a_step_serve_classifiers_too(train, precision):
    """Low precision, the weight average, accumulation, recomputation: trained, averaged and tested in several views."""
    run = train(
        *("run", "MODEL.PRECISION", precision, "SOLVER.EMA_DECAY", "0.9", "MODEL.ACT_CHECKPOINT", "True"),
        *("TRAIN.BATCH_SIZE", "4", "TRAIN.GRAD_ACCUM_STEPS", "2", "SOLVER.CLIP_GRAD_VAL", "0.5"),
    )
    (step,) = records(run, "train")
    assert np.isfinite(step["loss"]) and step["loss"] < 3
    saved = torch.load(run / "checkpoints/checkpoint_epoch_00001.pyth", weights_only=True)
    assert set(saved["ema_state"]) == set(saved["model_state"]) and ("scaler_state" in saved) is (precision == "fp16")
    assert json.loads((run / "metrics.json").read_text())["views_per_video"] == 5


def test_a_broken_training_video_is_named_and_left_out(run_main, small_sets, tmp_path):
    (tmp_path / "lists").mkdir()
    for split, names in (("train", (*"0123", "9")), ("val", "01"), ("test", "01")):
        lines = [f"clip {name}.mp4 {i % 2}" for i, name in enumerate(names)]
        (tmp_path / f"lists/{split}.csv").write_text("\n".join(lines) + "\n")
    done = run_main(
        *("tools/run_net.py", "--cfg", str(RUN), "OUTPUT_DIR", "run", *SMALL, *data_of(RUN, small_sets)),
        *("DATA.PATH_TO_DATA_DIR", "lists", "TRAIN.BATCH_SIZE", "4", "MIXUP.ENABLE", "False", "SOLVER.MAX_EPOCH", "4"),
    )
    assert "clip 9.mp4: no such file" in done.stdout and "1 clips could not be read and were left out" in done.stdout
    assert (tmp_path / "run/metrics.json").is_file()
