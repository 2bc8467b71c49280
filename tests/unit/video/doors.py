"""Every way to read a video file, for tests that want the same pictures from all of them."""

import numpy as np

from slowfast.video.decoding import frame_index, notes, open_video
from slowfast.video.decoding.whole_video import WholeVideo
from slowfast.video.reader import VideoFiles, read_all, read_frames, read_times
from slowfast.video.stored.cache import CachedVideos
from slowfast.video.stream import FileSource


def forget():
    """Files are opened as if for the first time."""
    open_video._doubtful.clear()
    frame_index._indices.clear()
    frame_index._joined.clear()
    notes.forget_notes()


def every_door(path, tmp_path):
    """All frames as each reader gives them: by time, whole, by number, cached, by position, as a stream."""
    whole, times = read_all(path)
    positions, numbers = np.arange(len(whole)), np.arange(1, len(whole) + 1)
    cached = CachedVideos(VideoFiles(path.parent), tmp_path / "cache")
    return {
        "whole": whole,
        "by time": read_times(path, times, center=0).frames,
        "one by one": np.stack([read_times(path, times[i : i + 1], center=0).frames[0] for i in positions]),
        "by number": read_frames(path, numbers, center=0).frames,
        "cached": cached.read(path.name, times, center=0).frames,
        "by position": WholeVideo(path).read(positions),
        "stream": np.stack([frame.picture() for frame in FileSource(path).frames()]),
    }


def check_every_door(path, tmp_path, expected):
    for door, frames in every_door(path, tmp_path).items():
        assert frames.shape == np.shape(expected), door
        np.testing.assert_array_equal(frames, expected, err_msg=door)
