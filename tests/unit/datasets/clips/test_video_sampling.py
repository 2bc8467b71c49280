"""Which frames clips show: the numbers of PySlowFast and mmaction2, and what neither tells."""

import json
import random
import re
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from slowfast.datasets.clips.video_sampling import ClipSampling, ClipSpan, is_steady, read_clips, train_positions
from slowfast.video.source import VideoLength

GOLDEN = Path(__file__).parents[3] / "golden/classification"
PYSLOWFAST = json.loads((GOLDEN / "temporal.json").read_text())
MMACTION2 = json.loads((GOLDEN / "mmaction2_temporal.json").read_text())


def steady(frames: int, fps: float | Fraction = 30, ticks: int | None = None) -> VideoLength:
    """A video of a constant rate; `ticks`: timestamps are whole numbers of 1 / ticks seconds, the nearest."""
    exact = [Fraction(i) / Fraction(fps) for i in range(frames)]
    if ticks is None:
        return VideoLength(np.array([float(time) for time in exact]), float(fps))
    return VideoLength(np.array([round(time * ticks) / ticks for time in exact]), float(fps), 1 / ticks)


class Fixed:
    """Draws that are given."""

    def __init__(self, *numbers: float) -> None:
        self.numbers = list(numbers)

    def uniform(self, a: float, b: float) -> float:
        assert a <= self.numbers[0] <= b
        return self.numbers.pop(0)

    def randint(self, a: int, b: int) -> int:
        return int(self.uniform(a, b))


@pytest.mark.parametrize("ticks", [None, 90000], ids=["exact", "mpeg"])
def test_pyslowfast_test_clips(ticks):
    """All of them: 108 tests of whole videos, made by decoding."""
    assert len(PYSLOWFAST["kinetics_test"]) == 108
    for key, expected in PYSLOWFAST["kinetics_test"].items():
        fps, frames, size, rate, clips, target, offset = re.fullmatch(
            r"fps=(\S+) frames=(\d+) clip=(\d+)x(\d+) clips=(\d+) target_fps=(\d+) use_offset=(\w+)", key
        ).groups()
        sampling = ClipSampling(int(size), int(rate), float(target), use_offset=offset == "True")
        found, repeated = sampling.test(steady(int(frames), Fraction(fps), ticks), int(clips))
        assert found.tolist() == expected, key
        span = int(size) * int(rate) / int(target) * float(Fraction(fps))
        past = (np.linspace(0, span - 1, int(size)) >= int(frames)).sum() if span > int(frames) else 0
        assert repeated.tolist() == [past] * int(clips), key


def test_matroska_rounds_timestamps_to_milliseconds():
    """Frame 122 of 30 fps is at 4067 ms, and a clip that ends there ends at 4066 ms: its last frame is left out."""
    sampling = ClipSampling(16, 4, 30.0, use_offset=True)
    exact, rounded = sampling.test(steady(300), 5)[0], sampling.test(steady(300, ticks=1000), 5)[0]
    assert (exact[1, -1], rounded[1, -1]) == (122, 121)
    assert exact[:, 0].tolist() == rounded[:, 0].tolist() == [0, 59, 118, 177, 236]
    assert exact[:, :-1].tolist() == rounded[:, :-1].tolist()


def test_pyslowfast_starts_of_test_clips():
    for key, expected in PYSLOWFAST["get_start_end_idx"].items():
        frames, size, clips, offset = re.fullmatch(r"video=(\d+) clip=(\S+) clips=(\d+) offset=(\w+)", key).groups()
        span = ClipSpan(float(size), float(frames), False)
        starts = span.starts(int(clips), use_offset=offset == "True")
        np.testing.assert_allclose([(s, s + span.size - 1) for s in starts], np.array(expected)[:, :2], atol=1e-12)


def test_pyslowfast_training_clips():
    """The reference's start for each of Python's seeds, and the frames from there to its end."""
    length = steady(300)
    for seed, expected in PYSLOWFAST["kinetics_train_start_end video=300 clip=64 random.seed"].items():
        draws, again = random.Random(int(seed)), random.Random(int(seed))
        for start, end in expected:
            assert draws.uniform(0, ClipSpan.of(length, 16, 4, 30.0).room) == pytest.approx(start, abs=1e-9)
            found = train_positions(length, num_frames=16, sampling_rate=4, target_fps=30.0, draws=again)
            inside = [i for i in range(300) if start <= i <= end]  # the frames that the reference decodes
            kept = [inside[min(int(k), len(inside) - 1)] for k in np.linspace(0, 63, 16)]
            assert found.tolist() == kept


def test_distances_are_rounded_down():
    """A clip of 64 frames takes 0, 4, ... 16, 21, not frames 4 apart."""
    for key, expected in PYSLOWFAST["temporal_sampling_linspace_long"].items():
        last, count = re.fullmatch(r"0-(\S+)x(\d+)", key).groups()
        frames = 50 if int(count) == 16 and float(last) == 63 else 300  # of the decoded clip
        raw, inside = ClipSpan(float(Fraction(last)) + 1, 300.0, False).positions(steady(frames), 0.0, int(count))
        assert inside.tolist() == expected and (raw >= frames).sum() == (4 if frames == 50 else 0)


def test_pyslowfast_segments():
    for key, expected in PYSLOWFAST["ssv2"].items():
        count, frames = map(int, re.search(r"T=(\d+) L=(\d+)", key).groups())
        sampling = ClipSampling(count, 1, 30.0, kind="segments")
        if key.startswith("test"):
            found, repeated = sampling.test(steady(frames), 1)
            assert found.tolist() == [expected] and repeated.tolist() == [0], key
        else:
            seed = int(re.search(r"seed\((\d+)\)", key).group(1))
            found, beyond = sampling.train(steady(frames), random.Random(seed))
            assert found.tolist() == expected and beyond == 0, key


def test_mmaction2():
    tested = 0
    for key, expected in MMACTION2.items():
        if match := re.fullmatch(r"SampleFrames test (\d+)x(\d+)x(\d+) frames=(\d+)", key):
            size, rate, clips, frames = map(int, match.groups())
            sampling = ClipSampling(size, rate, 30.0, rule="mmaction2")
            found, repeated = sampling.test(steady(frames, 25), clips)  # the rate of the video does not matter
            assert found.tolist() == expected, key
            assert repeated[0] == max(0, size - -(-frames // rate)), key
        elif match := re.fullmatch(r"UniformSample test T=(\d+) L=(\d+)", key):
            count, frames = map(int, match.groups())
            sampling = ClipSampling(count, 1, 30.0, kind="segments", rule="mmaction2")
            assert sampling.test(steady(frames), 1)[0].tolist() == [expected], key
        else:  # training is PySlowFast's
            assert key.startswith("SampleFrames train")
            continue
        tested += 1
    assert tested == len(MMACTION2) - 6


def test_a_short_video_of_a_low_rate_starts_between_its_frames():
    """60 frames at 25 fps: not above 16 * 4, so all of it is decoded; a clip is 53.3 of them, and 6.7 are free."""
    found, _ = ClipSampling(16, 4, 30.0, use_offset=False).test(steady(60, 25), 2)
    start, size = (60 - 160 / 3) / 2, 160 / 3
    assert found[1].tolist() == [int(start + k * (size - 1) / 15) for k in range(16)]
    assert found[1].tolist() != [4 + int(k * (size - 1) / 15) for k in range(16)]  # 4 is the first frame from 3.3 on


def test_a_clip_starts_at_the_first_frame_from_its_start_on_and_ends_by_its_end():
    length = steady(100, 30)
    found, repeated = ClipSampling(4, 4, 30.0).train(length, Fixed(10.5))
    assert found.tolist() == [11, 16, 21, 25] and repeated == 0  # 15 frames, 11 to 25: the 16th is past the end
    slower, _ = ClipSampling(4, 4, 30.0).train(length, Fixed(10.0), target_fps=60.0)
    assert slower.tolist() == [10, 12, 14, 17]  # 16 frames of 60 fps are 8 of these


def test_variable_rate_shows_what_is_on_screen():
    """10 fps for 2 s, then 40 fps for 1 s: 60 frames in 3 s, 20 fps as a whole."""
    times = np.concatenate([np.arange(20) / 10, 2 + np.arange(40) / 40])
    length = VideoLength(times, 59 / times[-1])
    assert not is_steady(length) and is_steady(steady(300, 30000 / 1001, 1000))
    found, repeated = ClipSampling(8, 1, 4.0).train(length, Fixed(0.0))  # 2 s in all
    seconds = np.linspace(0, 2 * length.fps - 1, 8) / length.fps
    assert times[found].tolist() == [max(t for t in times if t <= s) for s in seconds] and repeated == 0
    _, beyond = ClipSampling(8, 2, 4.0).train(length, Fixed(0.0))  # 4 s, of which one is past the end
    assert beyond == 2


def test_a_coarse_clock_does_not_show_the_next_frame():
    """An AVI of 30 fps whose every fourth frame is dropped counts in thirtieths of a second."""
    number = np.array([i for i in range(40) if i % 4 != 3])
    length = VideoLength(number / 30, 29 / (number[-1] / 30), 1 / 30)
    found, _ = ClipSampling(16, 1, 30.0).train(length, Fixed(0.0))
    seconds = np.linspace(0, 16 / 30 * length.fps - 1, 16) / length.fps
    assert [int(number[i]) for i in found] == [max(n for n in number if n / 30 <= s + 6e-4) for s in seconds]


def test_frames_of_folders():
    """Charades: a rate apart; a clip longer than its video reaches out at a random side and repeats the ends."""
    sampling = ClipSampling(4, 2, 24.0, kind="frames")
    assert sampling.train(steady(21), Fixed(14))[0].tolist() == [14, 16, 18, 20]
    found, repeated = sampling.train(steady(3), Fixed(-4))
    assert found.tolist() == [0, 0, 0, 2] and repeated == 2
    assert sampling.test(steady(21), 3)[0].tolist() == [[0, 2, 4, 6], [7, 9, 11, 13], [14, 16, 18, 20]]
    assert sampling.test(steady(21), 1)[0].tolist() == [[7, 9, 11, 13]]
    found, repeated = sampling.test(steady(4), 2)
    assert found.tolist() == [[0, 2, 3, 3]] * 2 and repeated.tolist() == [2, 2]


def test_images_and_videos_of_one_frame():
    one = VideoLength(np.zeros(1), 30.0)
    image = ClipSampling(1, 4, 30.0, kind="image")
    assert image.train(one, Fixed())[0].tolist() == [0] and image.test(one, 1)[0].tolist() == [[0]]
    for kind in ("time", "segments", "frames"):
        for rule in ("pyslowfast", "mmaction2"):
            sampling = ClipSampling(4, 2, 30.0, kind=kind, rule=rule)
            assert sampling.test(one, 1)[0].tolist() == [[0] * 4]
            assert sampling.train(one, random.Random(0))[0].tolist() == [0] * 4


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"num_frames": 2, "kind": "image"}, "an image is one frame, and a clip has 2; set DATA.NUM_FRAMES 1"),
        ({"kind": "speed"}, "clips are sampled by time, segments, image, frames, got 'speed'"),
        ({"rule": "mine"}, "must be one of pyslowfast, mmaction2, got 'mine' (TEST.VIEW_SAMPLING)"),
        ({"sampling_rate": 0}, "got 4 (DATA.NUM_FRAMES), 0 (DATA.SAMPLING_RATE), 30.0 (DATA.TARGET_FPS)"),
    ],
)
def test_what_is_refused(change, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        ClipSampling(**{"num_frames": 4, "sampling_rate": 2, "target_fps": 30.0, **change})


def test_segments_are_one_clip():
    with pytest.raises(
        ValueError, match=r"a clip of the whole video is one clip, got 5; set TEST\.NUM_ENSEMBLE_VIEWS 1"
    ):
        ClipSampling(4, 2, 30.0, kind="segments").test(steady(9), 5)


def test_frames_are_read_once():
    class Numbered:
        def read_positions(self, video, positions, *, short_side=None):
            self.asked = positions.tolist(), short_side
            return np.broadcast_to(positions[:, None, None, None], (len(positions), 2, 2, 3))

    source = Numbered()
    positions = np.array([[7, 3, 3], [3, 9, 7]])
    frames, place = read_clips(source, "v", positions, short_side=5)
    assert source.asked == ([3, 7, 9], 5) and (frames[place][..., 0, 0, 0] == positions).all()
