"""Other names of our keys: PySlowFast's, and those of earlier versions. They are read and become the present ones.

An alias and its key, both given, are like one key given twice: the later one counts.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from slowfast.config.keys import decode


@dataclass(frozen=True)
class Alias:
    """key: the present name; value: what a value under the old name means under it."""

    key: str
    value: Callable[[Any], Any] = lambda value: value


def _precision(value: Any) -> Any:
    """True and False as precisions; anything else as it is, for the key itself to refuse."""
    return {True: "bf16", False: "float32"}.get(decode(value), value) if isinstance(decode(value), bool) else value


ALIASES: dict[str, Alias] = {
    "AVA.FPS": Alias("DATA.TARGET_FPS"),
    "TRAIN.MIXED_PRECISION": Alias("MODEL.PRECISION", _precision),
    "DATA.VAL_CROP_RATIO": Alias("DATA.IN_VAL_CROP_RATIO"),
    "MATCHER.L1": Alias("MATCHER.BOX_L1"),
    "MATCHER.GIOU": Alias("MATCHER.BOX_GIOU"),
}

# PySlowFast's switch: its MViT then classifies given boxes, which is a model of its own name here.
DETECTION_SWITCH = "DETECTION.ENABLE"

# Values that mean one of ours. PTVMViT is PySlowFast's MViT built from PyTorchVideo's layers.
VALUES: dict[str, dict[str, str]] = {"MODEL.MODEL_NAME": {"PTVMViT": "MViT"}}

# PySlowFast writes '' for what is not given, and every key into the configs of its checkpoints.
EMPTY_IS_LEFT_OUT = ("DATA.PATH_TO_DATA_DIR", "TEST.SAVE_RESULTS_PATH")

# A switch without a key of its own here -> what its False means; its True is refused with the new name of the matter.
SWITCHED_OFF: dict[str, tuple[str, Any]] = {"AVA.TRAIN_USE_COLOR_AUGMENTATION": ("DATA.COLOR_JITTER", 0.0)}

# PySlowFast's NUM_ENSEMBLE_VIEWS -1 is a test with each of these numbers of clips.
ALL_VIEWS = [1, 3, 5, 7, 10]


def present(key: str, value: Any) -> tuple[str, Any, str] | None:
    """A key and value as they are called here, and how they were given ("" where nothing changed); None: left out."""
    if key in EMPTY_IS_LEFT_OUT and value == "":
        return None
    if key in SWITCHED_OFF and decode(value) is False:
        return (*SWITCHED_OFF[key], f"{key} False")
    if key == "TEST.NUM_ENSEMBLE_VIEWS" and decode(value) == -1:
        return "TEST.NUM_TEMPORAL_CLIPS", list(ALL_VIEWS), f"{key} -1"
    if isinstance(value, str) and value in VALUES.get(key, {}):
        return key, VALUES[key][value], f"{value} is {VALUES[key][value]} here"
    if key in ALIASES:
        return ALIASES[key].key, ALIASES[key].value(value), key
    return key, value, ""
