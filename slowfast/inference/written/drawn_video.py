"""The annotated video: who does what, drawn on every frame, with the sound of the original."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from slowfast.inference.tracking.spans import BetweenKeyFrames
from slowfast.inference.written.results import ClassificationResult, DetectionResult
from slowfast.utils.progress import progress
from slowfast.video.decoding.open_video import pixel_aspect_of
from slowfast.video.source import MAX_TOLERANCE_SECONDS, ROUNDING_SECONDS
from slowfast.video.stream import FileSource
from slowfast.video.writing.timed_writer import write_timed_video
from slowfast.visualization.draw import draw_detections

DRAWN_ACTIONS = 3  # of a person, at most
Draw = Callable[[float, np.ndarray], np.ndarray]


def draw_video(result: DetectionResult | ClassificationResult, path: str | Path) -> int:
    """Read the video of a result once more and write it with what was predicted; returns the number of frames.

    Boxes are solid on the frame of a key frame and dashed between, where they are interpolated. Frames keep their times.
    The sound is copied where MP4 holds its codec. Raises as `write_timed_video`, ClipReadError, and ValueError where
    the video itself would be overwritten.
    """
    source = Path(result.source)
    refuse_to_overwrite(source, path)
    video = FileSource(source)
    draw = _people(result) if isinstance(result, DetectionResult) else _classes(result)
    frames = _drawn(video, draw, result.seconds)
    return write_timed_video(frames, path, sound_of=source, pixel_aspect=pixel_aspect_of(source))


def plain_copy(source: str | Path, path: str | Path, *, seconds: float) -> int:
    """The same video as H.264 in MP4, for players that do not know its format; raises as `draw_video`."""
    refuse_to_overwrite(source, path)
    frames = _drawn(FileSource(source), lambda time, picture: picture, seconds)
    return write_timed_video(frames, path, sound_of=source, pixel_aspect=pixel_aspect_of(source))


def refuse_to_overwrite(source: str | Path, path: str | Path) -> None:
    """Raises ValueError where `path` is the video itself."""
    if Path(path).exists() and Path(source).exists() and Path(path).samefile(source):
        raise ValueError(f"{path} is the video itself, which would be overwritten; write to another folder (--out)")


def _drawn(video: FileSource, draw: Draw, seconds: float) -> Iterator[tuple[float, np.ndarray]]:
    with progress(what="writing the video", total=round(seconds), unit="s of video") as bar:
        for frame in video.frames():
            yield frame.time, draw(frame.time, frame.picture())
            bar.update(max(0, int(frame.time) - bar.n))


def _people(result: DetectionResult) -> Draw:
    # The frame shown at a key frame's time may start up to half a frame away from it.
    half = min(result.frame_seconds / 2, MAX_TOLERANCE_SECONDS) + ROUNDING_SECONDS
    people = BetweenKeyFrames(result.moments, every=result.every, tolerance=half)

    def draw(time: float, picture: np.ndarray) -> np.ndarray:
        shown = people.at(time)
        boxes = np.array([one.box for one in shown]).reshape(-1, 4)
        drawn: np.ndarray = draw_detections(
            picture[None],
            boxes,
            [[(told.name, told.score) for told in one.person.actions[:DRAWN_ACTIONS]] for one in shown],
            dashed=[one.interpolated for one in shown],
            numbers=[one.person.track for one in shown],
        )[0]
        return drawn

    return draw


def _classes(result: ClassificationResult) -> Draw:
    """The classes of a stretch, in its upper left corner."""

    def draw(time: float, picture: np.ndarray) -> np.ndarray:
        clip = next((clip for clip in reversed(result.clips) if clip.start <= time), result.clips[0])
        labels = [[(told.name, told.score) for told in clip.classes[:DRAWN_ACTIONS]]]
        drawn: np.ndarray = draw_detections(picture[None], np.zeros((1, 4)), labels)[0]
        return drawn

    return draw
