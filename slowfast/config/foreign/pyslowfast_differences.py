"""Where a value of PySlowFast's config does something there that it does not do here, and what its dumps hold."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from fvcore.common.config import CfgNode


@dataclass(frozen=True)
class Difference:
    """A key that is accepted without effect, though PySlowFast reads it.

    same:  the values with which it computes what this project computes
    why:   what another value does there
    when:  whether the run has to do with the key; None: always
    """

    same: tuple[Any, ...]
    why: str
    when: Callable[[CfgNode], bool] | None = None


def _starts_from_a_file(cfg: CfgNode) -> bool:
    return bool(cfg.TRAIN.ENABLE and cfg.TRAIN.CHECKPOINT_FILE_PATH)


def _trains(cfg: CfgNode) -> bool:
    return bool(cfg.TRAIN.ENABLE)


def _has_given_boxes(cfg: CfgNode) -> bool:
    return cfg.MODEL.MODEL_NAME == "TwoStage"


def _validates_on_ava(cfg: CfgNode) -> bool:
    return bool(cfg.TRAIN.ENABLE and cfg.TEST.DATASET == "ava")


_COLOURS = "changes the colours of training clips there; here AUG and DATA.COLOR_JITTER do"

DIFFERENCES: dict[str, Difference] = {
    "TASK": Difference(("", "sl"), "chooses what is learnt there; here MODEL.MODEL_NAME does"),
    "MODEL.HEAD_ACT": Difference(
        ("softmax", "sigmoid"), "is applied to scores there; here softmax, or sigmoid where there may be many classes"
    ),
    "MODEL.FP16_ALLREDUCE": Difference((False,), "rounds gradients to half precision there; they stay float32 here", _trains),
    "DETECTION.SPATIAL_SCALE_FACTOR": Difference(
        (16,), "is the scale of RoIAlign there; here it is the backbone's own stride", _has_given_boxes
    ),
    "TRAIN.CHECKPOINT_INFLATE": Difference(
        (False,), "repeats 2-D kernels over time there; here the central slice is filled", _starts_from_a_file
    ),
    "TRAIN.CHECKPOINT_IN_INIT": Difference(
        (False,), "repeats 2-D kernels over time there, undivided; here the central slice is filled", _starts_from_a_file
    ),
    "TRAIN.CHECKPOINT_EPOCH_RESET": Difference(
        (True,), "goes on from the epoch of the file there; here TRAIN.CHECKPOINT_FILE_PATH starts at epoch 0",
        _starts_from_a_file,
    ),
    "TRAIN.CHECKPOINT_CLEAR_NAME_PATTERN": Difference(
        ([], ()), "cuts names of parameters there; here names are recognised", _starts_from_a_file
    ),
    "TRAIN.KILL_LOSS_EXPLOSION_FACTOR": Difference(
        (0, 0.0), "stops training when the loss grows that much there; here many losses in a row that are not finite do", _trains
    ),
    "DATA.DECODING_SHORT_SIZE": Difference(
        (256,), "is the short side that videos are decoded to there; here DATA.TRAIN_JITTER_SCALES[0] and the test's size"
    ),
    "DATA.INPUT_CHANNEL_NUM": Difference(([3], [3, 3]), "is the number of channels there; clips have three here"),
    "DATA.SKIP_ROWS": Difference((0,), "leaves out the first rows of lists there; here all rows are read"),
    "DATA.LOADER_CHUNK_SIZE": Difference((0,), "reads lists in parts there; here an epoch is the whole list"),
    "DATA.IN22K_TRAINVAL": Difference((False,), "trains on the validation images, too, there; not here"),
    "DATA.IN22k_VAL_IN1K": Difference(("", None), "validates on another data set there; here on TEST.DATASET"),
    "DATA.DUMMY_LOAD": Difference((False,), "trains on made-up clips there; here on the data"),
    "DATA.COLOR_RND_GRAYSCALE": Difference((0, 0.0), _COLOURS, _trains),
    "DATA.TIME_DIFF_PROB": Difference((0, 0.0), _COLOURS, _trains),
    "DATA.SSL_COLOR_JITTER": Difference((False,), _COLOURS, _trains),
    "DATA.SSL_MOCOV2_AUG": Difference((False,), _COLOURS, _trains),
    "AVA.FULL_TEST_ON_VAL": Difference(
        (True,), "validates on every fourth second during training there; here on all", _validates_on_ava
    ),
}  # fmt: skip


def what_it_would_compute(values: Mapping[str, Any], cfg: CfgNode) -> dict[str, str]:
    """Key -> its value and what that does in PySlowFast, for each given key whose value computes something else there.

    values: dotted key -> value, as they were given; cfg: the resolved tree
    """
    found = {}
    for key, difference in DIFFERENCES.items():
        if key not in values or (difference.when is not None and not difference.when(cfg)):
            continue
        if not any(
            (values[key] == same and type(values[key]) is not bool) or values[key] is same for same in difference.same
        ):
            found[key] = f"{values[key]!r} {difference.why}"
    return found


# Keys that only a config written by a program has together.
_DUMPED = ("BENCHMARK.SHUFFLE", "DEMO.SLOWMO", "MULTIGRID.DEFAULT_S", "SHARD_ID", "TENSORBOARD.LOG_DIR")


def read_as_dumped(values: Mapping[str, Any]) -> dict[str, tuple[Any, str]]:
    """Key -> (value, note) for what PySlowFast changes in a config before it dumps it; a note may be empty.

    Building the model fills MVIT.POOL_KV_STRIDE from MVIT.POOL_KV_STRIDE_ADAPTIVE, in any dump: the rows that follow from
    it are taken back. Starting a run multiplies the learning rates by NUM_SHARDS: in a whole dump the switch is off. And
    a whole dump has DIST_BACKEND nccl, which PySlowFast does not read without GPUs.
    """
    changes: dict[str, tuple[Any, str]] = {}
    if rows_of_adaptive(values) == values.get("MVIT.POOL_KV_STRIDE", ()):
        changes["MVIT.POOL_KV_STRIDE"] = ([], "")
    if not all(key in values for key in _DUMPED):
        return changes
    if values.get("NUM_GPUS") == 0 and values.get("DIST_BACKEND") == "nccl":
        changes["DIST_BACKEND"] = ("auto", "")
    scaled, machines = values.get("SOLVER.BASE_LR_SCALE_NUM_SHARDS"), values.get("NUM_SHARDS", 1)
    if scaled is True and machines != 1:
        note = (
            f"the learning rates of a config that PySlowFast dumped are multiplied by NUM_SHARDS ({machines}) already: "
            "SOLVER.BASE_LR_SCALE_NUM_SHARDS is False here"
        )
        changes["SOLVER.BASE_LR_SCALE_NUM_SHARDS"] = (False, note)
    return changes


def rows_of_adaptive(values: Mapping[str, Any]) -> list[list[int]] | None:
    """The rows [block, t, h, w] that MVIT.POOL_KV_STRIDE_ADAPTIVE stands for; None without it or where they are no numbers."""
    stride, q_rows = values.get("MVIT.POOL_KV_STRIDE_ADAPTIVE"), values.get("MVIT.POOL_Q_STRIDE", [])
    if not stride:
        return None
    try:
        by_block, rows, stride = {row[0]: row[1:] for row in q_rows}, [], list(stride)
        for block in range(values.get("MVIT.DEPTH", 16)):
            if block in by_block:
                stride = [max(step // q, 1) for step, q in zip(stride, by_block[block], strict=True)]
            rows.append([block, *stride])
    except (TypeError, ValueError, IndexError, ZeroDivisionError):
        return None
    return rows
