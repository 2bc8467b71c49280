"""What the beginning of a file tells, and how limits are said."""

from fractions import Fraction

import pytest

from slowfast.inference.serve.limits import Limits, ending_of
from tests.unit.video.video_maker import write_video


@pytest.mark.parametrize("ending", [".mp4", ".mov", ".mkv", ".avi", ".ts", ".flv", ".mpg", ".wmv"])
def test_kinds_are_told_from_real_files(tmp_path, ending):
    codec = {".mpg": "mpeg2video", ".wmv": "wmv2"}.get(ending, "libx264")
    path = write_video(tmp_path / f"v{ending}", frames=3, codec=codec, b_frames=0, time_base=Fraction(1, 25))
    assert ending_of(path.read_bytes()[:512]) == ending


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n",
        b"ffconcat version 1.0\nfile /etc/passwd\n",
        b"<html>",
        b"\x89PNG\r\n\x1a\n",
        b"RIFF\x00\x00\x00\x00WAVE",
        b"G" + b"if89a" * 100,
        b"PK\x03\x04",
    ],
)
def test_what_is_no_video_is_not_opened(head):
    assert ending_of(head) is None


def test_webm_is_told_from_matroska(tmp_path):
    path = write_video(tmp_path / "v.webm", frames=3, codec="libvpx", b_frames=0)
    assert ending_of(path.read_bytes()) == ".webm"


def test_limits_are_said_with_the_option_that_moves_them():
    limits = Limits(most_bytes=2_000_000, most_seconds=90)
    assert limits.too_large(3_100_000) == (
        "the video has 3.1 MB, which is larger than the 2 MB that this page takes (--most-mb)"
    )
    assert limits.too_long(120) == (
        "the video lasts 2.0 minutes, which is longer than the 1.5 minutes that this page takes (--most-minutes)"
    )
    with pytest.raises(ValueError, match="--most-mb and --most-minutes must be above 0, got 0 and 10"):
        Limits(most_bytes=0)
