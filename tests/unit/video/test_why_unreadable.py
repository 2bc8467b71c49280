"""The likeliest reason, from errors that the readers really give."""

import cv2
import numpy as np
import pytest

from slowfast.video.pictures.frames import FrameFolders
from slowfast.video.pictures.images import ImageFiles
from slowfast.video.reader import VideoFiles
from slowfast.video.source import ClipReadError
from slowfast.video.why_unreadable import CAUSES, likeliest_cause
from tests.unit.video.video_maker import picture, write_video


def error_of(read) -> str:
    with pytest.raises(ClipReadError) as error:
        read()
    return str(error.value)


@pytest.fixture
def broken(tmp_path):
    """What is asked of data with a fault, by a few words of the cause that should be told."""
    whole = write_video(tmp_path / "v.mp4").read_bytes()
    inside = bytearray(whole)
    start = inside.index(b"mdat") + 4
    inside[start : start + 1500] = np.random.default_rng(0).bytes(1500)
    (tmp_path / "inside.mp4").write_bytes(inside)
    (tmp_path / "empty.mp4").write_bytes(b"")
    (tmp_path / "cut.mp4").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "f").mkdir()
    for number in (1, 2):
        cv2.imwrite(str(tmp_path / "f" / f"f_{number:06d}.jpg"), picture(number))
    (tmp_path / "f" / "f_000002.jpg").write_bytes(b"not a picture")
    (tmp_path / "f" / "f_000004.jpg").write_bytes(b"")
    videos, frames, at = VideoFiles(tmp_path), FrameFolders(tmp_path, fps=1), np.array([1.0])
    return {
        "not where they are looked for": [
            lambda: videos.read("gone", at, center=0),
            lambda: FrameFolders(tmp_path / "gone", fps=1).read_frames("f", np.array([1]), center=0),
            lambda: ImageFiles(tmp_path / "gone").length("a.jpg"),
        ],
        "clock is off": [
            lambda: videos.read("v", np.array([900.0]), center=0),
            lambda: videos.read("v", np.array([-5.0]), center=0),
            lambda: videos.read_frames("v", np.array([99]), center=0),
            lambda: frames.read_frames("f", np.array([99]), center=0),
        ],
        "not copied whole": [
            lambda: videos.read("empty", at, center=0),
            lambda: videos.read("cut", at, center=0),
            lambda: frames.read_frames("f", np.array([2]), center=0),
        ],
        "damaged inside": [lambda: videos.read("inside", at, center=0)],
        "named or numbered": [
            lambda: frames.read_frames("f", np.array([3, 4]), center=0),
            lambda: FrameFolders(tmp_path, fps=1, pattern="x{frame}.png").read_frames("f", np.array([1]), center=0),
        ],
    }


def test_each_fault_has_its_cause(broken):
    for words, readers in broken.items():
        for read in readers:
            told = likeliest_cause([error_of(read)])
            assert told.startswith("likeliest reason (1 of 1): ") and words in told, (words, told, error_of(read))


def test_the_most_frequent_cause_is_told():
    reasons = ["a: no such file", "b: the file is empty (0 bytes)", "c: the file is empty (0 bytes)", "d: who knows"]
    assert likeliest_cause(reasons).startswith("likeliest reason (2 of 4): the files are not videos")
    assert likeliest_cause(["who knows"]) == likeliest_cause([]) == ""
    assert len({sign for signs, _ in CAUSES for sign in signs}) == sum(len(signs) for signs, _ in CAUSES)
