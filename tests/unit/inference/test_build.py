"""How a configuration shows videos to its model, without one."""

import numpy as np
import pytest
import torch

from slowfast.config import load_cfg
from slowfast.datasets.build import build_test_preset
from slowfast.datasets.registry import Reading, reading_of
from slowfast.inference.build import build_prepare, build_video_sampling, clip_offset_seconds
from slowfast.inference.classifier import stretches
from slowfast.utils.seed import generator_for
from slowfast.video.decoding.open_video import shrink
from slowfast.video.source import VideoLength

TOY = "configs/Toy/BMViT_toy.yaml"


def config(repo_root, *overrides):
    return load_cfg(repo_root / TOY, list(overrides))


def test_offsets_count_seconds_or_frames_of_the_video(repo_root):
    """8 frames, 2 of 12 a second apart; sets annotated frame by frame count the frames of the video, here 25 a second."""
    ava = clip_offset_seconds(config(repo_root), 1 / 25)
    np.testing.assert_allclose(ava, np.arange(-8, 8, 2) / 12)
    frames = clip_offset_seconds(config(repo_root, "TEST.DATASET", "jhmdb", "TRAIN.DATASET", "jhmdb"), 1 / 25)
    np.testing.assert_allclose(frames, np.arange(-8, 8, 2) / 25)


def test_sets_that_are_read_in_another_way_say_so():
    assert reading_of("ssv2") == Reading("segments", bgr=True) and reading_of("charades") == Reading("frames", bgr=True)
    assert reading_of("ucf24").counts_frames and reading_of("ava") == reading_of("one of a user's own") == Reading()


@pytest.mark.parametrize("aspect", [1.0, 64 / 45])
@pytest.mark.parametrize("resize", ["stretch", "keep_aspect"])
def test_frames_alone_become_what_the_clip_becomes(repo_root, resize, aspect):
    cfg = config(repo_root, "DATA.RESIZE", resize)
    frames = np.random.default_rng(0).integers(0, 256, (5, 90, 141, 3), dtype=np.uint8)
    prepare = build_prepare(cfg)
    nobody, nothing = np.zeros((0, 4)), np.zeros((0, 7))
    whole = build_test_preset(cfg)(frames, nobody, nothing, generator_for(0), pixel_aspect=aspect)
    alone = [prepare(frame, aspect) for frame in frames]
    assert torch.equal(torch.cat([pixels for pixels, _ in alone], dim=1), whole.clip)
    assert {region for _, region in alone} == {whole.region}


def test_frames_are_shrunk_as_the_cache_of_the_test_keeps_them(repo_root):
    picture = np.random.default_rng(0).integers(0, 256, (200, 300, 3), dtype=np.uint8)
    cached = build_prepare(config(repo_root, "DATA.CACHE_SHORT_SIDE", "100"))
    plain = build_prepare(config(repo_root, "DATA.CACHE_SHORT_SIDE", "100", "DATA.CACHE_DIR", ""))
    assert torch.equal(cached(picture, 1.0)[0], plain(shrink(picture, 100), 1.0)[0])
    assert not torch.equal(cached(picture, 1.0)[0], plain(picture, 1.0)[0])


def test_a_model_of_images_reads_no_videos(repo_root):
    cfg = config(repo_root)
    cfg.defrost()
    cfg.TEST.DATASET = "imagenet"
    with pytest.raises(ValueError, match=r"classifies single images \(TEST\.DATASET imagenet\)"):
        build_video_sampling(cfg)


def bounds(seconds: float, every: float | None, fps: float = 10) -> list[tuple[int, int, float, float]]:
    length = VideoLength(np.arange(round(seconds * fps)) / fps, fps)
    return [(s.first, s.stop, s.start, pytest.approx(s.end)) for s in stretches(length, every)]


def test_stretches_by_hand():
    assert bounds(4, None) == [(0, 40, 0.0, 4.0)]
    assert bounds(4, 10) == [(0, 40, 0.0, 4.0)]
    assert bounds(4, 2) == [(0, 20, 0.0, 2.0), (20, 40, 2.0, 4.0)]
    # What is left and shorter than half belongs to the one before; from half on it is one of its own.
    assert bounds(4.9, 2) == [(0, 20, 0.0, 2.0), (20, 49, 2.0, 4.9)]
    assert bounds(5, 2) == [(0, 20, 0.0, 2.0), (20, 40, 2.0, 4.0), (40, 50, 4.0, 5.0)]
    # Shorter than a frame: no stretch without one.
    assert bounds(0.3, 0.05) == [(0, 1, 0.0, 0.05), (1, 2, pytest.approx(0.1), 0.15), (2, 3, pytest.approx(0.2), 0.25)]
