"""Config files of facebookresearch/mvit: image models, with 2 numbers where PySlowFast has 3, and defaults of their own."""

from collections.abc import Mapping, Sequence
from typing import Any

Entries = list[tuple[str, Any, str]]

# Its defaults, where they are not PySlowFast's and the key is ours (mvit/config/defaults.py there).
DEFAULTS: dict[str, Any] = {
    "MODEL.MODEL_NAME": "MViT",
    "MODEL.NUM_CLASSES": 1000,
    "MODEL.LOSS_FUNC": "soft_cross_entropy",
    "MODEL.DROPOUT_RATE": 0.0,
    "MVIT.PATCH_2D": True,
    "MVIT.PATCH_KERNEL": [7, 7],
    "MVIT.PATCH_STRIDE": [4, 4],
    "MVIT.PATCH_PADDING": [3, 3],
    "MVIT.CLS_EMBED_ON": False,
    "MVIT.USE_ABS_POS": False,
    "MVIT.REL_POS_SPATIAL": True,
    "MVIT.REL_POS_TEMPORAL": False,
    "MVIT.RESIDUAL_POOLING": True,
    "MVIT.DIM_MUL_IN_ATT": True,
    "MVIT.POOL_KVQ_KERNEL": [1, 3, 3],
    "MVIT.ZERO_DECAY_POS_CLS": False,
    "DATA.NUM_FRAMES": 1,
    "DATA.SAMPLING_RATE": 1,
    "DATA.TRAIN_CROP_SIZE": 224,
    "DATA.TEST_CROP_SIZE": 224,
    "DATA.MEAN": [0.485, 0.456, 0.406],
    "DATA.STD": [0.229, 0.224, 0.225],
    "AUG.ENABLE": True,
    "AUG.AA_TYPE": "rand-m9-n6-mstd0.5-inc1",
    "MIXUP.ENABLE": True,
    "TRAIN.DATASET": "imagenet",
    "TRAIN.BATCH_SIZE": 256,
    "TRAIN.EVAL_PERIOD": 10,
    "TRAIN.CHECKPOINT_PERIOD": 10,
    "TEST.ENABLE": False,
    "TEST.DATASET": "imagenet",
    "TEST.BATCH_SIZE": 64,
    "TEST.NUM_ENSEMBLE_VIEWS": 1,
    "TEST.NUM_SPATIAL_CROPS": 1,
    "SOLVER.BASE_LR": 2.5e-4,
    "SOLVER.COSINE_AFTER_WARMUP": True,
    "SOLVER.COSINE_END_LR": 1e-6,
    "SOLVER.MAX_EPOCH": 300,
    "SOLVER.OPTIMIZING_METHOD": "sgd",
    "SOLVER.WARMUP_EPOCHS": 70.0,
    "SOLVER.WARMUP_START_LR": 1e-8,
    "SOLVER.WEIGHT_DECAY": 0.05,
    "SOLVER.ZERO_WD_1D_PARAM": True,
}
_ROWS = ("MVIT.POOL_Q_STRIDE", "MVIT.POOL_KV_STRIDE")
_PAIRS = ("MVIT.POOL_KVQ_KERNEL", "MVIT.POOL_KV_STRIDE_ADAPTIVE")
# Keys that there are only in configs of clips: a file with one of them is no file of that project.
_OF_CLIPS = (
    "DATA.NUM_FRAMES",
    "DATA.SAMPLING_RATE",
    "MVIT.PATCH_2D",
    "MVIT.REL_POS_TEMPORAL",
    "MVIT.SEP_POS_EMBED",
    "MODEL.ARCH",
)
# The configs of ours that are its networks, by depth and width.
_SHIPPED = {(10, 96): "MVITv2_T", (16, 96): "MVITv2_S", (24, 96): "MVITv2_B"}


def is_layout_of(values: Mapping[str, Any]) -> bool:
    """The values of one file are in that project's layout: rows [block, h, w], kernels [h, w], and no key of clips."""
    rows = values.get("MVIT.POOL_Q_STRIDE")
    if not _is_list(rows) or not rows or any(key in values for key in _OF_CLIPS):
        return False
    pairs = [values[key] for key in _PAIRS if values.get(key) is not None]
    return (
        bool(pairs)
        and all(_is_list(pair) and len(pair) == 2 for pair in pairs)
        and all(_is_list(row) and len(row) == 3 for row in rows)
    )


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def translate(entries: Entries, name: str) -> tuple[Entries, str]:
    """The (key, value, source) entries of such a file in our layout, its project's defaults before them, and a note."""
    ours: Entries = [(key, value, f"{name}, default of facebookresearch/mvit") for key, value in DEFAULTS.items()]
    for key, value, source in entries:
        if key in _ROWS and _is_list(value):
            value = [[row[0], 1, *row[1:]] if _is_list(row) and len(row) == 3 else row for row in value]
        elif key in _PAIRS and _is_list(value) and len(value) == 2:
            value = [1, *value]
        ours.append((key, value, source))
    values = {key: value for key, value, _ in entries}
    shipped = _SHIPPED.get((values.get("MVIT.DEPTH", 16), values.get("MVIT.EMBED_DIM", 96)))
    same = f"; it is the network of configs/ImageNet/{shipped}.yaml" if shipped else ""
    note = (
        f"{name} is in the layout of facebookresearch/mvit: read as an image model, with that project's defaults for what "
        f"it leaves out (NUM_GPUS excepted){same}"
    )
    return ours, note
