"""Published PySlowFast YAML: what it leaves out means what it means there, and no key of it is unknown here."""

import pytest
import torch

from slowfast.config import get_cfg, load_cfg
from slowfast.config.foreign.pyslowfast import ACCEPTED, RENAMED, TIED
from slowfast.config.load import SCHEMA, load_cfg_with_sources
from slowfast.models import build_model

# The keys and values of Kinetics/MVITv2_S_16x4, in PySlowFast's spelling: tuples, bare exponents, a key twice.
MVITV2_S = """\
TRAIN: {ENABLE: True, DATASET: kinetics, BATCH_SIZE: 16, EVAL_PERIOD: 10, CHECKPOINT_PERIOD: 10, AUTO_RESUME: True}
DATA:
  USE_OFFSET_SAMPLING: True
  DECODING_BACKEND: torchvision
  NUM_FRAMES: 16
  SAMPLING_RATE: 4
  TRAIN_JITTER_SCALES: [256, 320]
  TRAIN_CROP_SIZE: 224
  TEST_CROP_SIZE: 224
  INPUT_CHANNEL_NUM: [3]
  TRAIN_JITTER_SCALES_RELATIVE: [0.08, 1.0]
  TRAIN_JITTER_ASPECT_RELATIVE: [0.75, 1.3333]
MVIT:
  ZERO_DECAY_POS_CLS: False
  USE_ABS_POS: False
  REL_POS_SPATIAL: True
  REL_POS_TEMPORAL: True
  DEPTH: 16
  NUM_HEADS: 1
  EMBED_DIM: 96
  PATCH_KERNEL: (3, 7, 7)
  PATCH_STRIDE: (2, 4, 4)
  PATCH_PADDING: (1, 3, 3)
  MLP_RATIO: 4.0
  QKV_BIAS: True
  DROPPATH_RATE: 0.2
  NORM: "layernorm"
  MODE: "conv"
  CLS_EMBED_ON: True
  DIM_MUL: [[1, 2.0], [3, 2.0], [14, 2.0]]
  HEAD_MUL: [[1, 2.0], [3, 2.0], [14, 2.0]]
  POOL_KVQ_KERNEL: [3, 3, 3]
  POOL_KV_STRIDE_ADAPTIVE: [1, 8, 8]
  POOL_Q_STRIDE: [[0, 1, 1, 1], [1, 1, 2, 2], [2, 1, 1, 1], [3, 1, 2, 2], [14, 1, 2, 2], [15, 1, 1, 1]]
  DROPOUT_RATE: 0.0
  DIM_MUL_IN_ATT: True
  RESIDUAL_POOLING: True
AUG: {NUM_SAMPLE: 2, ENABLE: True, COLOR_JITTER: 0.4, AA_TYPE: rand-m7-n4-mstd0.5-inc1, INTERPOLATION: bicubic,
      RE_PROB: 0.25, RE_MODE: pixel, RE_COUNT: 1, RE_SPLIT: False}
MIXUP: {ENABLE: True, ALPHA: 0.8, CUTMIX_ALPHA: 1.0, PROB: 1.0, SWITCH_PROB: 0.5, LABEL_SMOOTH_VALUE: 0.1}
SOLVER:
  ZERO_WD_1D_PARAM: True
  BASE_LR_SCALE_NUM_SHARDS: True
  CLIP_GRAD_L2NORM: 1.0
  BASE_LR: 0.0001
  COSINE_AFTER_WARMUP: True
  COSINE_END_LR: 1e-6
  WARMUP_START_LR: 1e-6
  WARMUP_EPOCHS: 30.0
  LR_POLICY: cosine
  MAX_EPOCH: 200
  MOMENTUM: 0.9
  WEIGHT_DECAY: 0.05
  OPTIMIZING_METHOD: adamw
  COSINE_AFTER_WARMUP: True
MODEL: {NUM_CLASSES: 400, ARCH: mvit, MODEL_NAME: MViT, LOSS_FUNC: soft_cross_entropy, DROPOUT_RATE: 0.5}
TEST: {ENABLE: True, DATASET: kinetics, BATCH_SIZE: 64, NUM_SPATIAL_CROPS: 1, NUM_ENSEMBLE_VIEWS: 5}
DATA_LOADER: {NUM_WORKERS: 8, PIN_MEMORY: True}
NUM_GPUS: 8
NUM_SHARDS: 1
RNG_SEED: 0
OUTPUT_DIR: .
"""


@pytest.fixture
def load(tmp_path):
    def load_text(text: str, overrides=()):
        path = tmp_path / "published.yaml"
        path.write_text(text)
        return load_cfg_with_sources(path, overrides)

    return load_text


def test_a_published_file_pastes_in(load):
    cfg, report = load(MVITV2_S)
    assert cfg.MVIT.PATCH_PADDING == [1, 3, 3]
    assert cfg.MVIT.DIM_MUL == [[1, 2.0], [3, 2.0], [14, 2.0]]
    assert cfg.MVIT.POOL_Q_STRIDE[1] == [1, 1, 2, 2]
    assert cfg.SOLVER.COSINE_END_LR == 1e-6
    assert cfg.SOLVER.COSINE_AFTER_WARMUP and cfg.SOLVER.BASE_LR_SCALE_NUM_SHARDS and cfg.NUM_SHARDS == 1
    assert not cfg.MVIT.ZERO_DECAY_POS_CLS and cfg.SOLVER.HEAD_LR_MULT == 1.0
    assert (cfg.MODEL.MODEL_NAME, cfg.MODEL.NUM_CLASSES, cfg.NUM_GPUS) == ("MViT", 400, 8)
    assert (cfg.TEST.NUM_ENSEMBLE_VIEWS, cfg.TEST.NUM_SPATIAL_CROPS) == (5, 1)
    assert (cfg.AUG.NUM_SAMPLE, cfg.AUG.AA_TYPE, cfg.MIXUP.ENABLE) == (2, "rand-m7-n4-mstd0.5-inc1", True)
    assert cfg.DATA.USE_OFFSET_SAMPLING and cfg.DATA.TRAIN_JITTER_SCALES_RELATIVE == [0.08, 1.0]
    assert cfg.MODEL.LOSS_FUNC == "soft_cross_entropy"
    # How files are decoded, what all networks here take, and a key that PySlowFast does not read either.
    assert set(report.accepted) == {"DATA.DECODING_BACKEND", "DATA.INPUT_CHANNEL_NUM", "AUG.RE_SPLIT"}
    assert len(report.lines()) == 2
    assert report.lines()[0].startswith("SOLVER.COSINE_AFTER_WARMUP is written twice, at ")
    assert report.lines()[1].startswith("3 PySlowFast keys change nothing here: AUG.RE_SPLIT, DATA.DEC")


def test_accepted_keys_are_not_in_the_tree(load):
    cfg, _ = load(MVITV2_S)
    assert set(cfg) == set(get_cfg())
    assert set(cfg.DATA) == set(get_cfg().DATA)


def test_defaults_of_the_backbone_are_pyslowfasts():
    upstream = {
        "MODE": "conv", "POOL_FIRST": False, "CLS_EMBED_ON": True, "PATCH_KERNEL": [3, 7, 7],
        "PATCH_STRIDE": [2, 4, 4], "PATCH_PADDING": [2, 4, 4], "PATCH_2D": False, "EMBED_DIM": 96, "NUM_HEADS": 1,
        "MLP_RATIO": 4.0, "QKV_BIAS": True, "DROPPATH_RATE": 0.1, "DEPTH": 16, "NORM": "layernorm", "DIM_MUL": [],
        "HEAD_MUL": [], "POOL_KV_STRIDE": [], "POOL_KV_STRIDE_ADAPTIVE": [], "POOL_Q_STRIDE": [],
        "POOL_KVQ_KERNEL": [], "NORM_STEM": False, "SEP_POS_EMBED": False,
        "DROPOUT_RATE": 0.0, "USE_ABS_POS": True, "REL_POS_SPATIAL": False, "REL_POS_TEMPORAL": False,
        "REL_POS_ZERO_INIT": False, "RESIDUAL_POOLING": False, "DIM_MUL_IN_ATT": False, "SEPARATE_QKV": False,
        "HEAD_INIT_SCALE": 1.0, "USE_MEAN_POOLING": False, "USE_FIXED_SINCOS_POS": False, "ZERO_DECAY_POS_CLS": True,
    }  # fmt: skip
    tied = {
        name.removeprefix("MVIT."): TIED[name].neutral[0] for name in TIED if name.count(".") == 1 and "MVIT." in name
    }
    assert {**get_cfg().MVIT, **tied} == {**upstream, "LAYER_SCALE_INIT_VALUE": 0.0}


def test_what_a_file_leaves_out_of_the_augmentation_is_pyslowfasts():
    cfg = get_cfg()
    assert dict(cfg.AUG) == {
        "ENABLE": False, "NUM_SAMPLE": 1, "SAMPLE_ONCE": True, "AA_TYPE": "rand-m9-mstd0.5-inc1", "COLOR_JITTER": 0.4,
        "INTERPOLATION": "bicubic", "RE_PROB": 0.25, "RE_MODE": "pixel", "RE_COUNT": 1,
        "MASK_RATIO": 0.0, "MASK_WINDOW_SIZE": [8, 7, 7], "MASK_TUBE": False, "MASK_FRAMES": False,
    }  # fmt: skip
    assert dict(cfg.MIXUP) == {
        "ENABLE": False, "ALPHA": 0.8, "CUTMIX_ALPHA": 1.0, "PROB": 1.0, "SWITCH_PROB": 0.5, "LABEL_SMOOTH_VALUE": 0.1,
    }  # fmt: skip
    assert dict(cfg.MASK) == {"ENABLE": False, "PRED_HOG": False, "PRETRAIN_DEPTH": [15], "HEAD_TYPE": "separate"}
    upstream = {
        "TRAIN_JITTER_SCALES": [256, 320], "TRAIN_JITTER_SCALES_RELATIVE": [], "TRAIN_JITTER_ASPECT_RELATIVE": [],
        "TRAIN_JITTER_FPS": 0.0, "INV_UNIFORM_SAMPLE": False, "USE_OFFSET_SAMPLING": False, "RANDOM_FLIP": True,
        "REVERSE_INPUT_CHANNEL": False, "IN_VAL_CROP_RATIO": 0.875, "TARGET_FPS": 30, "ENSEMBLE_METHOD": "sum",
    }  # fmt: skip
    assert {key: cfg.DATA[key] for key in upstream} == upstream
    assert (cfg.TEST.NUM_ENSEMBLE_VIEWS, cfg.TEST.NUM_SPATIAL_CROPS, cfg.TEST.NUM_TEMPORAL_CLIPS) == (10, 3, [])


def test_what_a_file_leaves_out_of_the_solver_is_pyslowfasts():
    upstream = {
        "COSINE_AFTER_WARMUP": False, "BASE_LR_SCALE_NUM_SHARDS": False, "CLIP_GRAD_VAL": 0.0, "CLIP_GRAD_L2NORM": 0.0,
        "MOMENTUM": 0.9, "NESTEROV": True, "DAMPENING": 0.0, "LAYER_DECAY": 1.0, "BETAS": [0.9, 0.999],
        "COSINE_END_LR": 0.0, "STEPS": [], "LRS": [], "WEIGHT_DECAY": 1e-4, "LR_POLICY": "cosine",
    }  # fmt: skip
    cfg = get_cfg()
    assert {key: cfg.SOLVER[key] for key in upstream} == upstream
    assert cfg.SOLVER.HEAD_LR_MULT == 1.0  # one rate for all, as there
    assert cfg.NUM_SHARDS == 1


def test_a_key_is_in_one_table_only():
    tables = [set(SCHEMA), set(ACCEPTED), set(TIED), set(RENAMED)]
    assert sum(map(len, tables)) == len(set.union(*tables))


def test_new_names_exist():
    for name in RENAMED.values():
        assert name.split(" ")[0] in SCHEMA


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        (
            "MODEL.ARCH",
            "slowfast",
            "MODEL.ARCH ('slowfast') must be mvit or maskmvit or left out: only the MViT family is built",
        ),
        ("MVIT.REV.ENABLE", "True", "MVIT.REV.ENABLE ('True') must be False or left out: reversible MViT is not built"),
        ("MVIT.LAYER_SCALE_INIT_VALUE", "0.1", "must be 0.0 or left out: blocks have no layer scale"),
        ("MASK.MAE_ON", True, "MASK.MAE_ON (True) must be False or left out: masked autoencoders are not trained here"),
        ("MASK.ENABLE", True, "MASK.ENABLE (True) is for MODEL.MODEL_NAME MaskMViT; for BMViT it must be False"),
        ("AUG.MASK_RATIO", 0.4, "AUG.MASK_RATIO (0.4) must be 0 without MASK.ENABLE: other models see whole clips"),
        ("TRAIN.CHECKPOINT_TYPE", "caffe2", "must be pytorch or left out: checkpoints are PyTorch files"),
        ("MVIT.MODE", "avg", "MVIT.MODE ('avg') must be conv or left out: pooling by convolution is the only one"),
        ("MVIT.POOL_FIRST", "True", "must be False or left out: tokens are pooled after the projections"),
        ("AVA.BGR", "True", "AVA.BGR ('True') must be False or left out: clips are always RGB"),
        ("AVA.TRAIN_USE_COLOR_AUGMENTATION", True, "is called DATA.COLOR_JITTER (a strength, 0 is off) here"),
    ],
)
def test_what_we_cannot_honour_is_an_error(load, key, value, message):
    with pytest.raises(ValueError) as caught:
        load("", [key, value])
    assert message in str(caught.value)


@pytest.mark.parametrize("key", TIED)
def test_neutral_values_are_fine_in_a_file_and_on_a_command_line(load, key):
    for neutral in TIED[key].neutral:
        load("", [key, neutral])
        load("", [key, str(neutral)])


def test_every_accepted_key_has_a_reason_and_takes_any_value(load):
    _, report = load("", [part for key in ACCEPTED for part in (key, "[1, {a: b}]")])
    assert report.accepted == ACCEPTED
    assert all(len(why) > 10 for why in ACCEPTED.values())


# masked_ssl/k400_MVITv2_S_16x4_MaskFeat_PT, without what it shares with supervised training
MASKFEAT_S = """\
TASK: ssl
TRAIN: {ENABLE: True, DATASET: kinetics, BATCH_SIZE: 32, EVAL_PERIOD: 1000000, CHECKPOINT_PERIOD: 10, AUTO_RESUME: True}
DATA: {NUM_FRAMES: 16, SAMPLING_RATE: 4, DECODING_SHORT_SIZE: 320, TRAIN_JITTER_SCALES_RELATIVE: [0.5, 1.0]}
MVIT:
  PATCH_PADDING: [1, 3, 3]
  POOL_Q_STRIDE: [[0, 1, 1, 1], [1, 1, 2, 2], [2, 1, 1, 1], [3, 1, 2, 2], [14, 1, 1, 1], [15, 1, 1, 1]]
  POOL_KV_STRIDE_ADAPTIVE: [1, 8, 8]
MASK: {ENABLE: True, PRETRAIN_DEPTH: [15], HEAD_TYPE: "separate", PRED_HOG: True}
AUG: {ENABLE: True, COLOR_JITTER: None, AA_TYPE: "", RE_PROB: 0.0, GEN_MASK_LOADER: True, MASK_RATIO: 0.4,
      MASK_TUBE: False, MASK_FRAMES: False, MASK_WINDOW_SIZE: [8, 7, 7]}
BN: {USE_PRECISE_STATS: False, NUM_BATCHES_PRECISE: 200}
MODEL: {ARCH: maskmvit, MODEL_NAME: MaskMViT, LOSS_FUNC: multi_mse, DROPOUT_RATE: 0.0}
TEST: {ENABLE: False, DATASET: kinetics, BATCH_SIZE: 16, NUM_SPATIAL_CROPS: 1, NUM_TEMPORAL_CLIPS: [5, 10]}
LOG_MODEL_INFO: False
"""


def test_a_pasted_masked_pre_training_loads(load):
    cfg, report = load(MASKFEAT_S)
    assert cfg.MASK.ENABLE and cfg.MASK.PRED_HOG and cfg.MASK.PRETRAIN_DEPTH == [15]
    assert (cfg.AUG.MASK_RATIO, cfg.AUG.MASK_WINDOW_SIZE, cfg.AUG.COLOR_JITTER) == (0.4, [8, 7, 7], 0.0)
    assert {key for key in report.accepted if "MASK" in key} == {"AUG.GEN_MASK_LOADER"}


def test_a_pasted_masked_pre_training_on_images_loads(load):
    """masked_ssl/in1k_VIT_B_MaskFeat_PT: patches of 16 pixels and no pooling, so all blocks are 14 x 14."""
    text = """\
TRAIN: {DATASET: imagenet, BATCH_SIZE: 256}
DATA: {NUM_FRAMES: 1}
MVIT: {PATCH_2D: True, PATCH_KERNEL: [16, 16], PATCH_STRIDE: [16, 16], PATCH_PADDING: [0, 0], EMBED_DIM: 768,
       NUM_HEADS: 12, DEPTH: 12, NORM: layernorm}
MASK: {ENABLE: True, PRETRAIN_DEPTH: [11], HEAD_TYPE: separate, PRED_HOG: True}
AUG: {ENABLE: True, GEN_MASK_LOADER: True, MASK_RATIO: 0.4}
MODEL: {ARCH: maskmvit, MODEL_NAME: MaskMViT, LOSS_FUNC: multi_mse}
TEST: {ENABLE: False, DATASET: imagenet, BATCH_SIZE: 256}
"""
    cfg, _ = load(text)
    with torch.device("meta"):
        model = build_model(cfg)
    assert len(model.backbone.blocks) == 12 and model.pred_head.projections[0].out_features == 108


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (["MASK.ENABLE", False], "MASK.ENABLE (False) must be True for MODEL.MODEL_NAME MaskMViT"),
        (["MASK.PRED_HOG", False], "MASK.PRED_HOG (False) must be True for MODEL.MODEL_NAME MaskMViT: pixels are not"),
        (["MASK.HEAD_TYPE", "separate_xformer"], "MASK.HEAD_TYPE ('separate_xformer') must be separate"),
        (["MASK.MAE_ON", True], "masked autoencoders are not trained here"),
        (["MASK.PRETRAIN_DEPTH", [15, 3]], "MASK.PRETRAIN_DEPTH ([15, 3]) must name blocks from 0 to 15, ascending"),
        (["MASK.PRETRAIN_DEPTH", [16]], "MASK.PRETRAIN_DEPTH ([16]) must name blocks from 0 to 15"),
        (["AUG.MASK_RATIO", 0], "AUG.MASK_RATIO (0.0) must be above 0 with MASK.ENABLE"),
        (["AUG.MASK_TUBE", True, "AUG.MASK_FRAMES", True], "AUG.MASK_TUBE and AUG.MASK_FRAMES are both True"),
        (
            ["AUG.MASK_WINDOW_SIZE", [4, 7, 7]],
            "AUG.MASK_WINDOW_SIZE ([4, 7, 7]) must have 8 times, DATA.NUM_FRAMES (16)",
        ),
        (["MODEL.LOSS_FUNC", "cross_entropy"], "MODEL.LOSS_FUNC (cross_entropy) is not for MODEL.MODEL_NAME MaskMViT"),
        (["MIXUP.ENABLE", True], "MIXUP.ENABLE (True) mixes labels, and MODEL.MODEL_NAME MaskMViT has none"),
        (
            ["MODEL.MODEL_NAME", "MViT"],
            "MASK.ENABLE (True) is for MODEL.MODEL_NAME MaskMViT; for MViT it must be False",
        ),
    ],
)
def test_a_masked_pre_training_that_cannot_run_says_why(load, change, message):
    with pytest.raises(ValueError) as caught:
        load(MASKFEAT_S, change)
    assert message in str(caught.value)


def test_a_test_only_file_of_another_data_set_loads(tmp_path):
    path = tmp_path / "a.yaml"  # as Kinetics/MVITv2_L_40x3_test: no checkpoint named, 312 x 312
    path.write_text("TRAIN: {ENABLE: False}\nTEST: {DATASET: kinetics}\nDATA: {NUM_FRAMES: 40, TEST_CROP_SIZE: 312}\n")
    assert load_cfg(path).DATA.TEST_CROP_SIZE == 312
