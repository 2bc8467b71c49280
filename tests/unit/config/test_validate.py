"""slowfast.config.validate: each rule between keys by its text, and next to it the nearest config that is fine."""

import pytest

from slowfast.config import get_cfg, load_cfg
from slowfast.config.sections.data import height_width
from slowfast.config.validate import find_problems


@pytest.fixture
def empty(tmp_path):
    path = tmp_path / "empty.yaml"
    path.write_text("")
    return path


CASES = [
    ("NUM_GPUS 8 TEST.BATCH_SIZE 8 TRAIN.BATCH_SIZE 12", "TRAIN.BATCH_SIZE (12) must be divisible by NUM_GPUS (8)"),
    ("TRAIN.GRAD_ACCUM_STEPS 3", "TRAIN.BATCH_SIZE (16) must be divisible by TRAIN.GRAD_ACCUM_STEPS (3)"),
    (
        "NUM_GPUS 4 TRAIN.BATCH_SIZE 20 TRAIN.GRAD_ACCUM_STEPS 2",
        "TRAIN.BATCH_SIZE (20) must be divisible by NUM_GPUS (4) times TRAIN.GRAD_ACCUM_STEPS (2)",
    ),
    ("NUM_GPUS 2 TEST.BATCH_SIZE 3", "TEST.BATCH_SIZE (3) must be divisible by NUM_GPUS (2)"),
    ("NUM_GPUS 0 DIST_BACKEND nccl", "DIST_BACKEND (nccl) must be auto or gloo when NUM_GPUS is 0"),
    (
        "TRAIN.ENABLE False",
        "TEST.CHECKPOINT_FILE_PATH ('') must name a checkpoint when TEST.ENABLE is True and TRAIN.ENABLE is False",
    ),
    ("AVA.TRAIN_GT_BOX_LISTS []", "AVA.TRAIN_GT_BOX_LISTS ([]) must name a CSV file to train on ava"),
    (
        "AVA.FIRST_SECOND 903",
        "AVA.VALID_SECONDS ([902, 1798]) must not start before AVA.FIRST_SECOND (903), where the video files start",
    ),
    (
        "OUTPUT_DIR s3://me:hunter2@b/runs?sig=x",
        "OUTPUT_DIR (s3://...@b/runs) must be a path of this machine: only AVA.VIDEO_DIR, JHMDB.VIDEO_DIR",
    ),
    ("DATA.PATH_TO_DATA_DIR gs://b/lists", "DATA.PATH_TO_DATA_DIR (gs://b/lists) must be a path of this machine"),
    ("DATA.PATH_PREFIX https://me:x@h/v", "DATA.PATH_PREFIX is a URL with a password or a token in it"),
    ("JHMDB.VIDEO_DIR https://h/v?a=1&X-Amz-Signature=x", "JHMDB.VIDEO_DIR is a URL with a password or a token in it"),
    ("MVIT.NUM_HEADS 5", "MVIT.EMBED_DIM (96) must be divisible by MVIT.NUM_HEADS (5)"),
    (
        "MVIT.DEPTH 4 MVIT.DIM_MUL [[1,2],[14,2]]",
        "MVIT.DIM_MUL names the blocks [14]; with MVIT.DEPTH (4) the last is 3",
    ),
    ("MVIT.DEPTH 4 MVIT.HEAD_MUL [[4,2]]", "MVIT.HEAD_MUL names the blocks [4]"),
    ("MVIT.DEPTH 4 MVIT.POOL_Q_STRIDE [[4,1,2,2]]", "MVIT.POOL_Q_STRIDE names the blocks [4]"),
    ("MVIT.DEPTH 4 MVIT.POOL_KV_STRIDE [[4,1,2,2]]", "MVIT.POOL_KV_STRIDE names the blocks [4]"),
    ("BMVIT.AUX_BLOCKS [3,15]", "BMVIT.AUX_BLOCKS ([3, 15]) must be below 15, the last block of MVIT.DEPTH (16)"),
    (
        "MVIT.POOL_KV_STRIDE [[0,1,8,8]] MVIT.POOL_KV_STRIDE_ADAPTIVE [1,8,8]",
        "MVIT.POOL_KV_STRIDE and MVIT.POOL_KV_STRIDE_ADAPTIVE ([1, 8, 8]) are both set",
    ),
    ("MVIT.PATCH_KERNEL [7,7]", "MVIT.PATCH_KERNEL ([7, 7]) must have 3 numbers when MVIT.PATCH_2D is False"),
    (
        "MVIT.PATCH_2D True DATA.NUM_FRAMES 1 MVIT.PATCH_KERNEL [7,7] MVIT.PATCH_STRIDE [4,4]",
        "MVIT.PATCH_PADDING ([2, 4, 4]) must have 2 numbers when MVIT.PATCH_2D is True",
    ),
    (
        "MVIT.PATCH_2D True MVIT.PATCH_KERNEL [7,7] MVIT.PATCH_STRIDE [4,4] MVIT.PATCH_PADDING [3,3]",
        "DATA.NUM_FRAMES (16) must be 1 when MVIT.PATCH_2D is True",
    ),
    ("DATA.NUM_FRAMES 15", "DATA.NUM_FRAMES (15) must be divisible by MVIT.PATCH_STRIDE[0] (2)"),
    (
        "DATA.TRAIN_CROP_SIZE 255",
        "DATA.TRAIN_CROP_SIZE (255) must be divisible by the spatial MVIT.PATCH_STRIDE (4, 4)",
    ),
    (
        "DATA.TEST_CROP_SIZE [256,90]",
        "DATA.TEST_CROP_SIZE ([256, 90]) must be divisible by the spatial MVIT.PATCH_STRIDE",
    ),
    (
        "DATA.MULTI_SCALE [224,230]",
        "DATA.MULTI_SCALE[1] (230) must be divisible by the spatial MVIT.PATCH_STRIDE (4, 4)",
    ),
    ("TRAIN.DATASET avaa", "TRAIN.DATASET (avaa) must be ava or jhmdb or ucf24 or kinetics or ssv2"),
    ("TEST.DATASET mine", "a data set of yours needs its module in MODEL.IMPORTS"),
    ("MATCHER.ACTOR 0 MATCHER.L1 0 MATCHER.GIOU 0", "MATCHER.ACTOR, BOX_L1, BOX_GIOU and ACTION are all 0"),
    ("LOSS.ACTOR 0 LOSS.BOX_L1 0 LOSS.BOX_GIOU 0 LOSS.ACTION 0", "LOSS.ACTOR, BOX_L1, BOX_GIOU and ACTION are all 0"),
    ("SOLVER.MAX_EPOCH 1", "SOLVER.WARMUP_EPOCHS (2) must be at most SOLVER.MAX_EPOCH (1)"),
    (
        "SOLVER.OPTIMIZING_METHOD sgd SOLVER.DAMPENING 0.1",
        "SOLVER.DAMPENING (0.1) must be 0 when SOLVER.NESTEROV is True, or SOLVER.NESTEROV False",
    ),
    (
        "SOLVER.LR_POLICY steps_with_relative_lrs",
        "SOLVER.STEPS ([]) must start at 0 for SOLVER.LR_POLICY steps_with_relative_lrs",
    ),
    (
        "SOLVER.LR_POLICY steps_with_relative_lrs SOLVER.STEPS [5,8] SOLVER.LRS [1,0.1]",
        "SOLVER.STEPS ([5.0, 8.0]) must start at 0",
    ),
    (
        "SOLVER.LR_POLICY steps_with_relative_lrs SOLVER.STEPS [0,5,5] SOLVER.LRS [1,0.1,0.01]",
        "SOLVER.STEPS ([0.0, 5.0, 5.0]) must be ascending",
    ),
    (
        "SOLVER.LR_POLICY steps_with_relative_lrs SOLVER.STEPS [0,5,8] SOLVER.LRS [1,0.1]",
        "SOLVER.LRS (2 numbers) must have as many as SOLVER.STEPS (3)",
    ),
    (
        "AUG.ENABLE True AUG.NUM_SAMPLE 2",
        "AUG.ENABLE, AUG.NUM_SAMPLE change the clips of classifiers, and TRAIN.DATASET (ava)",
    ),
    (
        "TRAIN.DATASET kinetics MIXUP.ENABLE True NUM_GPUS 4 TRAIN.BATCH_SIZE 12",
        "TRAIN.BATCH_SIZE (12) must be divisible by 8: MIXUP.ENABLE mixes videos in pairs, in each of 4 processes (NUM_GPUS 4)",
    ),
    ("TRAIN.DATASET kinetics MIXUP.ENABLE True TRAIN.BATCH_SIZE 1", "must be divisible by 2: MIXUP.ENABLE mixes"),
    (
        "TRAIN.DATASET charades DATA.MULTI_LABEL True MIXUP.ENABLE True",
        "MIXUP.ENABLE (True) mixes clips of one label; with DATA.MULTI_LABEL True it must be False",
    ),
    ("TRAIN.DATASET kinetics MODEL.LOSS_FUNC bce", "MODEL.LOSS_FUNC (bce) is for DATA.MULTI_LABEL True"),
    (
        "TRAIN.DATASET charades DATA.MULTI_LABEL True MODEL.LOSS_FUNC cross_entropy",
        "MODEL.LOSS_FUNC (cross_entropy) is for videos of one label; DATA.MULTI_LABEL True needs bce_logit",
    ),
    ("MODEL.LOSS_FUNC soft_cross_entropy", "is for classifiers; people on ava need bce, or leave it out"),
    (
        "TRAIN.DATASET kinetics MIXUP.ENABLE True MODEL.LOSS_FUNC cross_entropy",
        "MODEL.LOSS_FUNC (cross_entropy) takes labels, and MIXUP.ENABLE makes soft targets: set soft_cross_entropy",
    ),
]


@pytest.mark.parametrize(("overrides", "message"), CASES)
def test_a_config_that_cannot_run(empty, overrides, message):
    with pytest.raises(ValueError) as caught:
        load_cfg(empty, overrides.split())
    problems = str(caught.value).split("\n  - ")
    assert problems[0] == "this config cannot run:"
    assert len(problems) == 2, problems
    assert message in problems[1]


FINE = [
    "NUM_GPUS 0",
    "NUM_GPUS 4 TRAIN.GRAD_ACCUM_STEPS 2",
    "NUM_GPUS 5 TEST.BATCH_SIZE 5 TRAIN.ENABLE False TEST.CHECKPOINT_FILE_PATH model.pt",
    "TRAIN.ENABLE False TEST.ENABLE False",
    "TRAIN.ENABLE False TEST.DATASET kinetics",
    "TRAIN.DATASET jhmdb AVA.TRAIN_GT_BOX_LISTS []",
    "AVA.FIRST_SECOND 0 AVA.VALID_SECONDS [0,7]",
    "AVA.VALID_SECONDS [] AVA.FIRST_SECOND 0",
    "BMVIT.AUX_BLOCKS [0,14]",
    "MVIT.PATCH_2D True DATA.NUM_FRAMES 1 MVIT.PATCH_KERNEL [7,7] MVIT.PATCH_STRIDE [4,4] MVIT.PATCH_PADDING [3,3]",
    "DATA.TRAIN_CROP_SIZE [64,80] DATA.TEST_CROP_SIZE 312 DATA.MULTI_SCALE [224,256]",
    "AVA.VIDEO_DIR https://me:$PASSWORD@h/v?sig=$SIG&dl=1 UCF24.VIDEO_DIR s3://b/v DATA.PATH_PREFIX C://v",
    "SOLVER.MAX_EPOCH 2",
    "SOLVER.MAX_EPOCH 1 TRAIN.ENABLE False TEST.ENABLE False",
    "SOLVER.LR_POLICY steps_with_relative_lrs SOLVER.STEPS [0,5,8] SOLVER.LRS [1,0.1,0.01]",
    "SOLVER.BASE_LR 0 NUM_GPUS 2",
    "SOLVER.OPTIMIZING_METHOD sgd SOLVER.DAMPENING 0.1 SOLVER.NESTEROV False",
    "SOLVER.OPTIMIZING_METHOD adamw SOLVER.DAMPENING 0.1",
    "TRAIN.DATASET kinetics MIXUP.ENABLE True MODEL.LOSS_FUNC soft_cross_entropy AUG.ENABLE True AUG.NUM_SAMPLE 2",
    "TRAIN.DATASET kinetics MIXUP.ENABLE True MIXUP.PROB 0 TRAIN.BATCH_SIZE 1",
    "TRAIN.DATASET charades DATA.MULTI_LABEL True MODEL.LOSS_FUNC bce_logit",
    "MODEL.LOSS_FUNC bce",
]


@pytest.mark.parametrize("overrides", FINE)
def test_a_config_that_can_run(empty, overrides):
    load_cfg(empty, overrides.split())


def test_the_defaults_have_no_problem():
    assert find_problems(get_cfg()) == []


def test_height_width():
    assert height_width(256) == (256, 256)
    assert height_width([64, 80]) == (64, 80)
