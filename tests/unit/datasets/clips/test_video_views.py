"""Views of a video: which clip and crop each is, that the pixels are those, and the batches they come in."""

import av
import numpy as np
import pytest
import torch

from slowfast.config import load_cfg
from slowfast.datasets.augment.view_crops import ViewCrops
from slowfast.datasets.build import build_clip_sampling, build_view_crops, build_view_loader
from slowfast.datasets.clips.video_sampling import ClipSampling
from slowfast.datasets.clips.video_views import Chunks, VideoViews
from slowfast.datasets.split import VideoSplit
from slowfast.structures.annotations.labelled_videos import LabelledVideos
from slowfast.structures.clip import ClipBatch, ViewMeta
from slowfast.structures.targets import Labels
from slowfast.video.decoding.open_video import OpenVideo
from slowfast.video.pictures.frames import FrameFolders
from slowfast.video.reader import VideoFiles, read_all
from slowfast.video.source import ClipReadError, VideoLength


def labelled(*names: str) -> LabelledVideos:
    return LabelledVideos(names, np.arange(len(names)) + 5, tuple(map(str, range(9))))


def views_of(folder, *names: str, num_clips=2, num_crops=1, rate=2, order="forward", strict=False, **sampling):
    return VideoViews(
        labelled(*names),
        VideoFiles(folder),
        sampling=ClipSampling(4, rate, 10.0, **{"use_offset": True, **sampling}),
        crops=ViewCrops(16, num_crops, 16, "area"),
        num_clips=num_clips,
        order=order,
        strict=strict,
    )


def shown(view) -> list[int]:
    """The numbers of the frames of a view of the ramp."""
    return (view.float().mean(dim=(0, 2, 3)) / 10).round().int().tolist()


def repeated(batch: ClipBatch) -> int:
    return sum(meta.repeated_frames for meta in batch.meta)


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


def test_views_show_the_frames_of_their_clips(video):
    sample = views_of(video, "ramp", num_clips=3, num_crops=3)[0]
    assert [meta.key for meta in sample.meta] == [("ramp", view) for view in range(9)] and repeated(sample) == 0
    assert sample.clips.shape == (9, 3, 4, 16, 16) and sample.clips.dtype == torch.uint8
    assert sample.clips.is_contiguous()
    assert sample.targets.values.tolist() == [5] * 9
    # A clip is 8 frames: 0, 2.33, 4.67, 7 of them, from 0, 6 and 12 on.
    expected = [[0, 2, 4, 7], [6, 8, 10, 13], [12, 14, 16, 19]]
    assert [shown(sample.clips[view]) for view in range(9)] == [expected[view // 3] for view in range(9)]


def test_crop_is_the_view_modulo_crops(tmp_path):
    """A column ramp: the left, middle and right 16 of 32 columns."""
    import cv2

    (tmp_path / "v").mkdir()
    columns = np.broadcast_to((np.arange(32, dtype=np.uint8) * 4)[None, :, None], (16, 32, 3))
    for i in range(1, 9):
        cv2.imwrite(str(tmp_path / "v" / f"v_{i:06d}.png"), columns)
    views = VideoViews(
        labelled("v"),
        FrameFolders(tmp_path, fps=10, pattern="{video}_{frame:06d}.png"),
        sampling=ClipSampling(2, 1, 10.0, kind="frames"),
        crops=ViewCrops(16, 3, 16, "bilinear"),
        num_clips=2,
    )
    sample = views[0]
    assert (sample.clips[:, 0, 0, 0, 0] // 4).tolist() == [0, 8, 16] * 2


def test_one_clip_is_in_the_middle_or_at_the_start(video):
    assert shown(views_of(video, "ramp", num_clips=1)[0].clips[0]) == [6, 8, 10, 13]
    assert shown(views_of(video, "ramp", num_clips=1, use_offset=False)[0].clips[0]) == [0, 2, 4, 7]
    assert shown(views_of(video, "ramp", num_clips=1, kind="segments")[0].clips[0]) == [2, 7, 12, 16]
    mmaction2 = views_of(video, "ramp", num_clips=2, rule="mmaction2")[0]
    assert [shown(clip) for clip in mmaction2.clips] == [[0, 2, 4, 6], [13, 15, 17, 19]]


def test_controls_play_backwards_or_stand_still(video):
    forward, backwards, still = (
        views_of(video, "ramp", num_crops=3, order=order)[0].clips for order in ("forward", "reversed", "frozen")
    )
    assert torch.equal(backwards, forward.flip(2))
    assert torch.equal(still, forward[:, :, 2:3].expand_as(forward))
    with pytest.raises(ValueError, match=r"clip order 'sideways' is unknown; .* \(TEST\.FRAME_ORDER\)"):
        views_of(video, "ramp", order="sideways")


def test_a_short_video_repeats_its_last_frame_and_counts(video):
    sample = views_of(video, "ramp", rate=8, num_clips=1)[0]  # 32 frames: 0, 10.3, 20.7, 31
    assert shown(sample.clips[0]) == [0, 10, 19, 19] and repeated(sample) == 2
    assert repeated(views_of(video, "ramp", rate=8, num_clips=1, num_crops=3)[0]) == 2  # crops show the same
    wrapped = views_of(video, "ramp", rate=8, num_clips=1, rule="mmaction2")[0]
    assert shown(wrapped.clips[0]) == [0, 8, 16, 4] and repeated(wrapped) == 1


def test_a_video_is_decoded_once_and_only_what_is_shown_is_kept(video, monkeypatch):
    opened, converted = [], []
    frames, rgb = OpenVideo.frames, OpenVideo.rgb
    monkeypatch.setattr(OpenVideo, "frames", lambda self, **k: opened.append(1) or frames(self, **k))
    monkeypatch.setattr(OpenVideo, "rgb", lambda self, frame, **k: converted.append(k) or rgb(self, frame, **k))
    views_of(video, "ramp", num_clips=4, num_crops=3)[0]
    distinct = {
        position
        for clip in ClipSampling(4, 2, 10.0, use_offset=True).test(steady(20), 4)[0].tolist()
        for position in clip
    }
    assert len(opened) == 1 and converted == [{"short_side": 16}] * len(distinct)
    assert len(read_all(video / "ramp.mkv")[0]) == 20 > len(distinct)


def steady(frames: int) -> VideoLength:
    return VideoLength(np.arange(frames) / 10, 10.0)


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
    assert broken.clips.shape == (1, 3, 4, 16, 16)
    with pytest.raises(ClipReadError, match=r"broken\.mkv"):
        views_of(video, "broken", strict=True)[0]


# --------------------------------------------------------------------------------------------- from the configuration


IMAGE = ["DATA.NUM_FRAMES", "1", "MVIT.PATCH_STRIDE", "[1, 4, 4]"]


def config(*changes):
    return load_cfg("configs/Kinetics/MVITv2_S_16x4.yaml", ["NUM_GPUS", "0", *changes])


def split_of(folder, sampling="time", pixels=None) -> VideoSplit:
    return VideoSplit(labelled("ramp"), pixels or VideoFiles(folder), sampling)


@pytest.mark.parametrize(
    ("sampling", "rule", "crops", "expected"),
    [
        ("time", "pyslowfast", 1, (224, 1, 256, "area", False)),
        ("time", "pyslowfast", 3, (224, 3, 224, "area", False)),
        ("time", "mmaction2", 1, (224, 1, 224, "bilinear", True)),
        ("segments", "pyslowfast", 3, (224, 3, 224, "bilinear", False)),
        ("segments", "pyslowfast", 1, (224, 1, 224, "bilinear", False)),
        ("segments", "mmaction2", 3, (224, 3, 224, "bilinear", True)),
        ("image", "pyslowfast", 1, (224, 1, 256, "bicubic", False)),
        ("image", "mmaction2", 1, (224, 1, 256, "bicubic", False)),
    ],
)
def test_the_crops_of_each_kind_of_set(tmp_path, sampling, rule, crops, expected):
    cfg = config("TEST.VIEW_SAMPLING", rule, *(IMAGE if sampling == "image" else []))
    clips = build_clip_sampling(cfg, split_of(tmp_path, sampling))
    assert (clips.kind, clips.rule, clips.sampling_rate, clips.target_fps) == (sampling, rule, 4, 30.0)
    assert build_view_crops(cfg, clips, crops) == ViewCrops(*expected)


def test_keys_that_change_views(tmp_path):
    split = split_of(tmp_path, "image")
    squash = config("DATA.IN_VAL_CROP_RATIO", "0", *IMAGE)
    assert build_view_crops(squash, build_clip_sampling(squash, split), 1).squash
    assert build_clip_sampling(config("DATA.USE_OFFSET_SAMPLING", "True"), split_of(tmp_path)).use_offset
    assert not build_clip_sampling(config("DATA.USE_OFFSET_SAMPLING", "False"), split_of(tmp_path)).use_offset
    folders = split_of(tmp_path, pixels=FrameFolders(tmp_path, fps=24))
    assert build_clip_sampling(config(), folders).kind == "frames"
    with pytest.raises(ValueError, match=r"square, and DATA.TEST_CROP_SIZE is \[224, 256\]"):
        cfg = config("DATA.TEST_CROP_SIZE", "[224, 256]")
        build_view_crops(cfg, build_clip_sampling(cfg, split_of(tmp_path)), 1)


def test_validation_is_one_view_in_the_middle(video):
    changes = ["DATA.USE_OFFSET_SAMPLING", "False", "DATA.NUM_FRAMES", "4", "DATA.SAMPLING_RATE", "2"]
    small = ["DATA.TARGET_FPS", "10", "DATA.TEST_CROP_SIZE", "16", "DATA.TRAIN_JITTER_SCALES", "[16, 20]"]
    cfg = config(*changes, *small, "DATA_LOADER.NUM_WORKERS", "0", "TEST.BATCH_SIZE", "4")
    one = build_view_loader(cfg, split_of(video), rank=0, world_size=1, num_clips=1, num_crops=1, in_the_middle=True)
    (batch,) = one
    assert shown(batch.clips[0]) == [6, 8, 10, 13] and len(one) == 1
    many = build_view_loader(cfg, split_of(video), rank=0, world_size=1, num_clips=3, num_crops=3)
    assert [len(batch) for batch in many] == [3, 3, 3] and len(many) == 3
    assert list(build_view_loader(cfg, split_of(video), rank=1, world_size=2, num_clips=3, num_crops=3)) == []
    with pytest.raises(ValueError, match=r"one clip, got 2; set TEST\.NUM_ENSEMBLE_VIEWS 1"):
        build_view_loader(cfg, split_of(video, "segments"), rank=0, world_size=1, num_clips=2, num_crops=1)
