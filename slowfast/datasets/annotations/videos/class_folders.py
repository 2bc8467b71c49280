"""Folders of classes, without any list: CLASS/FILE, or train, val and test / CLASS / FILE. Folder names are the classes."""

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from slowfast.structures.annotations.labelled_videos import LabelledVideos
from slowfast.video.pictures.images import IMAGE_EXTENSIONS
from slowfast.video.reader import VIDEO_EXTENSIONS

SPLITS = ("train", "val", "test")
_STANDS_IN = {"val": "test", "test": "val"}
_KEY = "DATA.PATH_TO_DATA_DIR"
_SHOWN = 5


@dataclass(frozen=True)
class FileKind:
    """Which files are looked for; other_kind, other_extensions, advice: what may have been meant where there are none."""

    name: str
    extensions: tuple[str, ...]
    other_name: str
    other_extensions: tuple[str, ...]
    advice: str


VIDEOS = FileKind(
    "videos", VIDEO_EXTENSIONS, "images", IMAGE_EXTENSIONS, "TRAIN.DATASET and TEST.DATASET imagenet read images"
)
IMAGES = FileKind(
    "images", IMAGE_EXTENSIONS, "videos", VIDEO_EXTENSIONS, "TRAIN.DATASET and TEST.DATASET folder read videos"
)


def has_split_folders(root: str | Path) -> bool:
    """Whether `root` holds a folder train, val or test which holds folders in turn."""
    return any(_folders(Path(root) / split) for split in SPLITS)


def read_split_folders(root: str | Path, split: str, *, kind: FileKind) -> tuple[LabelledVideos, tuple[str, ...]]:
    """ROOT/SPLIT/CLASS/FILE -> the files of a split, named from ROOT on, and notes.

    Classes are the sorted folders of `train`, where that is there, else of the split itself. `val` and `test` stand in
    for one another, with a note. Raises FileNotFoundError, or ValueError: no file of the kind, a class folder that
    `train` lacks, one class only, a class without a file in `train`.
    """
    root, used = Path(root), split
    notes: list[str] = []
    if not root.is_dir():
        raise FileNotFoundError(f"{root}: no such folder ({_KEY})")
    if not (root / split).is_dir():
        used = _STANDS_IN.get(split, split)
        if not (root / used).is_dir():
            either = f"neither {split} nor {used}" if used != split else f"no {split}"
            raise FileNotFoundError(
                f"{root}: there is {either} in it, each with a folder of {kind.name} per class ({_KEY})"
            )
        notes.append(f"{root / split} does not exist: {used} is read in its place")
    classes = _folders(root / "train") or _folders(root / used)
    extra = sorted(set(_folders(root / used)) - set(classes))
    if extra:
        raise ValueError(
            f"{root / used}: {len(extra)} class folders are not in {root / 'train'}: {_some(extra)}; both need the same"
        )
    found, ignored = _scan(root / used, classes, kind)
    empty = _empty(found)
    if empty and split == "train":
        raise ValueError(_no_files(root / used, empty, kind))
    if empty:
        notes.append(f"{root / used}: no {kind.name} of {len(empty)} classes: {_some(empty)}")
    notes += _note_ignored(root / used, ignored, kind)
    return _labelled({name: [f"{used}/{file}" for file in files] for name, files in found.items()}), tuple(notes)


def read_held_out(
    root: str | Path, split: str, *, kind: FileKind, fraction: float
) -> tuple[LabelledVideos, tuple[str, ...]]:
    """ROOT/CLASS/FILE -> "train", or the part of each class that is held out for "val" and "test", and notes.

    A file is held out if a hash of its path below ROOT, as a number in [0, 1), is below `fraction`: it stays on its
    side when files are added. A class of two or more files has at least one on each side, the one whose number is
    nearest; a class of one file is trained on. Raises as `read_split_folders`, for each split.
    """
    root = Path(root)
    found, ignored = _scan(root, _folders(root), kind)
    if empty := _empty(found):
        raise ValueError(_no_files(root, empty, kind))
    parts: dict[str, list[str]] = {}
    for name, files in found.items():
        out = held_out(files, fraction)
        parts[name] = [file for file in files if (file in out) == (split != "train")]
    total, kept = sum(map(len, found.values())), sum(map(len, parts.values()))
    number = total - kept if split == "train" else kept
    notes = [f"{root}: {number} of {total} {kind.name} are held out for val and test (DATA.HELD_OUT {fraction})"]
    if single := sorted(name for name, files in found.items() if len(files) == 1):
        notes.append(
            f"{root}: {len(single)} classes have one file, which is trained on and not tested: {_some(single)}"
        )
    if not kept:
        raise ValueError(f"{root}: no class has two {kind.name}, so there is none to test on ({_KEY})")
    notes += _note_ignored(root, ignored, kind)
    return _labelled(parts), tuple(notes)


def held_out(files: Sequence[str], fraction: float) -> set[str]:
    """Which files of a class are held out; see `read_held_out`."""
    place = {file: _number(file) for file in files}
    chosen = {file for file in files if place[file] < fraction}
    if len(files) < 2:
        return set()
    if not chosen:
        return {min(files, key=place.__getitem__)}
    return chosen - {max(files, key=place.__getitem__)} if len(chosen) == len(files) else chosen


def _number(text: str) -> float:
    """Text -> [0, 1), evenly and always the same (Python's own hash changes with the process)."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6], "big") / 2**48


def _folders(folder: Path) -> list[str]:
    """Sorted names of the sub-folders; hidden ones are not meant."""
    if not folder.is_dir():
        return []
    return sorted(entry.name for entry in os.scandir(folder) if entry.is_dir() and not entry.name.startswith("."))


def _scan(folder: Path, classes: Sequence[str], kind: FileKind) -> tuple[dict[str, list[str]], int]:
    """Class -> sorted paths below `folder`, and how many other files there are.

    Raises FileNotFoundError without `folder`, ValueError where it has no file of the kind or fewer than two classes.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder}: no such folder ({_KEY})")
    found: dict[str, list[str]] = {}
    loose = [entry.name for entry in os.scandir(folder) if entry.is_file()]
    ignored, others = len(loose), []
    for name in classes:
        files = sorted(_files_below(folder, name))
        found[name] = [file for file in files if file.lower().endswith(kind.extensions)]
        ignored += len(files) - len(found[name])
        others += [file for file in files if file.lower().endswith(kind.other_extensions)][:1]
    if not any(found.values()):
        if others:
            raise ValueError(f"{folder} holds {kind.other_name} ({others[0]}) and no {kind.name}: {kind.advice}")
        if any(name.lower().endswith(kind.extensions) for name in loose):
            raise ValueError(f"{folder} holds {kind.name}, but in no class folder: put each into CLASS/FILE ({_KEY})")
        raise ValueError(f"{folder} holds no {kind.name} in class folders: expected CLASS/FILE ({_KEY})")
    if len(found) < 2:
        raise ValueError(
            f"{folder} has one class folder, {next(iter(found))!r}, and a classifier needs at least 2: {_KEY} names the "
            "folder in which the class folders are"
        )
    return found, ignored


def _files_below(folder: Path, name: str) -> Iterator[str]:
    """Paths below `folder` of the files in folder `name`, at any depth; links are followed, hidden folders are not."""
    seen: set[str] = set()
    for place, folders, files in os.walk(folder / name, followlinks=True):
        real = os.path.realpath(place)
        if real in seen:  # a link to a folder that holds it
            folders.clear()
            continue
        seen.add(real)
        folders[:] = [inner for inner in folders if not inner.startswith(".")]
        prefix = Path(place).relative_to(folder).as_posix()
        yield from (f"{prefix}/{file}" for file in files)


def _labelled(found: dict[str, list[str]]) -> LabelledVideos:
    counts = [len(files) for files in found.values()]
    labels = np.repeat(np.arange(len(found), dtype=np.int64), counts)
    return LabelledVideos(tuple(file for files in found.values() for file in files), labels, tuple(found))


def _empty(found: dict[str, list[str]]) -> list[str]:
    return [name for name, files in found.items() if not files]


def _no_files(folder: Path, empty: list[str], kind: FileKind) -> str:
    return f"{folder}: {len(empty)} class folders without {kind.name}: {_some(empty)}; fill or remove them"


def _note_ignored(folder: Path, ignored: int, kind: FileKind) -> list[str]:
    if not ignored:
        return []
    return [f"{folder}: {ignored} files are left out: no {kind.name}, or in no class folder"]


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
