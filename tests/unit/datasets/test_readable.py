"""Whether a split has any video to read, asked of as few of them as that takes."""

import numpy as np
import pytest

from slowfast.datasets.readable import check_readable
from slowfast.datasets.split import VideoSplit
from slowfast.structures.annotations.labelled_videos import LabelledVideos
from slowfast.video.source import ClipReadError, VideoLength


class Lengths:
    """Videos "0", "1", ... of so many frames; 0: it cannot be read. `opened` is shared by copies."""

    def __init__(self, lengths: list[int]) -> None:
        self.lengths, self.opened = lengths, []

    def length(self, video: str) -> VideoLength:
        self.opened.append(int(video))
        if not self.lengths[int(video)]:
            raise ClipReadError(video, None, "no such file")
        return VideoLength(np.arange(self.lengths[int(video)]) / 25, 25.0)


def split_of(lengths: list[int], sampling: str = "time") -> VideoSplit:
    names = tuple(map(str, range(len(lengths))))
    videos = LabelledVideos(names, np.zeros(len(names), dtype=np.int64), ("a", "b"))
    return VideoSplit(videos, Lengths(lengths), sampling)


def test_the_first_that_can_be_read_is_enough():
    split = split_of([0, 1, 40, 40, 0])
    check_readable(split, "train")
    assert split.pixels.opened == [0, 1, 2]


def test_one_of_very_many_is_found():
    lengths = [0] * 250
    lengths[101] = 2
    split = split_of(lengths)
    check_readable(split, "train")
    assert len(set(split.pixels.opened)) == len(split.pixels.opened) > 100
    assert split.pixels.opened[:3] == [0, 2, 5] and split.pixels.opened[99] == 249  # evenly spread at first


def test_none_can_be_read():
    split = split_of([0] * 250)
    message = (
        r"val: none of the 250 videos can be read; the first: cannot read 0: no such file \(DATA.PATH_TO_DATA_DIR, "
    )
    with pytest.raises(ValueError, match=message):
        check_readable(split, "val")
    assert sorted(split.pixels.opened) == list(range(250))


def test_stills_are_no_videos_and_images_are_stills():
    split = split_of([1] * 250)
    with pytest.raises(
        ValueError, match=r"test: the 100 videos that were opened have 1 frame each, and a clip needs 2"
    ):
        check_readable(split, "test")
    with pytest.raises(ValueError, match=r"test: the 2 videos that were opened have 1 frame each"):
        check_readable(split_of([1, 0, 1]), "test")
    check_readable(split_of([0, 1, 1], "image"), "test")
