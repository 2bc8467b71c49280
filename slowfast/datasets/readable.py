"""Before a run: is there any video to read? A wrong folder is not a set of broken videos."""

from copy import copy

import numpy as np

from slowfast.datasets.split import VideoSplit
from slowfast.video.source import ClipReadError

_STILLS = 100  # videos of one frame, as many as are opened before the whole set is taken for images
_KEYS = "DATA.PATH_TO_DATA_DIR, DATA.PATH_PREFIX"


def check_readable(split: VideoSplit, name: str) -> None:
    """Open videos, evenly spread over the split, until one of two frames or more is found (images: one that opens).

    name: of the split, for the message
    Raises ValueError where no video can be opened, or those that can have one frame each. Single ones are for the run to
    name and count.
    """
    pixels, videos = copy(split.pixels), split.videos.names  # what the copy keeps of the last video is dropped with it
    failure, stills = "", 0
    for index in _spread(len(videos)):
        try:
            frames = len(pixels.length(videos[index]))
        except ClipReadError as error:
            failure = failure or str(error)
            continue
        if frames > 1 or split.sampling == "image":
            return
        stills += 1
        if stills == _STILLS:
            break
    if stills:
        raise ValueError(
            f"{name}: the {stills} videos that were opened have 1 frame each, and a clip needs 2 or more: are they images? "
            f"TRAIN.DATASET and TEST.DATASET imagenet read images ({_KEYS})"
        )
    raise ValueError(f"{name}: none of the {len(videos)} videos can be read; the first: {failure} ({_KEYS})")


def _spread(count: int) -> list[int]:
    """0 to count - 1, the first 100 evenly spread."""
    first = dict.fromkeys(np.linspace(0, count - 1, min(count, _STILLS)).astype(int).tolist())
    return [*first, *(index for index in range(count) if index not in first)]
