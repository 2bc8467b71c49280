"""Something-Something v2: its JSON files, and PySlowFast's lists of extracted frames beside them."""

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np

from slowfast.datasets.annotations.videos.video_lists import check_paths
from slowfast.structures.annotations.labelled_videos import LabelledVideos
from slowfast.utils.reading import names_its_file
from slowfast.utils.text import read_json

SSV2_PREFIX = "something-something-v2-"  # of the names in the official archive; newer downloads lack it
SSV2_PARTS = ("train", "validation")
_SHOWN = 3
_KEY = "DATA.PATH_TO_DATA_DIR"


@names_its_file()
def read_ssv2(folder: str | Path, *, part: str) -> LabelledVideos:
    """The "train" or "validation" part from `something-something-v2-PART.json`, or `PART.json`, and the labels file.

    A path is the id of a video. Raises FileNotFoundError, or ValueError naming the file, what was expected and found.
    """
    if part not in SSV2_PARTS:
        raise ValueError(f"Something-Something v2 has labels for {' and '.join(SSV2_PARTS)}, not for {part!r}")
    labels_file = ssv2_file(folder, "labels")
    classes = _read_classes(labels_file)
    path = ssv2_file(folder, part)
    rows = _read_rows(path)
    unknown = sorted({template for _, template in rows} - set(classes))
    if unknown:
        raise ValueError(
            f"{path}: {len(unknown)} templates are no class of {labels_file.name}, the first is {unknown[0]!r} ({_KEY})"
        )
    check_paths(path, [name for name, _ in rows])
    names = tuple(sorted(classes, key=classes.__getitem__))
    labels = np.array([classes[template] for _, template in rows], dtype=np.int64)
    return LabelledVideos(tuple(name for name, _ in rows), labels, names)


def ssv2_file(folder: str | Path, what: str) -> Path:
    """The JSON file called `something-something-v2-WHAT.json` or, where that is missing, `WHAT.json`."""
    candidates = [Path(folder) / f"{prefix}{what}.json" for prefix in (SSV2_PREFIX, "")]
    for path in candidates:
        if path.is_file():
            return path
    raise FileNotFoundError(f"{candidates[0]}: no such file, and no {candidates[1].name} (DATA.PATH_TO_DATA_DIR)")


def _found(content: Any) -> str:
    """What a JSON file holds, for a message."""
    kind = "an object" if isinstance(content, dict) else "a list" if isinstance(content, list) else "a value"
    return f"{kind} that starts {json.dumps(content)[:80]}"


def _read_classes(path: Path) -> dict[str, int]:
    content = read_json(path)
    indices = list(content.values()) if isinstance(content, dict) else []
    if not indices or not all(isinstance(index, str | int) and str(index).isdecimal() for index in indices):
        raise ValueError(
            f'{path}: expected an object {{"TEMPLATE": "INDEX"}} as of SSv2, found {_found(content)} ({_KEY})'
        )
    classes = {name: int(index) for name, index in content.items()}
    if sorted(classes.values()) != list(range(len(classes))):
        raise ValueError(f"{path}: the class indices are not 0 to {len(classes) - 1} ({_KEY})")
    return classes


def _read_rows(path: Path) -> list[tuple[str, str]]:
    """(id, template without brackets) of each video."""
    expected = 'a list of {"id": "78687", "template": "Holding [something]"} as of SSv2'
    content = read_json(path)
    if not isinstance(content, list):
        raise ValueError(f"{path}: expected {expected}, found {_found(content)} ({_KEY})")
    rows = []
    for number, row in enumerate(content, start=1):
        known = isinstance(row, dict) and isinstance(row.get("id"), str | int) and isinstance(row.get("template"), str)
        if not known:
            raise ValueError(f"{path}: entry {number}: expected {expected}, found {json.dumps(row)[:80]} ({_KEY})")
        rows.append((str(row["id"]), row["template"].replace("[", "").replace("]", "")))
    return rows


def check_frame_list(frame_list: Path, listed: Collection[str], videos: LabelledVideos, json_file: Path) -> None:
    """That the videos `listed` in a frame list are those of the JSON file.

    Raises ValueError with both numbers and some of the names that are in one only (PySlowFast compares the numbers).
    """
    in_list, in_json = set(listed), set(videos.names)
    if in_list == in_json:
        return
    parts = [f"{json_file.name} has {len(in_json)} videos and {frame_list.name} has {len(in_list)}"]
    for name, only in ((json_file.name, in_json - in_list), (frame_list.name, in_list - in_json)):
        if only:
            shown = ", ".join(sorted(only)[:_SHOWN]) + (", ..." if len(only) > _SHOWN else "")
            parts.append(f"{len(only)} are in {name} only: {shown}")
    raise ValueError(f"{frame_list}: not of the videos of {json_file}: {'; '.join(parts)} (DATA.PATH_TO_DATA_DIR)")
