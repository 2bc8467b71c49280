"""The classes of a set that is a list, and the lists that stand in for one another, as the config says."""

from pathlib import Path

from fvcore.common.config import CfgNode

from slowfast.config.classes import num_classes
from slowfast.datasets.annotations.videos.class_names import numbers_as_names, read_class_names

_STANDS_IN = {"val": "test", "test": "val"}


def class_names_of(cfg: CfgNode) -> tuple[tuple[str, ...], bool]:
    """Names of the classes, and whether they come from DATA.LABEL_FILE; without one they are numbers.

    Raises ValueError where that file names another number of classes than MODEL.NUM_CLASSES says.
    """
    file = cfg.DATA.LABEL_FILE
    if not file:
        return numbers_as_names(num_classes(cfg)), False
    names = read_class_names(file)
    if cfg.MODEL.NUM_CLASSES not in (0, len(names)):
        raise ValueError(
            f"MODEL.NUM_CLASSES is {cfg.MODEL.NUM_CLASSES}, but DATA.LABEL_FILE {file} names {len(names)} classes; set "
            f"MODEL.NUM_CLASSES {len(names)}, or leave it out"
        )
    return names, True


def refuse_label_file(cfg: CfgNode, dataset: str) -> None:
    """For sets that name their classes themselves."""
    if cfg.DATA.LABEL_FILE:
        raise ValueError(
            f"DATA.LABEL_FILE ({cfg.DATA.LABEL_FILE!r}) is for lists that number their classes (kinetics, charades), and "
            f"{dataset} names its own; leave it out"
        )


def list_of_split(folder: str | Path, split: str) -> tuple[Path, tuple[str, ...]]:
    """FOLDER/SPLIT.csv; "val" and "test" stand in for one another, with a note. Raises FileNotFoundError."""
    path = Path(folder) / f"{split}.csv"
    if path.is_file():
        return path, ()
    if split not in _STANDS_IN:
        raise FileNotFoundError(f"{path}: no such file (DATA.PATH_TO_DATA_DIR)")
    other = path.with_name(f"{_STANDS_IN[split]}.csv")
    if not other.is_file():
        raise FileNotFoundError(f"{path}: no such file, and no {other.name} beside it (DATA.PATH_TO_DATA_DIR)")
    return other, (f"{path} does not exist: {other.name} is read in its place",)
