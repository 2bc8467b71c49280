"""PySlowFast's defaults of the keys that we share, and why ours is another where it is.

A YAML file that leaves such a key out means something else there. Values are those of slowfast/config/defaults.py of
facebookresearch/SlowFast, in our spelling: None is [] or 0 where these mean "off".
"""

from typing import Any

_MVIT: dict[str, Any] = {
    "CLS_EMBED_ON": True, "PATCH_KERNEL": [3, 7, 7], "PATCH_STRIDE": [2, 4, 4], "PATCH_PADDING": [2, 4, 4], "PATCH_2D": False,
    "EMBED_DIM": 96, "NUM_HEADS": 1, "MLP_RATIO": 4.0, "QKV_BIAS": True, "DROPPATH_RATE": 0.1, "DEPTH": 16, "DIM_MUL": [],
    "HEAD_MUL": [], "POOL_KV_STRIDE": [], "POOL_KV_STRIDE_ADAPTIVE": [], "POOL_Q_STRIDE": [], "POOL_KVQ_KERNEL": [],
    "ZERO_DECAY_POS_CLS": True, "SEP_POS_EMBED": False, "DROPOUT_RATE": 0.0, "USE_ABS_POS": True, "REL_POS_SPATIAL": False,
    "REL_POS_TEMPORAL": False, "REL_POS_ZERO_INIT": False, "RESIDUAL_POOLING": False, "DIM_MUL_IN_ATT": False,
    "SEPARATE_QKV": False, "HEAD_INIT_SCALE": 1.0, "USE_MEAN_POOLING": False,
}  # fmt: skip
_DATA: dict[str, Any] = {
    "PATH_TO_DATA_DIR": "", "PATH_LABEL_SEPARATOR": " ", "PATH_PREFIX": "", "NUM_FRAMES": 8, "SAMPLING_RATE": 8,
    "MEAN": [0.45, 0.45, 0.45], "STD": [0.225, 0.225, 0.225], "TRAIN_JITTER_SCALES": [256, 320],
    "TRAIN_JITTER_SCALES_RELATIVE": [], "TRAIN_JITTER_ASPECT_RELATIVE": [], "USE_OFFSET_SAMPLING": False,
    "TRAIN_CROP_SIZE": 224, "TEST_CROP_SIZE": 256, "TARGET_FPS": 30.0, "TRAIN_JITTER_FPS": 0.0, "INV_UNIFORM_SAMPLE": False,
    "RANDOM_FLIP": True, "MULTI_LABEL": False, "ENSEMBLE_METHOD": "sum", "REVERSE_INPUT_CHANNEL": False,
    "IN_VAL_CROP_RATIO": 0.875,
}  # fmt: skip
_SOLVER: dict[str, Any] = {
    "BASE_LR": 0.1, "LR_POLICY": "cosine", "COSINE_END_LR": 0.0, "STEPS": [], "LRS": [], "MAX_EPOCH": 300, "MOMENTUM": 0.9,
    "DAMPENING": 0.0, "NESTEROV": True, "WEIGHT_DECAY": 1e-4, "WARMUP_EPOCHS": 0.0, "WARMUP_START_LR": 0.01,
    "OPTIMIZING_METHOD": "sgd", "BASE_LR_SCALE_NUM_SHARDS": False, "COSINE_AFTER_WARMUP": False, "ZERO_WD_1D_PARAM": False,
    "CLIP_GRAD_VAL": 0.0, "CLIP_GRAD_L2NORM": 0.0, "LAYER_DECAY": 1.0, "BETAS": [0.9, 0.999],
}  # fmt: skip
_AVA: dict[str, Any] = {
    "TRAIN_LISTS": ["train.csv"], "TEST_LISTS": ["val.csv"], "TRAIN_GT_BOX_LISTS": ["ava_train_v2.2.csv"],
    "TRAIN_PREDICT_BOX_LISTS": [], "TEST_PREDICT_BOX_LISTS": ["ava_val_predicted_boxes.csv"], "DETECTION_SCORE_THRESH": 0.9,
    "LABEL_MAP_FILE": "ava_action_list_v2.2_for_activitynet_2019.pbtxt",
    "EXCLUSION_FILE": "ava_val_excluded_timestamps_v2.2.csv", "GROUNDTRUTH_FILE": "ava_val_v2.2.csv",
}  # fmt: skip
_SECTIONS: dict[str, dict[str, Any]] = {
    "MVIT": _MVIT,
    "DATA": _DATA,
    "SOLVER": _SOLVER,
    "AVA": _AVA,
    "AUG": {
        "ENABLE": False, "NUM_SAMPLE": 1, "COLOR_JITTER": 0.4, "AA_TYPE": "rand-m9-mstd0.5-inc1", "INTERPOLATION": "bicubic",
        "RE_PROB": 0.25, "RE_MODE": "pixel", "RE_COUNT": 1,
    },
    "MIXUP": {
        "ENABLE": False, "ALPHA": 0.8, "CUTMIX_ALPHA": 1.0, "PROB": 1.0, "SWITCH_PROB": 0.5, "LABEL_SMOOTH_VALUE": 0.1,
    },
    "MODEL": {
        "MODEL_NAME": "SlowFast", "NUM_CLASSES": 400, "LOSS_FUNC": "cross_entropy", "DROPOUT_RATE": 0.5,
        "ACT_CHECKPOINT": False,
    },
    "TRAIN": {
        "ENABLE": True, "DATASET": "kinetics", "BATCH_SIZE": 64, "EVAL_PERIOD": 10, "CHECKPOINT_PERIOD": 10,
        "AUTO_RESUME": True, "CHECKPOINT_FILE_PATH": "",
    },
    "TEST": {
        "ENABLE": True, "DATASET": "kinetics", "BATCH_SIZE": 8, "CHECKPOINT_FILE_PATH": "", "NUM_ENSEMBLE_VIEWS": 10,
        "NUM_SPATIAL_CROPS": 3, "NUM_TEMPORAL_CLIPS": [], "SAVE_RESULTS_PATH": "",
    },
    "DETECTION": {"ALIGNED": True, "ROI_XFORM_RESOLUTION": 7},
    "DATA_LOADER": {"NUM_WORKERS": 8, "PIN_MEMORY": True},
    "TENSORBOARD": {"ENABLE": False},
    "": {"NUM_GPUS": 1, "NUM_SHARDS": 1, "OUTPUT_DIR": ".", "RNG_SEED": 1, "LOG_PERIOD": 10, "DIST_BACKEND": "nccl"},
}  # fmt: skip
UPSTREAM: dict[str, Any] = {
    f"{section}.{name}" if section else name: value
    for section, keys in _SECTIONS.items()
    for name, value in keys.items()
}

_MAIN_MODEL = "ours is that of BMViT's main model"
_OURS = "our default for detectors that start from a classifier; published files set it"
WHY: dict[str, str] = {
    "MODEL.MODEL_NAME": "SlowFast is not built here",
    "MODEL.NUM_CLASSES": "0 is as many as the data has",
    "MODEL.LOSS_FUNC": "empty is what the data needs: cross_entropy, its soft form, or one yes or no per class",
    "MODEL.DROPOUT_RATE": "heads of detectors have none; published classifiers set it, or mean 0.5",
    "DATA.PATH_TO_DATA_DIR": "empty is the working directory there",
    "DATA.NUM_FRAMES": _MAIN_MODEL,
    "DATA.SAMPLING_RATE": _MAIN_MODEL,
    "DATA.TRAIN_CROP_SIZE": _MAIN_MODEL,
    "SOLVER.BASE_LR": _OURS,
    "SOLVER.MAX_EPOCH": _OURS,
    "SOLVER.WARMUP_EPOCHS": _OURS,
    "SOLVER.WARMUP_START_LR": _OURS,
    "SOLVER.OPTIMIZING_METHOD": _OURS,
    "SOLVER.ZERO_WD_1D_PARAM": "all published MViT files set True",
    "AVA.TRAIN_LISTS": "empty: images are found by their names, without a list",
    "AVA.TEST_LISTS": "empty: images are found by their names, without a list",
    "AVA.TEST_PREDICT_BOX_LISTS": "only the two-stage model reads them",
    "TRAIN.DATASET": "ours is BMViT's",
    "TRAIN.BATCH_SIZE": "ours is BMViT's, over all processes",
    "TRAIN.EVAL_PERIOD": "detectors train for few epochs",
    "TRAIN.CHECKPOINT_PERIOD": "a killed run loses one epoch; the newest TRAIN.KEEP_CHECKPOINTS stay",
    "TEST.DATASET": "ours is BMViT's",
    "TEST.BATCH_SIZE": "changes no result",
    "TEST.SAVE_RESULTS_PATH": "scores are always written; empty writes none there",
    "TENSORBOARD.ENABLE": "changes no result",
    "OUTPUT_DIR": "runs get a folder of their own",
    "RNG_SEED": "published files set 0",
    "DIST_BACKEND": "auto is nccl where there are GPUs",
}
# Keys that PySlowFast does not have, whose default does something else than PySlowFast -> (what it does there, why).
BESIDE: dict[str, tuple[str, str]] = {
    "DATA.RESIZE": ("the aspect is kept", "classifiers keep it here too; detectors see the whole frame"),
    "DATA.CROP": ("a random square, boxes with it", "read for people on key frames: no box is cut"),
    "DATA.COLOR_JITTER": ("off, without AVA.TRAIN_USE_COLOR_AUGMENTATION", "read for people on key frames"),
    "TEST.PROTOCOL": ("no limit of rows a key frame", "as ActivityNet's script"),
    "AVA.PIXELS": ("frames", "no extraction of frames is needed"),
}


def differing_defaults(ours: dict[str, Any]) -> list[tuple[str, Any, str, str]]:
    """(key, our default, PySlowFast's in words, why) for each that differs.

    ours: dotted key -> our default, of all keys
    """
    rows = [(key, ours[key], repr(there), WHY[key]) for key, there in UPSTREAM.items() if ours[key] != there]
    return rows + [(key, ours[key], there, why) for key, (there, why) in BESIDE.items()]
