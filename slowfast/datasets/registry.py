"""DATASET_REGISTRY: the data sets by the names that TRAIN.DATASET and TEST.DATASET give."""

from collections.abc import Callable

from fvcore.common.config import CfgNode
from fvcore.common.registry import Registry

from slowfast.config.registry import find_in, register_in
from slowfast.datasets.split import Split

Builder = Callable[[CfgNode, str], Split]

DATASET_REGISTRY = Registry("DATASET")
DATASET_REGISTRY.__doc__ = "Functions from a config and the name of a split to a Split."


def register_dataset(name: str) -> Callable[[Builder], Builder]:
    """Decorate a builder so that TRAIN.DATASET and TEST.DATASET can name it.

    It takes a config and "train" or "test", and returns a KeyFrameSplit (people on key frames) or a VideoSplit (videos
    with labels), which is asked for "val", too: what is evaluated between epochs. A module of yours that registers one
    goes into MODEL.IMPORTS.
    """
    return register_in(DATASET_REGISTRY, name)


def find_dataset(name: str, key: str) -> Builder:
    """The builder called `name`; `key` is named in the ValueError that lists the known ones."""
    return find_in(DATASET_REGISTRY, key, name)
