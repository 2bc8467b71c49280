"""The records of prepared videos (video/stored/manifest.py) against the videos that a split reads: one place for every data set."""

from collections.abc import Sequence
from pathlib import Path

from slowfast.datasets.clips.key_frame_clips import FrameClock, SecondClock
from slowfast.video.stored.cache import CachedVideos
from slowfast.video.stored.manifest import FOLDER, check_manifest, check_starts, check_whole


def folder_of(pixels: object) -> Path | None:
    """Where the files are that frames are read from; None where that cannot be told."""
    files = pixels.source if isinstance(pixels, CachedVideos) else pixels
    root = getattr(files, "root", None)
    return root if isinstance(root, Path) else None


def check_prepared(pixels: object, videos: Sequence[str], clock: SecondClock | FrameClock | None) -> tuple[str, ...]:
    """Notes for the log; none where no video was prepared.

    pixels: of a split; videos: those that it reads; clock: what timestamps mean, None where there are only labels

    Raises ValueError where a file is not the one that was finished, or a video was cut where the annotations do not
    expect it.
    """
    folder = folder_of(pixels)
    if folder is None or not (folder / FOLDER).is_dir():
        return ()
    notes = check_manifest(folder, videos)
    if isinstance(clock, SecondClock):
        check_starts(folder, videos, clock.first_second)
    elif isinstance(clock, FrameClock):
        check_whole(folder, videos)
    return notes
