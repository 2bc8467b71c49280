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
    "MATCHER.L1": Alias("MATCHER.BOX_L1"),
    "MATCHER.GIOU": Alias("MATCHER.BOX_GIOU"),
}

# PySlowFast's switch: its MViT then classifies given boxes, which is a model of its own name here.
DETECTION_SWITCH = "DETECTION.ENABLE"
