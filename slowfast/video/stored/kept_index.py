"""Indices of frames that prepare-data keeps beside a video's record, so that no process decodes the file to make one.

`.manifest/NAME.EXTENSION.npz`, only for files whose timestamps cannot be searched (frame_index.py). One that was made of
another state of the file is not used.
"""

import io
import zipfile
from functools import lru_cache
from pathlib import Path

import numpy as np

from slowfast.utils.files import write_bytes
from slowfast.video.decoding.notes import note
from slowfast.video.source import Timeline
from slowfast.video.stored.manifest import FOLDER

_VERSION = 1
_DEPTH = 4  # folders above a video in which records are looked for
_COLUMNS = ("pts", "keys", "doubtful")


def write_index(path: Path, folder: Path, timeline: Timeline, columns: dict[str, np.ndarray]) -> None:
    """Keep the index of the video at `path`, below the prepared `folder`. columns: those of FrameIndex."""
    stat = path.stat()
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer,
        state=np.array([_VERSION, stat.st_size, stat.st_mtime_ns], dtype=np.int64),
        times=timeline.times,
        ends=np.array([timeline.frame_seconds, timeline.end]),
        damaged=np.array(timeline.damaged, dtype=np.float64).reshape(-1, 2),
        pts=columns["pts"],
        keys=columns["keys"],
        doubtful=columns["doubtful"],
    )
    kept = folder / FOLDER / f"{path.relative_to(folder).as_posix()}.npz"
    kept.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(buffer.getvalue(), kept)
    records_above.cache_clear()


def read_index(path: Path) -> tuple[Timeline, dict[str, np.ndarray]] | None:
    """The timeline and the columns of a video's index; None where none was kept of the file as it is now."""
    kept = kept_index(path)
    if kept is None:
        return None
    try:
        with np.load(kept, allow_pickle=False) as content:
            stat = path.stat()
            if content["state"].tolist() != [_VERSION, stat.st_size, stat.st_mtime_ns]:
                return None
            frame_seconds, end = content["ends"].tolist()
            damaged = tuple((low, high) for low, high in content["damaged"].tolist())
            timeline = Timeline(str(path), content["times"], frame_seconds, end, damaged)
            return timeline, {name: content[name] for name in _COLUMNS}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        note("kept index", str(path), f"the index of its frames in {kept} cannot be read, and is made anew: {error}")
        return None


def kept_index(path: Path) -> Path | None:
    """The file that an index of the video at `path` was kept in; None where there is none."""
    root = records_above(path.parent)
    if root is None:
        return None
    kept = root / FOLDER / f"{path.relative_to(root).as_posix()}.npz"
    return kept if kept.is_file() else None


@lru_cache(maxsize=256)
def records_above(folder: Path) -> Path | None:
    """The prepared folder that this one is, or is in."""
    return next((root for root in [folder, *folder.parents][:_DEPTH] if (root / FOLDER).is_dir()), None)
