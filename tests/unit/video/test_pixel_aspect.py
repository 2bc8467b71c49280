"""Pixels that are not square: what a player shows decides keep_aspect; frames and classifiers' views stay as stored."""

from fractions import Fraction

import av
import numpy as np
import pytest
import torch

from slowfast.datasets.clips.presets import Augmentation, DetectionPreset
from slowfast.inference.streams.clip_stream import ClipStream
from slowfast.inference.written.drawn_video import plain_copy
from slowfast.preparation.movies.one_movie import Wanted, prepare_movie
from slowfast.video.decoding.open_video import pixel_aspect_of
from slowfast.video.decoding.orientation import Orientation
from slowfast.video.decoding.whole_video import WholeVideo
from slowfast.video.live.address import LiveAddress
from slowfast.video.live.connection import connect
from slowfast.video.reader import VideoFiles
from slowfast.video.stored.cache import CachedVideos
from slowfast.video.stream import FileSource

SIZES = {
    Fraction(64, 45): (32, 64),
    Fraction(1): (32, 32),
    Fraction(1, 2): (64, 32),
}  # of 40 x 48 pixels, in steps of 32


def write(path, aspect: Fraction | None):
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=5)
        stream.width, stream.height, stream.pix_fmt = 48, 40, "yuv420p"
        if aspect is not None:
            stream.codec_context.sample_aspect_ratio = aspect
        for _ in range(5):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((40, 48, 3), np.uint8), format="rgb24")))
        container.mux(stream.encode(None))


@pytest.mark.parametrize("aspect", [*SIZES, None])
@pytest.mark.parametrize("extension", ["mp4", "mkv"])
def test_every_door_tells_it(tmp_path, aspect, extension):
    write(tmp_path / f"v.{extension}", aspect)
    files, told = VideoFiles(tmp_path), float(aspect or 1)
    cached = CachedVideos(files, tmp_path / "cache")
    for source in (files, cached, CachedVideos(files, tmp_path / "cache")):
        for read in (source.read("v", np.array([0.2]), center=0), source.read_frames("v", np.array([2]), center=0)):
            assert read.pixel_aspect == pytest.approx(told) and read.frames.shape == (1, 40, 48, 3)
    assert cached.built == 1  # the second one reads it from disk
    preset = DetectionPreset(size=(32, 32), keep_aspect=True)
    boxes = np.array([[0.1, 0.2, 0.5, 0.9]])
    made = preset(read.frames, boxes, np.ones((1, 1)), torch.Generator(), pixel_aspect=read.pixel_aspect)
    assert made.clip.shape[2:] == SIZES[aspect or Fraction(1)]
    torch.testing.assert_close(made.boxes, torch.tensor([[0.3, 0.55, 0.4, 0.7]]))


def test_a_rotated_video_has_its_pixels_turned(shared_dir):
    rotated = VideoFiles(shared_dir / "data/videos/robustness").read("rotate_90", np.array([0.1]), center=0)
    assert rotated.pixel_aspect == 1


def test_a_turn_swaps_width_and_height(tmp_path, monkeypatch):
    write(tmp_path / "v.mp4", Fraction(4, 3))
    turn = Orientation(transposed=True, up_down=True)
    monkeypatch.setattr("slowfast.video.decoding.orientation.orientation_of", lambda frame: turn)
    read = VideoFiles(tmp_path).read("v", np.array([0.2]), center=0)
    assert read.frames.shape == (1, 48, 40, 3) and read.pixel_aspect == pytest.approx(3 / 4)


def test_stretch_and_classifiers_do_not_look_at_it(tmp_path):
    frames = np.random.default_rng(0).integers(0, 255, (2, 40, 48, 3), dtype=np.uint8)
    for augmentation in (None, Augmentation(crop="none", flip=False)):
        preset = DetectionPreset(size=(32, 32), augmentation=augmentation)
        first, second = (
            preset(frames, np.zeros((0, 4)), np.zeros((0, 1)), torch.Generator().manual_seed(0), pixel_aspect=aspect)
            for aspect in (1.0, 2.0)
        )
        assert torch.equal(first.clip, second.clip)
    write(tmp_path / "v.mp4", Fraction(64, 45))
    assert WholeVideo(tmp_path / "v.mp4").read(np.array([0, 3])).shape == (2, 40, 48, 3)


@pytest.mark.parametrize("turns", [0, 1])
@pytest.mark.parametrize("aspect", [Fraction(64, 45), None])
def test_prediction_is_told_of_it(tmp_path, monkeypatch, aspect, turns):
    turn = Orientation(transposed=bool(turns))
    write(tmp_path / "v.mp4", aspect)
    monkeypatch.setattr("slowfast.video.decoding.orientation.orientation_of", lambda frame: turn)
    told = []

    def prepare(picture, pixel_aspect):
        told.append(pixel_aspect)
        return torch.zeros(3, 1, 2, 2), (0.0, 0.0, 1.0, 1.0)

    clips = ClipStream(
        FileSource(tmp_path / "v.mp4"), every=1, offsets=lambda _: np.zeros(1), center=0, prepare=prepare
    )
    assert len(list(clips)) == 1
    expected = float(aspect or 1)
    assert told == pytest.approx([1 / expected if turns else expected])


def test_a_stream_is_told_of_it(tmp_path):
    write(tmp_path / "v.mp4", Fraction(64, 45))
    opened = connect(LiveAddress("url", str(tmp_path / "v.mp4"), "v", "v"))
    arrived = next(iter(opened.frames()))
    assert arrived.picture().shape == (40, 48, 3) and arrived.pixel_aspect() == pytest.approx(64 / 45)
    opened.close()


def test_what_is_made_of_such_a_video_is_shown_like_it(tmp_path):
    """1.2 as stored, 1.71 as shown: a copy says so, too, and JPEG frames have square pixels."""
    write(tmp_path / "v.mp4", Fraction(64, 45))
    assert pixel_aspect_of(tmp_path / "v.mp4") == pytest.approx(64 / 45)
    plain_copy(tmp_path / "v.mp4", tmp_path / "copy.mp4", seconds=1)
    prepare_movie(tmp_path / "v.mp4", "encoded", tmp_path, Wanted(short_side=0))
    for name in ("copy", "encoded"):
        assert pixel_aspect_of(tmp_path / f"{name}.mp4") == pytest.approx(64 / 45)
        assert WholeVideo(tmp_path / f"{name}.mp4").read(np.array([0])).shape == (1, 40, 48, 3)
    record = prepare_movie(tmp_path / "v.mp4", "frames", tmp_path, Wanted("frames", short_side=0, fps=5))
    assert (record.height, record.width) == (40, 68)  # 48 * 64 / 45
    write(tmp_path / "square.mp4", None)
    record = prepare_movie(tmp_path / "square.mp4", "square", tmp_path, Wanted("frames", short_side=0, fps=5))
    assert (record.height, record.width) == (40, 48)
