"""What names a live source, and that what is printed of it holds no password."""

import pytest

from slowfast.video.live.address import live_address


@pytest.mark.parametrize(
    ("text", "kind", "name", "stem"),
    [
        ("-", "pipe", "standard input", "stdin"),
        ("webcam", "webcam", "webcam:0", "webcam_0"),
        ("webcam:02", "webcam", "webcam:2", "webcam_2"),
        (
            "rtsp://ann:s3cret@camera.lan:554/live/1?token=abc",
            "url",
            "rtsp://camera.lan:554/live/1",
            "camera.lan_554_live_1",
        ),
        ("HTTP://[::1]:80/../../a b.ts", "url", "http://[::1]:80/../../a b.ts", "1_80_._._a_b.ts"),
        ("udp://@:1234", "url", "udp://:1234", "1234"),
    ],
)
def test_what_is_live(text, kind, name, stem):
    found = live_address(text)
    assert found is not None and (found.kind, found.name) == (kind, name)
    assert "/" not in found.stem and not found.stem.startswith(".")
    if kind != "url" or "[" not in text:
        assert found.stem == stem
    assert "s3cret" not in found.name + found.stem and "abc" not in found.name + found.stem


@pytest.mark.parametrize("text", ["video.mp4", "clips/**/*.mp4", "webcams/a.mp4", "C:/a.mp4", ""])
def test_files_are_none(text):
    assert live_address(text) is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("webcam:front", "webcam:N takes the number of a camera, from 0, got 'front'"),
        ("s3://bucket/a.mp4", "s3:// is no kind of stream that is read; there are rtsp, rtsps, "),
        ("file:///etc/passwd", "file:// is no kind of stream"),
        ("rtsp://host:port/a", "rtsp://...: this is no URL"),
    ],
)
def test_what_cannot_be(text, message):
    with pytest.raises(ValueError) as refused:
        live_address(text)
    assert message in str(refused.value)
