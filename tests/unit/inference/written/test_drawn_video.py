"""The drawn video: boxes on every frame, solid on key frames, dashed between."""

import numpy as np
import pytest

from slowfast.inference.written.drawn_video import draw_video, plain_copy
from tests.unit.inference.results_by_hand import classification, detections
from tests.unit.video.video_maker import decode_plainly, write_video

SCALE = 8  # a frame of 48 pixels is enlarged until text can be read


def edge(frame: np.ndarray, x: float, *, top=0.3, bottom=0.7) -> np.ndarray:
    """Brightness along the left edge of a box at `x`, the mean of the pixels around it."""
    height, width = frame.shape[:2]
    column = round(x * width)
    return frame[round(top * height) : round(bottom * height), column - 1 : column + 2].max(axis=(1, 2)).astype(int)


def test_boxes_move_and_are_marked_as_interpolated(tmp_path):
    source = write_video(tmp_path / "a.mp4", fps=10, frames=20)
    assert draw_video(detections(source, track=True), tmp_path / "drawn.mp4") == 20
    pictures, times, _, _ = decode_plainly(tmp_path / "drawn.mp4")
    np.testing.assert_allclose(times, np.arange(20) / 10, atol=1e-4)
    assert pictures[0].shape == (48 * SCALE, 64 * SCALE, 3)
    # On the key frame the edge is bright all along; on the way it has dark gaps, and has moved: 0.125 to 0.25 in 0.5 s.
    assert edge(pictures[0], 0.125).min() > 120
    moved = edge(pictures[2], 0.125 + 0.125 * 0.4)
    assert moved.max() > 150 and moved.min() < 110
    assert edge(pictures[5], 0.25).min() > 120


def test_classes_are_written_on_the_video(tmp_path):
    source = write_video(tmp_path / "b.mp4", fps=10, frames=15)
    assert draw_video(classification(source), tmp_path / "drawn.mp4") == 15
    plain_copy(source, tmp_path / "plain.mp4", seconds=1.5)
    plain, drawn = (decode_plainly(tmp_path / f"{name}.mp4")[0] for name in ("plain", "drawn"))
    corner = drawn[3][: 18 * 2, :60].astype(int)
    assert plain[3].shape == (48, 64, 3) and np.abs(corner - plain[3][0, 0]).max() > 60


def test_the_video_itself_is_not_overwritten(tmp_path):
    source = write_video(tmp_path / "a.mp4", frames=5)
    before = source.read_bytes()
    with pytest.raises(ValueError, match="is the video itself"):
        draw_video(detections(source), source)
    assert source.read_bytes() == before
