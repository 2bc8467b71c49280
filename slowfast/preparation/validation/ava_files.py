"""Files in AVA's format, read whole whatever is wrong in them: rows with their lines, label maps, exclusions, format."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np

from slowfast.preparation.faults import Faults
from slowfast.preparation.validation.split import CheckedSplit
from slowfast.structures.annotations.box_table import BoxTable
from slowfast.structures.annotations.label_map import LabelMap, read_label_map
from slowfast.structures.annotations.problem import Problem
from slowfast.utils.ava.tables import collect_exclusions, collect_groundtruth, concatenate_tables
from slowfast.utils.text import open_text

_HEAD = 1 << 16  # characters of a file that its format is told from
Read = TypeVar("Read")


def read_files(
    name: str,
    people: Sequence[Path],
    *,
    label_map: Path,
    eval_label_map: Path,
    exclusions: Path | None,
    classes: Sequence[int | str] = (),
    valid: tuple[float, float] | None = None,
    keys: dict[Path, str],
    faults: Faults,
) -> CheckedSplit:
    """One split. keys: what named a file, for the message where it is missing. All that is wrong goes to `faults`."""
    tables, files, lines = [], [], []
    for number, path in enumerate(people):
        problems: list[Problem] = []
        read = _try(partial(collect_groundtruth, path, problems), path, keys, faults)
        faults.take(problems)
        if read is not None:
            tables.append(read[0])
            lines.append(read[1])
            files.append(np.full(len(read[0]), number))
            for note in format_notes(path):
                faults.add("format", note, file=str(path))
    model = _try(lambda: read_label_map(label_map), label_map, keys, faults)
    evaluated = _try(lambda: read_label_map(eval_label_map), eval_label_map, keys, faults)
    whole = model
    if classes:
        model = _subset(model, classes, label_map, faults)
        chosen = model.ids if model else ()
        evaluated = evaluated and evaluated.subset([i for i in chosen if i in evaluated.ids])
    none = np.zeros(0, dtype=np.int32)
    return CheckedSplit(
        name,
        concatenate_tables(tables) if tables else BoxTable((), none, none, np.zeros((0, 4)), none),
        tuple(str(path) for path in people),
        np.concatenate([np.zeros(0, np.int64), *files]),
        np.concatenate([np.zeros(0, np.int64), *lines]),
        model,
        evaluated,
        _exclusions(exclusions, keys, faults),
        valid,
        parted=tuple(whole.parted_by(model.ids)) if whole and model else (),
    )


def _try(read: Callable[[], Read], path: Path, keys: dict[Path, str], faults: Faults) -> Read | None:
    """What `read` gives; None where the file is missing or nothing of it can be read, which is then a fault."""
    if not path.is_file():
        faults.add("missing file", f"no such file ({keys.get(path, 'named on the command line')})", file=str(path))
        return None
    try:
        return read()
    except (ValueError, OSError) as error:
        faults.add("refused", str(error).removeprefix(f"{path}: "), file=str(path))
        return None


def _subset(label_map: LabelMap | None, classes: Sequence[int | str], path: Path, faults: Faults) -> LabelMap | None:
    if label_map is None:
        return None
    try:
        return label_map.subset(label_map.ids_of(classes))
    except ValueError as error:
        faults.add("refused", f"{error} (AVA.CLASSES)", file=str(path))
        return label_map


def _exclusions(path: Path | None, keys: dict[Path, str], faults: Faults) -> frozenset[tuple[str, float]]:
    if path is None:
        return frozenset()
    problems: list[Problem] = []
    read = _try(lambda: collect_exclusions(path, problems), path, keys, faults)
    faults.take(problems)
    if read is None:
        return frozenset()
    table, _ = read
    pairs = zip(table.video.tolist(), table.timestamp.tolist(), strict=True)
    return frozenset((table.videos[video], time) for video, time in pairs)


def format_notes(path: Path) -> list[str]:
    """What differs from AVA's own files in how this one is written: all of it is understood."""
    with open_text(path) as file:
        text = file.read(_HEAD)
    lines = [line for line in text.split("\n")[:-1] if line.strip()] or [text]
    columns = [line.rstrip("\r").split(",") for line in lines]
    notes = []
    if any(line.endswith("\r") for line in lines):
        notes.append("line ends are CRLF")
    if all(len(row) == 7 for row in columns):
        notes.append("there is no person id (7 columns)")
    if any(len(row) == 2 for row in columns):
        notes.append("some rows list a key frame without people (2 columns)")
    times = [row[1].strip() for row in columns if len(row) > 1]
    if any(len(time) < 4 and time.isdecimal() for time in times):
        notes.append("timestamps are not padded with zeros")
    if any("." in time for time in times):
        notes.append("timestamps have fractions of a second")
    return notes
