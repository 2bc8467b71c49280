"""One connection to a live source: opened within a bounded time, then frames as they come until it ends or breaks."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

from slowfast.video.decoding.open_video import OpenVideo, named_errors
from slowfast.video.live.address import LiveAddress
from slowfast.video.pyav import av
from slowfast.video.source import ClipReadError
from slowfast.video.stream import square

ANSWER_SECONDS = 10.0  # for a connection to be there, and for the next data to come
FORWARD_ONLY = (
    "what is piped must be readable forward: MPEG-TS and Matroska are; MP4 only where it is fragmented or has its index at "
    "the start (faststart)"
)
CAMERA_FPS = 30.0  # where a camera does not tell
_OPTIONS = {"analyzeduration": "2000000"}  # two seconds of data tell the codec
# TCP, as a lost packet of UDP breaks all frames up to the next key frame; what the codec was told from is not shown.
_OF_RTSP = {"rtsp_transport": "tcp", "fflags": "nobuffer"}


@dataclass(frozen=True)
class Arrived:
    """A frame as it comes.

    second:  as the sender counts, None where it does not
    picture: gives (H, W, 3) uint8 RGB, upright, in any thread
    size:    bytes that it holds; lost: it rests on data that did not come
    pixel_aspect: as in TimedFrame
    """

    second: float | None
    picture: Callable[[], np.ndarray]
    size: int
    lost: bool = False
    pixel_aspect: Callable[[], float] = square


class Connection(Protocol):
    """recorded: it has an end that is known, or waits for its reader: nothing of it need be dropped"""

    recorded: bool
    frame_seconds: float

    def frames(self) -> Iterator[Arrived]:
        """Until it ends or breaks, which looks the same."""

    def close(self) -> None: ...


def connect(address: LiveAddress, *, answer: float = ANSWER_SECONDS) -> Connection:
    """Raises ClipReadError where nobody answers within some `answer` seconds, or what comes is no video."""
    if address.kind == "webcam":
        return _Camera(address)
    if address.kind == "pipe":
        return _Stream(address, _open_pipe(address), recorded=True)
    return _Stream(address, _open_url(address, answer))


def _open_url(address: LiveAddress, answer: float) -> av.container.InputContainer:
    start = time.monotonic()
    options = _OPTIONS | (_OF_RTSP if address.target.lower().startswith("rtsp") else {})
    try:
        return av.open(address.target, "r", options=options, timeout=(answer, answer))
    except (av.error.FFmpegError, OSError, ValueError) as error:
        if time.monotonic() - start >= answer or isinstance(error, av.error.ExitError):
            reason = f"no answer within {answer:g} s; is the address right, and does it send now?"
        else:
            # Never the whole text of it, which may hold the URL with its password.
            reason = getattr(error, "strerror", None) or type(error).__name__
        raise ClipReadError(address.name, None, f"the connection failed: {reason}") from None


class _Pipe:
    """Standard input as PyAV reads it: bytes forward only. By number, as a buffered one would be locked at the end."""

    def __init__(self, number: int) -> None:
        self._number = number

    def read(self, count: int) -> bytes:
        return os.read(self._number, count)


def _open_pipe(address: LiveAddress) -> av.container.InputContainer:
    if sys.stdin is None or sys.stdin.isatty():
        raise ClipReadError(
            address.name, None, '"-" reads a video that another program writes to it, and this is a terminal'
        )
    try:
        return av.open(_Pipe(sys.stdin.fileno()), "r")
    except (av.error.FFmpegError, OSError) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise ClipReadError(
            address.name,
            None,
            f"{reason}; {FORWARD_ONLY}",
        ) from None


class _Stream:
    """What PyAV reads: a URL, or a pipe."""

    def __init__(self, address: LiveAddress, container: av.container.InputContainer, *, recorded: bool = False) -> None:
        self._name, self._container = address.name, container
        try:
            with named_errors(address.name, None):
                # One thread: those that decode frames side by side give each one only some frames later.
                threads = 0 if recorded else 1
                self._video = OpenVideo(address.name, threads=threads, remember=False, container=container)
        except ClipReadError:
            container.close()
            raise
        told = self._video.length_told
        self.recorded = recorded or (address.target.lower().startswith("http") and told is not None and told > 0)
        self.frame_seconds = self._video.frame_seconds

    def frames(self) -> Iterator[Arrived]:
        # Whoever comes in the middle waits for a key frame.
        for second, frame in self._video.frames(from_key_frame=not self.recorded):
            lost = self._video.in_doubt
            if not lost:
                self._video.forget_damage()
            size = frame.width * frame.height * 3 // 2
            at = None if frame.pts is None else second
            yield Arrived(at, partial(self._picture, frame), size, lost, lambda: self._video.pixel_aspect)

    def _picture(self, frame: av.VideoFrame) -> np.ndarray:
        with named_errors(self._name, None):
            return self._video.rgb(frame)

    def close(self) -> None:
        self._container.close()


class _Camera:
    """A camera of this machine, by OpenCV, which knows those of every system by a number."""

    recorded = False

    def __init__(self, address: LiveAddress) -> None:
        number = int(address.target)
        if sys.platform.startswith("linux") and not Path(f"/dev/video{number}").exists():
            there = sorted(path.name.removeprefix("video") for path in Path("/dev").glob("video*"))
            known = f"there are {', '.join(f'webcam:{n}' for n in there)}" if there else "this machine shows none"
            raise ClipReadError(address.name, None, f"there is no such camera (/dev/video{number}); {known}")
        self._camera = cv2.VideoCapture(number)
        if not self._camera.isOpened():
            self._camera.release()
            raise ClipReadError(
                address.name, None, "the camera could not be opened; does another program use it, or may you not?"
            )
        self._camera.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        fps = self._camera.get(cv2.CAP_PROP_FPS)
        self.frame_seconds = 1 / (fps if 1 <= fps <= 1000 else CAMERA_FPS)

    def frames(self) -> Iterator[Arrived]:
        while True:
            there, bgr = self._camera.read()
            if not there:
                return
            yield Arrived(None, partial(_as_rgb, bgr), bgr.nbytes)

    def close(self) -> None:
        self._camera.release()


def _as_rgb(bgr: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(bgr[..., ::-1])
