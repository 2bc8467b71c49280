"""Whether decoded videos fit on a disk: asked before the first is decoded, and while they are written."""

import errno
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from slowfast.utils.logging import get_logger
from slowfast.video.decoding.open_video import OpenVideo, named_errors
from slowfast.video.source import ClipReadError

_ASKED = 32  # videos whose headers are read; the others are taken to be alike
_LARGE = 50e9  # bytes; more than most machines have memory, so clips come from the disk each time
_KEPT_FREE, _KEPT_SHARE = 1 << 30, 0.01  # bytes of a disk that stay free, or so much of it where that is less
ADVICE = (
    "lower DATA.CACHE_SHORT_SIDE, choose another disk (DATA.CACHE_DIR), or re-encode the videos instead (bmvit "
    "prepare-data) and leave DATA.CACHE_DIR empty"
)


def decoded_bytes(path: Path, short_side: int | None) -> int:
    """Of all frames of a video as RGB, by what its header says; 0 where that says no length. Raises ClipReadError."""
    with named_errors(path, None), OpenVideo(path, threads=1) as video:
        height, width = video.size_told
        shrunk = 1.0 if short_side is None else min(1.0, short_side / max(1, min(height, width)))
        frames = (video.length_told or 0.0) / video.frame_seconds
        return round(frames) * round(height * shrunk) * round(width * shrunk) * 3


def check_room(paths: Sequence[Path], folder: Path, *, short_side: int | None, shares: int = 1) -> None:
    """Log what the decoded videos will take, as those of a sample tell. Raises OSError where the disk has not that much.

    shares: processes that decode as many to the same disk
    """
    some = np.random.default_rng(0).permutation(len(paths))[:_ASKED]
    sizes, files = [], []
    for place in some.tolist():
        try:
            sizes.append(decoded_bytes(paths[place], short_side))
            files.append(paths[place].stat().st_size)
        except (ClipReadError, OSError):
            continue  # decoding it says what is wrong
    if not sum(files):
        return
    needed = shares * sum(path.stat().st_size for path in paths if path.is_file()) * sum(sizes) // sum(files)
    room = _room(folder)
    line = f"{shares * len(paths)} videos decoded to {folder} will take about {_told(needed)}"
    if needed > room:
        message = f"{line}, and {_told(room)} are free for them there: {ADVICE}"
        raise OSError(errno.ENOSPC, message)
    hint = ""
    if needed > _LARGE:
        hint = "; for a set of this size re-encode the videos (bmvit prepare-data) and leave DATA.CACHE_DIR empty"
    get_logger().info("%s (%s free)%s", line, _told(room), hint)


def keep_room(folder: Path) -> None:
    """Raises OSError where the disk is nearly full: whatever else writes to it should go on."""
    if _room(folder) <= 0:
        raise OSError(errno.ENOSPC, f"the disk is nearly full; {ADVICE}")


def _room(folder: Path) -> int:
    """Bytes that may be written."""
    while not folder.exists():
        folder = folder.parent
    usage = shutil.disk_usage(folder)
    return usage.free - min(_KEPT_FREE, int(_KEPT_SHARE * usage.total))


def _told(count: float) -> str:
    """ "2.8 TB"."""
    for unit in ("B", "kB", "MB", "GB"):
        if abs(count) < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} TB"
