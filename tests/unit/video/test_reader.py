import pickle
from fractions import Fraction

import av
import numpy as np
import pytest

from slowfast.video.decoding.open_video import OpenVideo, shrink
from slowfast.video.reader import VideoFiles, read_all, read_frames, read_times
from slowfast.video.source import ClipReadError
from tests.unit.video.video_maker import HEIGHT, WIDTH, decode_plainly, number_in, write_video


def numbers_of(pixels):
    return [number_in(frame) for frame in pixels.frames]


def expected_index(times, nominal, second):
    """The nearest of the frame that is on and the next one, which must start within half a frame (at most 50 ms)."""
    on = max([i for i, t in enumerate(times) if t <= second + 1e-6], default=None)
    if on is None:
        return 0
    if on + 1 < len(times):
        wait = times[on + 1] - second
        if wait <= min(nominal / 2, 0.05) + 1e-6 and wait <= second - times[on] + 1e-6:
            return on + 1
    return on


def check_against_plain_decode(path, *, seed=0, clips=8):
    pictures, times, nominal, last = decode_plainly(path)
    end = times[-1] + last
    rng = np.random.default_rng(seed)
    for _ in range(clips):
        center = rng.uniform(times[0], times[-1])
        asked = center + np.array([0.0, *rng.uniform(-1.5, 1.5, 5)])
        rng.shuffle(asked[1:])
        found = read_times(path, asked, center=0)
        assert found.clamped == sum(t + min(nominal / 2, 0.05) + 1e-6 < times[0] or t + 0.001 >= end for t in asked)
        for second, frame in zip(asked, found.frames, strict=True):
            np.testing.assert_array_equal(frame, pictures[expected_index(times, nominal, second)])
    some = slice(0, None, 1 if len(pictures) < 60 else 9)  # long videos: a test in seconds, not in a minute
    own = read_times(path, times[some], center=0)
    np.testing.assert_array_equal(own.frames, np.stack(pictures[some]))
    every, every_time = read_all(path)
    assert len(every) == len(pictures)
    np.testing.assert_array_equal(every[some], np.stack(pictures[some]))
    np.testing.assert_allclose(every_time, times, atol=1e-6)
    numbers = rng.integers(-3, len(pictures) + 4, 9)
    numbers[0] = 1 + len(pictures) // 2
    found = read_frames(path, numbers, center=0)
    inside = np.clip(numbers, 1, len(pictures))
    np.testing.assert_array_equal(found.frames, np.stack([pictures[i - 1] for i in inside]))
    assert found.clamped == (inside != numbers).sum()


VARIANTS = {
    "b_frames": {},
    "one_long_group": {"gop": 250, "b_frames": 3},
    "every_frame_a_key": {"gop": 1, "b_frames": 0},
    "29.97": {"fps": Fraction(30000, 1001)},
    "odd_rate": {"fps": Fraction(17, 3)},
    "open_groups": {"options": {"x264-params": "open-gop=1:bframes=3:b-pyramid=normal:scenecut=0"}},
    "starts_late": {"pts": list(range(90, 130))},
    "variable_rate": {
        "time_base": Fraction(1, 1000),
        "pts": np.cumsum(np.tile([40, 5, 120, 33, 400], 8)).tolist(),
        "gop": 6,
    },
}


@pytest.mark.parametrize("name", VARIANTS)
@pytest.mark.parametrize("extension", ["mp4", "mkv"])
def test_reads_equal_a_plain_decode(tmp_path, name, extension):
    check_against_plain_decode(write_video(tmp_path / f"v.{extension}", **VARIANTS[name]))


@pytest.mark.parametrize(
    ("codec", "extension"), [("mpeg4", "avi"), ("mpeg4", "mp4"), ("libx264", "ts"), ("libx265", "mp4")]
)
def test_other_formats_equal_a_plain_decode(tmp_path, codec, extension):
    try:
        path = write_video(tmp_path / f"v.{extension}", codec=codec, b_frames=0 if codec == "mpeg4" else 2)
    except (av.error.FFmpegError, ValueError) as error:
        pytest.skip(f"this build of PyAV cannot write {codec}: {error}")
    check_against_plain_decode(path)


def test_times_by_hand(tmp_path):
    path = write_video(tmp_path / "v.mp4", fps=10)
    # 0.14 is frame 1 (its half frame ends at 0.15), 0.16 is frame 2; order and repeats are kept.
    found = read_times(path, np.array([2.0, 0.14, 0.16, 2.0, -1.0, 99.0]), center=0)
    assert numbers_of(found) == [20, 1, 2, 20, 0, 39]
    assert found.clamped == 2
    assert found.frames.shape == (6, HEIGHT, WIDTH, 3) and found.frames.dtype == np.uint8


def test_frame_numbers_by_hand(tmp_path):
    path = write_video(tmp_path / "v.mp4")
    found = read_frames(path, np.array([-4, 1, 5, 40, 41]), center=1)
    assert numbers_of(found) == [0, 0, 4, 39, 39]
    assert found.clamped == 2


def test_key_frame_beyond_the_ends_is_an_error(tmp_path):
    path = write_video(tmp_path / "v.mp4", fps=10)
    assert numbers_of(read_times(path, np.array([3.94]), center=0)) == [39]
    assert numbers_of(read_times(path, np.array([3.99]), center=0)) == [39]  # its last frame is on until 4.000
    for second in (3.9995, 4.0, 60.0):
        message = rf"v\.mp4 at {round(second, 3):.3f} s: the last frame is shown until second 4.000"
        with pytest.raises(ClipReadError, match=message):
            read_times(path, np.array([1.0, second]), center=1)
    with pytest.raises(ClipReadError, match=r"at -1.000 s: the first frame is shown at second 0.000"):
        read_times(path, np.array([-1.0]), center=0)
    with pytest.raises(ClipReadError, match=r"v\.mp4 at frame 41: the video decodes to frames 1 to 40 only"):
        read_frames(path, np.array([5, 41]), center=1)
    with pytest.raises(ClipReadError, match=r"v\.mp4 at frame 0: frame numbers count from 1"):
        read_frames(path, np.array([5, 0]), center=1)


def test_a_late_clip_does_not_decode_the_whole_video(tmp_path, monkeypatch):
    path = write_video(tmp_path / "v.mp4", frames=250)
    seen = []
    note = OpenVideo._note
    monkeypatch.setattr(OpenVideo, "_note", lambda self, frame: seen.append(1) or note(self, frame))
    assert numbers_of(read_times(path, np.array([8.0, 8.08]), center=0)) == [200, 202]
    assert len(seen) < 30


def test_shrinking(tmp_path):
    frames, times = read_all(write_video(tmp_path / "v.mp4", frames=5), short_side=24)
    assert frames.shape == (5, 24, 32, 3)
    np.testing.assert_allclose(times, np.arange(5) / 25, atol=1e-6)
    assert read_all(tmp_path / "v.mp4", short_side=100)[0].shape == (5, HEIGHT, WIDTH, 3)
    blocks = np.kron(np.arange(24, dtype=np.uint8).reshape(4, 6), np.ones((2, 2), np.uint8))[..., None].repeat(3, 2)
    np.testing.assert_array_equal(shrink(blocks, 4)[..., 0], np.arange(24).reshape(4, 6))  # area: 2x2 blocks average


def test_what_is_not_a_video_is_named(tmp_path):
    (tmp_path / "text.mp4").write_text("not a video at all\n" * 50)
    (tmp_path / "empty.mp4").write_bytes(b"")
    whole = write_video(tmp_path / "v.mp4").read_bytes()
    (tmp_path / "headless.mp4").write_bytes(whole[: len(whole) // 2])  # the index of an MP4 is at its end
    for name in ("text", "empty", "headless"):
        with pytest.raises(ClipReadError, match=rf"cannot read .*{name}.mp4 at 1.000 s: .+"):
            read_times(tmp_path / f"{name}.mp4", np.array([1.0]), center=0)
    with av.open(str(tmp_path / "sound.mp4"), "w") as container:
        stream = container.add_stream("aac", rate=16000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 16000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with pytest.raises(ClipReadError, match=r"sound\.mp4: it holds no video stream"):
        read_all(tmp_path / "sound.mp4")


def test_a_cut_off_file_reads_up_to_the_cut(tmp_path):
    whole = write_video(tmp_path / "whole.mkv", frames=100).read_bytes()
    path = tmp_path / "cut.mkv"
    path.write_bytes(whole[: int(len(whole) * 0.6)])
    last = len(decode_plainly(path)[0]) - 1
    assert 20 < last < 95
    assert numbers_of(read_times(path, np.array([0.4]), center=0)) == [10]
    with pytest.raises(ClipReadError, match=r"cut.mkv at 3.960 s: the (last frame is shown until|data is damaged)"):
        read_times(path, np.array([3.96]), center=0)


def test_errors_travel_between_processes():
    error = pickle.loads(pickle.dumps(ClipReadError("a.mp4", 36, "gone", "frame")))
    assert str(error) == "cannot read a.mp4 at frame 36: gone"
    assert (error.file, error.at, error.reason, error.unit) == ("a.mp4", 36, "gone", "frame")


def test_finding_files(tmp_path):
    (tmp_path / "run").mkdir()
    for name in ("a.mp4", "run/b c.AVI", "dotted.name.mkv", "two.mp4", "two.mkv"):
        (tmp_path / name).touch()
    videos = VideoFiles(tmp_path)
    names = {"a": "a.mp4", "a.mp4": "a.mp4", "run/b c": "run/b c.AVI", "dotted.name": "dotted.name.mkv"}
    for asked, found in names.items():
        assert videos.path(asked) == tmp_path / found
    with pytest.raises(ClipReadError, match=r"two: several files have this name: two.mp4, two.mkv; keep one"):
        videos.path("two")
    with pytest.raises(ClipReadError, match=r"nowhere: no such file, with none of the extensions .mp4 .* the folder"):
        videos.path("nowhere")
    with pytest.raises(ClipReadError, match="no such file"):
        VideoFiles(tmp_path, extensions=(".mkv",)).path("a")


def test_a_source_reads_by_name(tmp_path):
    write_video(tmp_path / "v.mp4", fps=10)
    videos = VideoFiles(tmp_path, threads=1)
    assert numbers_of(videos.read("v", np.array([1.0, 2.0]), center=0)) == [10, 20]
    assert numbers_of(videos.read_frames("v", np.array([3]), center=0)) == [2]


# The shared files, good and hostile. Everything listed must equal the plain decode.
SOUND = [
    "people/mmaction2_demo.mp4",
    "people/mmaction2_test.avi",  # packed B-frames: timestamps run backwards
    "people/mmaction2_test.mp4",
    "people/mmaction2_test_video_structuralize.mp4",
    "people/paddlevideo_example.avi",
    "robustness/decord_flipping_a_pancake.mkv",
    "robustness/decord_unordered.mov",
    "robustness/decord_video_0.mov",
    "robustness/decord_video_90.mov",
    "robustness/pyscenedetect_delayed_start.mp4",
    "robustness/torchcodec_h265_video.mp4",
    "robustness/torchcodec_var_fps_video.mp4",
    "ucf24/v_Basketball_g01_c02.mp4",
    "ucf24/v_Fencing_g01_c06.mp4",
    "jhmdb_original/golf__Finding_the_fairway_under_pressure_golf_f_cm_np1_ri_med_0.avi",
]


@pytest.mark.long
@pytest.mark.parametrize("name", SOUND)
def test_shared_videos_equal_a_plain_decode(shared_dir, name):
    check_against_plain_decode(shared_dir / "data" / "videos" / name, clips=3)


def test_every_shared_video_reads_or_says_why(shared_dir):
    paths = sorted(p for p in (shared_dir / "data" / "videos").rglob("*") if p.is_file() and p.suffix != ".json")
    refused = set()
    for path in paths:
        try:
            assert read_frames(path, np.array([1, 2, 3]), center=0).frames.max() > 0
        except ClipReadError as error:
            refused.add(error.file.rsplit("/", 1)[-1])
    assert len(paths) > 15 and refused == {"mmtracking_appledouble_not_a_video.mp4"}


def test_rotated_video_is_upright(shared_dir):
    clip = read_times(shared_dir / "data/videos/robustness/decord_video_90.mov", np.array([0.0]), center=0)
    assert clip.frames.shape == (1, 568, 320, 3)


def test_damaged_data_is_never_shown(shared_dir):
    """Packet 29 or so of 50 cannot be decoded, and no key frame follows: the pictures after it are guesses."""
    path = shared_dir / "data/videos/robustness/decord_corrupted.mp4"
    assert read_times(path, np.array([0.5, 1.0]), center=1).clamped == 0
    for times in ([3.5], [1.0, 4.5]):
        with pytest.raises(ClipReadError, match=r"the data is damaged between second 2\.\d+ and the end"):
            read_times(path, np.array(times), center=0)
    with pytest.raises(ClipReadError, match=r"at frame 45: the data is damaged after second 2\.\d+, so frame numbers"):
        read_frames(path, np.array([45]), center=0)
    with pytest.raises(ClipReadError, match=r"decord_corrupted\.mp4: the data is damaged after second 2"):
        read_all(path)


def test_jhmdb_clips_with_frames_missing(shared_dir):
    videos = VideoFiles(shared_dir / "data" / "jhmdb" / "videos")
    name = "stand/BIG_FISH_stand_u_nm_np1_fr_med_27"  # annotated to frame 36
    assert videos.read_frames(name, np.array([35, 36]), center=0).clamped == 1
    with pytest.raises(ClipReadError, match=r"BIG_FISH.*at frame 36: the video decodes to frames 1 to 35 only"):
        videos.read_frames(name, np.array([35, 36]), center=1)
    with pytest.raises(ClipReadError, match=r"BIG_FISH.*at 1.167 s: the last frame is shown until second 1.167"):
        videos.read(name, np.array([35 / 30]), center=0)
