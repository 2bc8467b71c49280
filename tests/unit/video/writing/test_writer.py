"""The video writer: frames come back at their times, odd sizes grow, a failure leaves nothing behind."""

import av
import numpy as np
import pytest

from slowfast.video.writing.writer import write_video


def _decode(path) -> tuple[np.ndarray, list[float], av.VideoStream]:
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        frames = list(container.decode(stream))
        return np.stack([f.to_ndarray(format="rgb24") for f in frames]), [float(f.time) for f in frames], stream


def _shades(count: int, height: int = 32, width: int = 48) -> np.ndarray:
    return np.stack([np.full((height, width, 3), 20 + 10 * i, np.uint8) for i in range(count)])


@pytest.mark.parametrize("fps", [12, 25, 30000 / 1001])
def test_frames_come_back_in_order_at_their_times(tmp_path, fps):
    path = tmp_path / "deep" / "clip.mp4"
    assert write_video(_shades(15), path, fps) == 15
    frames, times, stream = _decode(path)
    assert (stream.codec_context.name, stream.pix_fmt) == ("h264", "yuv420p")
    assert frames.mean(axis=(1, 2, 3)) == pytest.approx([20 + 10 * i for i in range(15)], abs=3)
    assert times == pytest.approx([i / fps for i in range(15)], abs=1e-3)


def test_colours_are_rgb(tmp_path):
    red = np.zeros((4, 32, 48, 3), np.uint8)
    red[..., 0] = 200
    write_video(red, tmp_path / "red.mp4", 10)
    assert _decode(tmp_path / "red.mp4")[0].mean(axis=(0, 1, 2)) == pytest.approx([200, 0, 0], abs=6)


def test_odd_sizes_grow_by_a_repeated_edge(tmp_path):
    frame = np.zeros((33, 47, 3), np.uint8)
    frame[-1] = 255
    write_video([frame, frame], tmp_path / "odd.mp4", 10, crf=0)
    frames = _decode(tmp_path / "odd.mp4")[0]
    assert frames.shape == (2, 34, 48, 3)
    assert frames[0, -2:].min() > 245
    assert frames[0, :-2].max() < 10


def test_the_same_frames_make_the_same_bytes(tmp_path):
    for name in ("a.mp4", "b.mp4"):
        write_video(_shades(5), tmp_path / name, 10)
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()


@pytest.mark.parametrize(
    ("frames", "fps", "message"),
    [
        ([], 10, "clip.mp4: a video needs at least one frame, got none"),
        (_shades(2), 0, r"clip.mp4: fps must be > 0, got 0"),
        (_shades(2) / 255, 10, r"clip.mp4: frame 0 must be a uint8 array \(H, W, 3\), got float64 \(32, 48, 3\)"),
        (_shades(2)[..., 0], 10, r"frame 0 must be .* got uint8 \(32, 48\)"),
        (["picture"], 10, r"frame 0 must be .* got str"),
        (
            [_shades(1)[0], _shades(1, 16, 16)[0]],
            10,
            r"frame 1 has shape \(16, 16, 3\), the first frame has \(32, 48, 3\)",
        ),
    ],
)
def test_wrong_input_is_named_and_leaves_no_file(tmp_path, frames, fps, message):
    with pytest.raises(ValueError, match=message):
        write_video(frames, tmp_path / "clip.mp4", fps)
    assert list(tmp_path.iterdir()) == []


def test_a_failure_keeps_the_file_that_was_there(tmp_path):
    path = tmp_path / "clip.mp4"
    write_video(_shades(3), path, 10)
    before = path.read_bytes()

    def interrupted():
        yield from _shades(2)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_video(interrupted(), path, 10)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
