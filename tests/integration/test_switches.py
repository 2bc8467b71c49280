"""Every alternative of the method and of the training at once, or one by one where they exclude each other: all of them run."""

import json
import math

import pytest
import torch

from slowfast.config import load_cfg
from slowfast.engine.run import run

OTHER_METHOD = [
    *("BMVIT.BOX_TOKENS", "all", "BMVIT.ACTION_TOKENS", "same", "BMVIT.HEAD_DEPTH", "1", "BMVIT.ACTOR_LOGITS", "1"),
    *(
        "BMVIT.AUX_BLOCKS",
        "[0]",
        "LOSS.ACTOR_TYPE",
        "focal",
        "LOSS.ACTION_TYPE",
        "asymmetric",
        "LOSS.ACTION_TOKENS",
        "all",
    ),
    *("MATCHER.ACTOR", "2", "MATCHER.ACTION", "1", "LOSS.NO_ACTOR_WEIGHT", "0.1", "BMVIT.BOX_PRIOR", "False"),
]
OTHER_TRAINING = [
    *(
        "TRAIN.MIXED_PRECISION",  # the old name of MODEL.PRECISION bf16
        "True",
        "TRAIN.GRAD_ACCUM_STEPS",
        "2",
        "SOLVER.EMA_DECAY",
        "0.9",
        "SOLVER.LAYER_DECAY",
        "0.75",
    ),
    *("SOLVER.LR_POLICY", "steps_with_relative_lrs", "SOLVER.STEPS", "[0,1]", "SOLVER.LRS", "[1,0.1]"),
    *(
        "MODEL.ACT_CHECKPOINT",
        "True",
        "MVIT.DROPPATH_RATE",
        "0.2",
        "MVIT.CLS_EMBED_ON",
        "True",
        "SOLVER.WARMUP_EPOCHS",
        "0",
    ),
]
OTHER_INPUT = [
    *("DATA.RESIZE", "keep_aspect", "DATA.CROP", "detr", "DATA.TRAIN_CROP_SIZE", "64", "DATA.TEST_CROP_SIZE", "64"),
    *("DATA.MULTI_SCALE", "[64,96]", "TEST.NMS_IOU", "0.5", "TEST.MAX_PEOPLE", "5", "TEST.PROTOCOL", "uncapped"),
    *(
        "SOLVER.OPTIMIZING_METHOD",
        "sgd",
        "SOLVER.BASE_LR",
        "0.01",
        "BMVIT.BOX_TOKENS",
        "temporal_mean",
        "SOLVER.WARMUP_EPOCHS",
        "0",
    ),
]


@pytest.mark.parametrize("switches", [OTHER_METHOD, OTHER_TRAINING, OTHER_INPUT], ids=["method", "training", "input"])
def test_the_alternatives_train_and_test(toy_config, overrides, tmp_path, switches):
    run(
        load_cfg(toy_config, [*overrides, "SOLVER.MAX_EPOCH", "2", "SOLVER.WARMUP_EPOCHS", "1", *switches]),
        torch.device("cpu"),
    )
    records = [json.loads(line) for line in (tmp_path / "run/log.jsonl").read_text().splitlines()]
    losses = [record["loss"] for record in records if record["kind"] == "train"]
    assert len(losses) == 4 and all(math.isfinite(loss) for loss in losses)
    assert 0 <= json.loads((tmp_path / "run/metrics.json").read_text())["mAP"] <= 1
    if switches is OTHER_METHOD:
        assert {"loss/aux_actor", "loss/aux_action"} <= set(records[0])
