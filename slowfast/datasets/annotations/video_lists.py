"""Lists of videos with labels: Kinetics (`path label` lines) and Something-Something v2 (its JSON files)."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from slowfast.structures.labelled_videos import LabelledVideos

SSV2_LABELS, SSV2_VALIDATION = "something-something-v2-labels.json", "something-something-v2-validation.json"


def read_video_list(
    path: str | Path, *, num_classes: int, separator: str = " ", multi_label: bool = False
) -> LabelledVideos:
    """A line per video: path, separator, class index from 0; with `multi_label` indices between commas, or none.

    The last separator of a line counts, so a path may hold it. Raises FileNotFoundError, or ValueError naming file and
    line for a line without a label, a label that is no class, and a path that is there twice.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file (DATA.PATH_TO_DATA_DIR)")
    paths: list[str] = []
    labels: list[list[int]] = []
    for number, line in enumerate(path.read_text(encoding="utf-8-sig").splitlines(), start=1):
        if not line.strip():
            continue
        name, found, text = line.rpartition(separator)
        try:
            indices = [int(word) for word in text.split(",") if word.strip()]
        except ValueError:
            indices = None
        if not found or not name.strip() or indices is None or (not multi_label and len(indices) != 1):
            rule = "class indices between commas" if multi_label else "one class index"
            raise ValueError(f"{path}:{number}: expected a path, {separator!r} and {rule}, found {line[:100]!r}")
        wrong = [index for index in indices if not 0 <= index < num_classes]
        if wrong:
            raise ValueError(
                f"{path}:{number}: class {wrong[0]} is not one of 0 to {num_classes - 1} (MODEL.NUM_CLASSES)"
            )
        paths.append(name.strip())
        labels.append(indices)
    _check_paths(path, paths)
    names = tuple(str(index) for index in range(num_classes))
    if not multi_label:
        return LabelledVideos(tuple(paths), np.array([one for (one,) in labels], dtype=np.int64), names)
    hot = np.zeros((len(paths), num_classes), dtype=bool)
    for row, indices in enumerate(labels):
        hot[row, indices] = True
    return LabelledVideos(tuple(paths), hot, names)


def read_ssv2(folder: str | Path) -> LabelledVideos:
    """The validation set of Something-Something v2 from its two JSON files; a path is the id of a video.

    Raises FileNotFoundError, or ValueError naming the file and what is wrong with it.
    """
    classes = _json(Path(folder) / SSV2_LABELS, lambda text: {name: int(index) for name, index in text.items()})
    if sorted(classes.values()) != list(range(len(classes))):
        raise ValueError(f"{Path(folder) / SSV2_LABELS}: the class indices are not 0 to {len(classes) - 1}")
    path = Path(folder) / SSV2_VALIDATION
    rows = _json(
        path, lambda text: [(str(row["id"]), row["template"].replace("[", "").replace("]", "")) for row in text]
    )
    unknown = sorted({template for _, template in rows} - set(classes))
    if unknown:
        raise ValueError(f"{path}: {len(unknown)} templates are no class of {SSV2_LABELS}, the first is {unknown[0]!r}")
    _check_paths(path, [name for name, _ in rows])
    names = tuple(sorted(classes, key=classes.get))
    labels = np.array([classes[template] for _, template in rows], dtype=np.int64)
    return LabelledVideos(tuple(name for name, _ in rows), labels, names)


def _json(path: Path, parse: Callable[[Any], Any]) -> Any:
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file (DATA.PATH_TO_DATA_DIR)")
    try:
        return parse(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path}: not laid out as expected: {type(error).__name__} {error}") from None


def _check_paths(source: Path, paths: list[str]) -> None:
    if not paths:
        raise ValueError(f"{source}: lists no video")
    if len(set(paths)) < len(paths):
        twice = next(path for path in paths if paths.count(path) > 1)
        raise ValueError(f"{source}: {twice!r} is listed more than once")
