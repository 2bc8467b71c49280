"""Playing drawn videos in a window, where OpenCV has one."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import cv2

from slowfast.video.stream import FileSource

KEYS_TO_STOP = (27, ord("q"))


def check_display(*, drawn: bool) -> None:
    """Raises ValueError where --show cannot work, and says what is missing. drawn: there will be a drawn video"""
    if not drawn:
        raise ValueError("--show plays the drawn video, and --no-video leaves none; give one of the two")
    if not _has_windows():
        raise ValueError(
            "--show needs an OpenCV with windows, and the installed one has none (opencv-python-headless): install "
            "opencv-python in its place, or leave --show out and open the .html page"
        )
    if sys.platform.startswith("linux") and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        raise ValueError("--show needs a display, and DISPLAY is not set; leave it out and open the .html page")


def _has_windows() -> bool:
    line = next((line for line in cv2.getBuildInformation().splitlines() if line.strip().startswith("GUI:")), "")
    return bool(line) and "NONE" not in line.upper()


def show_videos(videos: Sequence[Path]) -> None:
    """One after the other, at their own speed; Esc or q ends. Raises ClipReadError."""
    for path in (video for video in videos if video.is_file()):
        source = FileSource(path)
        for frame in source.frames():
            cv2.imshow(path.name, frame.picture()[..., ::-1])
            if cv2.waitKey(max(1, round(1000 * source.last_duration))) & 0xFF in KEYS_TO_STOP:
                break
        cv2.destroyWindow(path.name)
