"""DATASET_REGISTRY: the data sets by the names that TRAIN.DATASET and TEST.DATASET give."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from fvcore.common.config import CfgNode
from fvcore.common.registry import Registry

from slowfast.config.registry import find_in, register_in
from slowfast.datasets.split import Split

Builder = Callable[[CfgNode, str], Split]

DATASET_REGISTRY = Registry("DATASET")
DATASET_REGISTRY.__doc__ = "Functions from a config and the name of a split to a Split."


@dataclass(frozen=True)
class Reading:
    """How a model that was tested on a set is shown a video that belongs to none.

    sampling:      of a classifier's clips, see ClipSampling
    bgr:           as VideoSplit's
    counts_frames: a detector's sampling rate counts frames of the video, not of DATA.TARGET_FPS
    """

    sampling: Literal["time", "segments", "image", "frames"] = "time"
    bgr: bool = False
    counts_frames: bool = False


_READINGS: dict[str, Reading] = {}


def reading_of(name: str) -> Reading:
    """What the set called `name` was registered with; the usual for one that is not known."""
    return _READINGS.get(name, Reading())


def register_dataset(name: str, reading: Reading | None = None) -> Callable[[Builder], Builder]:
    """Decorate a builder so that TRAIN.DATASET and TEST.DATASET can name it.

    reading: how its models are shown other videos, where that is not as usual: clips of so many seconds, R, G, B

    It takes a config and "train" or "test", and returns a KeyFrameSplit (people on key frames) or a VideoSplit (videos
    with labels), which is asked for "val", too: what is evaluated between epochs. A module of yours that registers one
    goes into MODEL.IMPORTS.
    """
    if reading is not None:
        _READINGS[name] = reading
    return register_in(DATASET_REGISTRY, name)


def find_dataset(name: str, key: str) -> Builder:
    """The builder called `name`; `key` is named in the ValueError that lists the known ones."""
    return find_in(DATASET_REGISTRY, key, name)
