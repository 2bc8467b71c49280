"""Views of a video: when its clips are, where its crops are, and that the pixels are those."""

import av
import numpy as np
import pytest
import torch

from slowfast.datasets.clips.video_views import Chunks, VideoViews, ViewShape, square_crops
from slowfast.structures.clip import ClipBatch, ViewMeta
from slowfast.structures.labelled_videos import LabelledVideos
from slowfast.structures.targets import Labels
from slowfast.video.reader import VideoFiles, read_all
from slowfast.video.source import ClipReadError


def shape(**changes) -> ViewShape:
    defaults = {"num_frames": 4, "sampling_rate": 2, "fps": 10.0, "size": 16, "num_clips": 2, "num_crops": 1}
    return ViewShape(**{**defaults, **changes})


def views_of(folder, *names: str, strict: bool = False, **changes) -> VideoViews:
    videos = LabelledVideos(names, np.arange(len(names)) + 5, tuple(map(str, range(9))))
    return VideoViews(videos, VideoFiles(folder), shape=shape(**changes), strict=strict)


def repeated(batch: ClipBatch) -> int:
    return sum(meta.repeated_frames for meta in batch.meta)


def test_clips_reach_from_the_first_moment_to_the_last():
    times = shape(num_clips=3).clip_times(2.0)  # a clip spans 0.8 s
    np.testing.assert_allclose(times[:, 0], [0, 0.6, 1.2])
    np.testing.assert_allclose(times[0], [0, 0.7 / 3, 1.4 / 3, 0.7])  # the first to the last of its 8 frames
    np.testing.assert_allclose(shape(num_clips=1).clip_times(2.0)[:, 0], [0.6])
    np.testing.assert_allclose(shape().clip_times(0.3)[:, 0], [0, 0])  # too short: both begin at the start
    paper = ViewShape(num_frames=16, sampling_rate=4, fps=30.0, size=224, num_clips=5, num_crops=1)
    np.testing.assert_allclose(paper.clip_times(10.0)[1] * 30, (300 - 64) / 4 + np.linspace(0, 63, 16))


def test_a_clip_of_the_whole_video_is_the_middle_of_equal_parts(video):
    whole = shape(num_clips=1, whole_video=True)
    np.testing.assert_allclose(whole.clip_times(2.0), [[0.25, 0.75, 1.25, 1.75]])
    sample = views_of(video, "ramp", num_clips=1, whole_video=True)[0]
    assert (sample.clips[0, 0, :, 0, 0].float() / 10).round().tolist() == [2, 7, 12, 17]
    with pytest.raises(ValueError, match=r"TEST\.NUM_ENSEMBLE_VIEWS is 2; set it to 1"):
        shape(whole_video=True)


@pytest.mark.parametrize(("height", "width"), [(16, 32), (32, 16)])
def test_three_crops_cover_the_long_side(height, width):
    ramp = np.arange(max(height, width), dtype=np.uint8) * 4
    picture = np.broadcast_to(ramp if width > height else ramp[:, None], (height, width))
    crops = square_crops(np.stack([picture] * 3, axis=-1)[None], short_side=16, size=16, count=3)
    assert crops.shape == (3, 1, 3, 16, 16)
    line = crops[:, 0, 0, 0] if width > height else crops[:, 0, 0, :, 0]
    assert [row.tolist() for row in line] == [list(ramp[start : start + 16]) for start in (0, 8, 16)]


def test_one_crop_is_the_centre_of_a_larger_frame():
    frames = np.zeros((1, 32, 64, 3), dtype=np.uint8)
    frames[:, 8:24, 24:40] = 255
    crop = square_crops(frames, short_side=32, size=16, count=1)
    assert crop.shape == (1, 1, 3, 16, 16) and (crop == 255).all()
    assert shape(size=224).short_side() == 256 and shape(size=224, num_crops=3).short_side() == 224


@pytest.fixture
def video(tmp_path):
    """20 frames at 10 fps, frame i of brightness 10 * i, 32 x 16."""
    with av.open(str(tmp_path / "ramp.mkv"), "w") as container:
        stream = container.add_stream("ffv1", rate=10)
        stream.width, stream.height, stream.pix_fmt = 32, 16, "bgr0"
        for i in range(20):
            frame = av.VideoFrame.from_ndarray(np.full((16, 32, 3), 10 * i, dtype=np.uint8), format="rgb24").reformat(
                format="bgr0"
            )
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    (tmp_path / "broken.mkv").write_bytes(b"not a video")
    return tmp_path


def test_views_hold_the_frames_on_screen(video):
    sample = views_of(video, "ramp", num_clips=3, num_crops=3)[0]
    assert [meta.key for meta in sample.meta] == [("ramp", view) for view in range(9)] and repeated(sample) == 0
    assert sample.clips.shape == (9, 3, 4, 16, 16) and sample.clips.dtype == torch.uint8
    assert sample.targets.values.tolist() == [5] * 9
    frames, times = read_all(video / "ramp.mkv")
    expected = [[int(np.abs(times - t).argmin()) for t in clip] for clip in shape(num_clips=3).clip_times(2.0)]
    assert expected == [[0, 2, 5, 7], [6, 8, 11, 13], [12, 14, 17, 19]]
    for view in range(9):  # crop view % 3 of clip view // 3
        assert (sample.clips[view, :, :, 0, 0].float().mean(0) / 10).round().tolist() == expected[view // 3]
    assert frames.shape[0] == 20


def test_a_short_video_repeats_its_last_frame_and_counts(video):
    sample = views_of(video, "ramp", sampling_rate=8, num_clips=1)[0]
    brightness = (sample.clips[0, 0, :, 0, 0].float() / 10).round().tolist()
    assert brightness == [0, 10, 19, 19] and repeated(sample) == 2
    assert repeated(views_of(video, "ramp", sampling_rate=8, num_clips=1, num_crops=3)[0]) == 2  # crops show the same


@pytest.mark.parametrize(("most", "sizes"), [(9, [7]), (7, [7]), (4, [4, 3]), (3, [3, 3, 1]), (1, [1] * 7)])
def test_views_come_in_batches_as_equal_as_can_be(most, sizes):
    views = torch.arange(7, dtype=torch.uint8).view(7, 1, 1, 1, 1).expand(7, 3, 1, 1, 1)
    batch = ClipBatch(views, Labels(torch.arange(7)), tuple(ViewMeta("v", k) for k in range(7)))
    nothing = ClipBatch(views[:1], Labels(torch.zeros(1)), ())
    pieces = list(Chunks([batch, nothing], most=most, per_item=7))
    assert [len(piece) for piece in pieces] == [*sizes, 0] and pieces[-1] is nothing
    assert torch.cat([piece.clips[:, 0, 0, 0, 0] for piece in pieces[:-1]]).tolist() == list(range(7))
    assert torch.cat([piece.targets.values for piece in pieces[:-1]]).tolist() == list(range(7))
    assert [meta.view for piece in pieces for meta in piece.meta] == list(range(7))


def test_what_cannot_be_read_is_named_or_fatal(video):
    broken = views_of(video, "broken")[0]
    assert len(broken) == 0 and "broken.mkv" in broken.unreadable[0].reason
    with pytest.raises(ClipReadError, match=r"broken\.mkv"):
        views_of(video, "broken", strict=True)[0]
