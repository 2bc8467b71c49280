"""Streamed clips show the frames that a reader of the same times would, and hold no more than they need."""

import os
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import torch

from slowfast.inference.streams.clip_stream import ClipStream, SkippedMoment, StreamedClip
from slowfast.video.reader import read_times
from slowfast.video.source import ClipReadError
from slowfast.video.stream import FileSource, TimedFrame
from tests.unit.video.video_maker import write_video

WHOLE = (0.0, 0.0, 1.0, 1.0)
# 8 frames, 0.2 s apart, around the key frame; and a clip of one frame.
SPREAD = np.arange(-4, 4) * 0.2
OFFSETS = {"spread": (SPREAD, 4), "one": (np.zeros(1), 0), "long": (np.arange(-16, 16) * 0.13, 16)}


def as_tensor(picture: np.ndarray, pixel_aspect: float) -> tuple[torch.Tensor, tuple[float, float, float, float]]:
    return torch.from_numpy(picture.copy()).permute(2, 0, 1)[:, None], WHOLE


def stream(source, *, every=0.5, offsets=SPREAD, center=4) -> ClipStream:
    source = FileSource(source) if isinstance(source, Path) else source
    return ClipStream(source, every=every, offsets=lambda _: offsets, center=center, prepare=as_tensor)


def check_against_reader(path: Path, *, every: float, offsets: np.ndarray, center: int) -> list:
    """Every key frame that the reader reads, and no other, gives a clip of the same pixels."""
    made = list(stream(path, every=every, offsets=offsets, center=center))
    for i, clip in enumerate(made):
        assert clip.time == i * every
        if isinstance(clip, SkippedMoment):
            with pytest.raises(ClipReadError) as refused:
                read_times(path, clip.time + offsets, center=center)
            assert refused.value.reason == clip.reason
            continue
        expected = read_times(path, clip.time + offsets, center=center)
        np.testing.assert_array_equal(clip.clip.permute(1, 2, 3, 0).numpy(), expected.frames)
        assert (clip.repeated, clip.frame_size) == (expected.clamped, expected.frames.shape[1:3])
    with pytest.raises(ClipReadError):
        read_times(path, len(made) * every + offsets, center=center)
    return made


PTS = [0, 1, 2, 3, 5, 9, 10, 11, 20, 22, 24, 25, 26, 27, 40, 41, 42, 43, 44, 50]  # varying rate
VIDEOS = {
    "constant": {},
    "b_frames": {"b_frames": 3, "gop": 30},
    "30000/1001": {"fps": Fraction(30000, 1001), "frames": 75},
    "one a second": {"fps": 1, "frames": 4},
    "varying": {"frames": len(PTS), "pts": PTS, "time_base": Fraction(1, 20)},
    "starts late": {"frames": 30, "pts": list(range(40, 70)), "time_base": Fraction(1, 20)},
}


@pytest.mark.parametrize("name", VIDEOS)
@pytest.mark.parametrize("which", OFFSETS)
def test_clips_are_those_of_the_reader(tmp_path, name, which):
    offsets, center = OFFSETS[which]
    path = write_video(tmp_path / "v.mkv", **VIDEOS[name])
    for every in (0.5, 0.31):
        made = check_against_reader(path, every=every, offsets=offsets, center=center)
        assert sum(isinstance(clip, StreamedClip) for clip in made) >= 2


@pytest.mark.long
@pytest.mark.parametrize(
    "name",
    [
        "people/mmaction2_test.avi",  # packed B-frames: timestamps run backwards
        "robustness/torchcodec_var_fps_video.mp4",
        "robustness/pyscenedetect_delayed_start.mp4",
        "robustness/decord_video_90.mov",  # rotated
        "robustness/decord_unordered.mov",
    ],
)
def test_shared_videos_stream_as_they_are_read(shared_dir, name):
    check_against_reader(shared_dir / "data/videos" / name, every=2.5, offsets=SPREAD, center=4)


def test_a_broken_tail_is_skipped_and_said(shared_dir):
    made = list(stream(shared_dir / "data/videos/robustness/decord_corrupted.mp4"))
    good = [clip.time for clip in made if isinstance(clip, StreamedClip)]
    bad = [clip for clip in made if isinstance(clip, SkippedMoment)]
    assert good[:3] == [0.0, 0.5, 1.0] and max(good) < 2.5 and bad
    assert all("the data is damaged between second 2." in skipped.reason for skipped in bad)


class Drawn:
    """A source of `frames` numbered pictures that are made when asked for, at `fps`; counts those it made."""

    name, damaged = "drawn", ()

    def __init__(self, frames: int, fps: float, *, start: float = 0.0) -> None:
        self.count, self.frame_seconds, self.last_duration, self.start = frames, 1 / fps, 1 / fps, start
        self.made: list[int] = []

    def frames(self):
        for number in range(self.count):
            yield TimedFrame(self.start + number * self.frame_seconds, lambda number=number: self._picture(number))

    def _picture(self, number: int) -> np.ndarray:
        self.made.append(number)
        return np.full((2, 2, 3), number % 256, np.uint8)


def numbers(clip: StreamedClip) -> list[int]:
    return clip.clip[0, :, 0, 0].tolist()


def test_ends_repeat_and_each_frame_is_made_once():
    """By hand: 10 frames a second, frames -0.8 to +0.6 s of each key frame."""
    source = Drawn(20, 10)
    made = list(stream(source))
    assert [numbers(clip) for clip in made] == [
        [0, 0, 0, 0, 0, 2, 4, 6],
        [0, 0, 1, 3, 5, 7, 9, 11],
        [2, 4, 6, 8, 10, 12, 14, 16],
        [7, 9, 11, 13, 15, 17, 19, 19],
    ]
    assert [clip.repeated for clip in made] == [4, 2, 0, 1]
    assert len(source.made) == len(set(source.made)) < 20  # and most are never converted


def test_a_late_start_is_no_clip_but_the_rest_goes_on():
    made = list(stream(Drawn(20, 10, start=0.7)))
    assert [type(clip) for clip in made[:2]] == [SkippedMoment, SkippedMoment]
    assert made[0].reason == "the first frame is shown at second 0.700"
    assert [clip.time for clip in made[2:]] == [1.0, 1.5, 2.0, 2.5] and numbers(made[2])[:5] == [0, 0, 0, 1, 3]


def test_what_is_kept_does_not_grow_with_the_video():
    """The frames of a clip, and those that come until the next one is made; not more for a longer video."""
    most = []
    for seconds in (20, 400):
        clips = stream(Drawn(10 * seconds, 10), every=1.0)
        assert sum(1 for _ in clips) == seconds and clips.frames_read == 10 * seconds
        most.append(clips.most_kept)
    assert most[0] == most[1] <= 20
    # Key frames far apart: what no clip shows is not kept.
    sparse = stream(Drawn(4000, 10), every=100.0)
    assert sum(1 for _ in sparse) == 4 and sparse.most_kept <= 20


def still_video(path: Path, *, frames: int, fps: int) -> Path:
    """One small picture over and over, which is encoded in no time."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=fps)
        stream.width, stream.height = 64, 48
        picture = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 90, np.uint8), format="rgb24").reformat(
            format="yuv420p"
        )
        for number in range(frames):
            picture.pts = number
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    return path


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.slow  # twelve thousand frames; the test above guards the same by counting
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="the kernel tells no resident memory here")
def test_memory_stays_flat_over_twenty_minutes(tmp_path):
    path = still_video(tmp_path / "long.mp4", frames=12_000, fps=10)
    clips, seen = stream(path, every=1.0, offsets=np.array([-0.4, 0.0]), center=1), []
    for clip in clips:
        if clip.time in (300.0, 1199.0):
            seen.append(resident_bytes())
    assert clips.frames_read == 12_000 and clips.most_kept <= 20
    assert seen[1] - seen[0] < 4 * 1024 * 1024, f"{(seen[1] - seen[0]) / 15} bytes a minute"


@pytest.mark.parametrize("every", [0, -1, float("nan"), float("inf")])
def test_key_frames_are_some_time_apart(every):
    with pytest.raises(
        ValueError, match=r"--every is the seconds from one key frame to the next and must be above 0, got"
    ):
        stream(Drawn(3, 10), every=every)


def test_what_is_no_video_is_named(tmp_path):
    (tmp_path / "text.mp4").write_text("this is no video")
    with pytest.raises(ClipReadError, match=r"cannot read .*text\.mp4: it is no video of a format that FFmpeg knows"):
        list(stream(tmp_path / "text.mp4"))
    with pytest.raises(ClipReadError, match=r"cannot read .*v\.mp4: "):
        empty = write_video(tmp_path / "v.mp4", frames=3)
        empty.write_bytes(empty.read_bytes()[:400])
        list(stream(empty))
