"""Real connections, on this machine only: a stream by HTTP, a pipe, and what is not there."""

import os
import socket
import threading
import time

import cv2
import numpy as np
import pytest

from slowfast.video.live import connection
from slowfast.video.live.source import LiveSource
from slowfast.video.source import ClipReadError
from slowfast.video.writing.writer import write_video as whole_video
from tests.unit.video.live.live_server import live_server
from tests.unit.video.live.rtsp_server import rtsp_server
from tests.unit.video.video_maker import number_in, write_video


def shown(live: LiveSource) -> list[tuple[float, int]]:
    return [(frame.time, number_in(frame.picture())) for frame in live.frames()]


@pytest.fixture(scope="module")
def stream(tmp_path_factory) -> bytes:
    """Two seconds of MPEG-TS, a key frame every 12 frames."""
    return write_video(tmp_path_factory.mktemp("ts") / "a.ts", frames=50, gop=12).read_bytes()


def test_a_stream_by_http_breaks_in_the_middle_and_comes_back(stream):
    said: list[str] = []
    half = stream[: len(stream) // 376 * 188]
    with live_server([half, stream], seconds=0.3) as url:
        live = LiveSource(url, back_off=(0.05, 0.05), say=said.append)
        frames = shown(live)
    got = [number for _, number in frames]
    start = got.index(0, 1)
    assert got[:start] == list(range(start)) and 15 <= start <= 35 and got[start:] == list(range(50))
    times = np.array([second for second, _ in frames])
    np.testing.assert_allclose(np.diff(times[:start]), 0.04, atol=1e-4)
    np.testing.assert_allclose(np.diff(times[start:]), 0.04, atol=1e-4)
    assert live.damaged == ((times[start - 1], times[start]),)
    assert live.counts.reconnected == 1 and "connected again" in said[1] and "Server Error" in live.broke


def test_a_file_behind_http_is_read_to_its_end(tmp_path):
    """It tells its length, so it is not live: nothing is dropped, however slow the reader."""
    film = write_video(tmp_path / "a.mkv", frames=40).read_bytes()
    with live_server([film], kind="video/x-matroska") as url:
        live = LiveSource(url, keep=0.2)
        got = []
        for frame in live.frames():
            time.sleep(0.005)
            got.append(number_in(frame.picture()))
    assert got == list(range(40)) and live.recorded and live.counts.dropped == 0


@pytest.mark.parametrize("scheme", ["http", "rtsp", "rtmp"])
def test_nobody_answers(scheme):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"{scheme}://user:s3cret@127.0.0.1:{silent.getsockname()[1]}/a"
        start = time.monotonic()
        with pytest.raises(ClipReadError, match=r"no answer within 0\.3 s; is the address right") as refused:
            list(LiveSource(url, answer=0.3).frames())
        assert time.monotonic() - start < 3 and "s3cret" not in str(refused.value)


def test_nobody_is_there_or_it_is_no_video(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(
        ClipReadError, match=rf"cannot read rtsp://127\.0\.0\.1:{port}/a: the connection failed: Connec"
    ):
        list(LiveSource(f"rtsp://127.0.0.1:{port}/a").frames())
    with (
        live_server([b"<html>no video</html>" * 100]) as url,
        pytest.raises(ClipReadError, match="the connection failed: "),
    ):
        list(LiveSource(url, answer=2.0).frames())


def test_a_camera_that_is_not_there(monkeypatch):
    monkeypatch.setattr(connection.sys, "platform", "linux")
    with pytest.raises(ClipReadError, match=r"cannot read webcam:97: there is no such camera \(/dev/video97\); th"):
        list(LiveSource("webcam:97").frames())

    class Busy:
        def __init__(self, number: int) -> None:
            assert number == 97

        def isOpened(self) -> bool:  # noqa: N802
            return False

        def release(self) -> None:
            """Nothing to release."""

    monkeypatch.setattr(connection.sys, "platform", "darwin")
    monkeypatch.setattr(cv2, "VideoCapture", Busy)
    with pytest.raises(ClipReadError, match="the camera could not be opened; does another program use it"):
        list(LiveSource("webcam:97").frames())


def test_frames_of_a_camera_come_in_rgb_at_the_times_they_arrive(monkeypatch):
    class Camera:
        def __init__(self, number: int) -> None:
            self.left = 3

        def isOpened(self) -> bool:  # noqa: N802
            return True

        def get(self, what: int) -> float:
            return 0.0

        def set(self, what: int, value: float) -> bool:
            return True

        def read(self) -> tuple[bool, np.ndarray | None]:
            self.left -= 1
            picture = np.zeros((4, 6, 3), np.uint8)
            picture[..., 0] = 200  # blue comes first in OpenCV
            return (True, picture) if self.left >= 0 else (False, None)

        def release(self) -> None:
            """Nothing to release."""

    monkeypatch.setattr(connection.sys, "platform", "darwin")
    monkeypatch.setattr(cv2, "VideoCapture", Camera)
    live = LiveSource("webcam", back_off=())
    frames = list(live.frames())
    assert len(frames) == 3 and live.frame_seconds == pytest.approx(1 / 30) and not live.recorded
    assert frames[0].picture()[0, 0].tolist() == [0, 0, 200]
    assert "did not come back in 0 tries" in live.broke


@pytest.fixture
def piped(monkeypatch):
    """Standard input that is given these bytes by another thread."""

    def give(content: bytes) -> None:
        read, write = os.pipe()

        def feed() -> None:
            with os.fdopen(write, "wb") as end:
                try:
                    end.write(content)
                except BrokenPipeError:
                    return

        threading.Thread(target=feed, daemon=True).start()
        monkeypatch.setattr(connection.sys, "stdin", os.fdopen(read, "rb"))

    return give


def test_standard_input_is_read_whole(piped, stream):
    piped(stream)
    live = LiveSource("-", keep=0.2)
    assert [number for _, number in shown(live)] == list(range(50)) and live.recorded
    assert live.name == "standard input" and live.counts.dropped == 0


def test_what_cannot_be_read_forward_says_what_can(piped, tmp_path, monkeypatch):
    noise = np.random.default_rng(0).integers(0, 255, (8, 240, 320, 3), dtype=np.uint8)  # more than is read at once
    assert whole_video(noise, tmp_path / "a.mp4", fps=25, crf=10) == 8
    piped((tmp_path / "a.mp4").read_bytes())
    with pytest.raises(ClipReadError, match=r"MPEG-TS and Matroska are; MP4 only where it is fragmented"):
        list(LiveSource("-").frames())

    class Terminal:
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(connection.sys, "stdin", Terminal())
    with pytest.raises(
        ClipReadError, match=r'"-" reads a video that another program writes to it, and this is a termi'
    ):
        list(LiveSource("-").frames())


def test_a_camera_that_speaks_rtsp(stream):
    with rtsp_server(stream, seconds=1.0) as (url, asked):
        live = LiveSource(url, back_off=(), answer=3.0)
        got = [number for _, number in shown(live)]
    assert [line.split()[0] for line in asked[:4]] == ["OPTIONS", "DESCRIBE", "SETUP", "PLAY"]
    assert got == list(range(got[0], got[-1] + 1)) and len(got) >= 20 and got[-1] >= 48 and live.counts.lost == 0
    assert "did not come back in 0 tries" in live.broke and not live.recorded
