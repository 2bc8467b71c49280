"""Files that readers stumble over: each is read alike from any place, with any number of threads, or refused in words."""

import logging
from fractions import Fraction
from types import SimpleNamespace

import av
import numpy as np
import pytest

from slowfast.video.decoding import frame_index, notes, open_video
from slowfast.video.decoding.clock import Clock
from slowfast.video.decoding.whole_video import WholeVideo
from slowfast.video.reader import read_all, read_frames, read_times
from slowfast.video.source import ClipReadError
from tests.unit.video import hostile_files as made
from tests.unit.video.doors import check_every_door, every_door, forget
from tests.unit.video.test_reader import check_against_plain_decode
from tests.unit.video.video_maker import number_in, write_video

THREADS = (1, 2, 5)


@pytest.fixture(autouse=True)
def _nothing_known():
    """Every test opens its files as if for the first time."""
    forget()
    yield
    forget()


# Damage


def intact(folder, kind):
    """A file of moving noise, of which a change of any byte shows."""
    codec = "mpeg4" if kind == "avi" else "libx264"
    index_first = {"movflags": "faststart"} if kind == "mp4" else {}
    path = folder / f"a.{kind}"
    return made.write_scenes(path, busy=True, codec=codec, b_frames=0 if kind == "avi" else 2, container=index_first)


DAMAGED = {
    **{
        f"cut.{kind}": lambda d, kind=kind, share=share: made.cut(intact(d, kind), d / f"cut.{kind}", share)
        for kind, share in (("mp4", 0.6), ("mkv", 0.6), ("ts", 0.6), ("avi", 0.85))
    },
    "lost.ts": lambda d: made.without_packets(intact(d, "ts"), d / "lost.ts"),
    **{
        f"noise{seed}.{kind}": lambda d, seed=seed, kind=kind: made.with_noise(
            intact(d, kind), d / f"noise{seed}.{kind}", seed=seed
        )
        for seed, kind in ((1, "mp4"), (2, "mp4"), (3, "ts"), (5, "mkv"))
    },
}


def told(path, threads):
    """What clips here and there in a file give, as bytes or as words."""
    answers = []
    for second in (0.0, 1.3, 1.6, 2.0, 2.8):
        try:
            found = read_times(path, second + np.array([0.0, -0.1, 0.1]), center=0, threads=threads)
            answers.append(found.frames.tobytes())
        except ClipReadError as error:
            answers.append(str(error))
    return answers


@pytest.mark.parametrize("name", DAMAGED)
def test_damage_has_one_answer_for_any_number_of_threads_and_every_read(tmp_path, name):
    path = DAMAGED[name](tmp_path)
    first = told(path, 1)
    assert any(isinstance(answer, str) for answer in first) and any(isinstance(answer, bytes) for answer in first)
    for threads in THREADS:
        for again in range(2):
            if not again:
                forget()
            assert told(path, threads) == first, (threads, again)


@pytest.mark.parametrize("name", [name for name in DAMAGED if "noise" not in name])
def test_what_is_shown_of_a_damaged_file_is_what_was_there(tmp_path, name):
    """Frames that are guesses, or are made from guesses, are refused, also those shown before the one that broke.

    Changed bytes that make another valid picture are seen by no decoder: there is no checksum in a video.
    """
    path = DAMAGED[name](tmp_path)
    whole, times = read_all(tmp_path / f"a{path.suffix}")
    shown = 0
    for second, frame in zip(times, whole, strict=True):
        try:
            found = read_times(path, np.array([second]), center=0, threads=2).frames[0]
        except ClipReadError:
            continue
        np.testing.assert_array_equal(found, frame)
        shown += 1
    assert 5 < shown < len(whole)


def test_a_cut_file_is_refused_where_it_is_cut_with_every_number_of_threads(tmp_path):
    path = DAMAGED["cut.mp4"](tmp_path)
    for threads in THREADS:
        forget()
        with pytest.raises(ClipReadError, match=r"cut\.mp4: the data is damaged after second 1\.\d"):
            read_all(path, threads=threads)


def test_a_stream_that_appears_on_the_way_ends_no_read(tmp_path):
    """PyAV looks beyond its list of streams at the end of such a file; what it finds is chance."""
    first = made.write_scenes(tmp_path / "a.ts", range(10))
    made.several_streams(tmp_path / "b.ts", [("libx264", 64, True), ("mpeg2video", 32, True), ("mpeg2video", 32, True)])
    path = made.joined(first, tmp_path / "b.ts", tmp_path / "v.ts")
    for _ in range(20):
        forget()
        with open_video.OpenVideo(path, threads=2) as video:
            assert len(list(video.frames())) >= 15


# Ends


def test_the_last_frame_is_shown_until_its_end(tmp_path):
    path = made.write_scenes(tmp_path / "v.mp4", range(100))
    for second in (9.95, 9.96, 9.99, 9.998):
        found = read_times(path, np.array([second, second + 1]), center=0)
        np.testing.assert_array_equal(found.frames[0], read_times(path, np.array([9.9]), center=0).frames[0])
        assert found.clamped == 1
    with pytest.raises(ClipReadError, match=r"at 10\.000 s: the last frame is shown until second 10\.000"):
        read_times(path, np.array([10.0]), center=0)


FRAGMENTS = {"movflags": "frag_keyframe+empty_moov+default_base_moof"}


def test_second_0_shows_the_first_picture_where_that_is_late(tmp_path):
    for path in (
        made.write_scenes(tmp_path / "fragments.mp4", range(20), container=FRAGMENTS, b_frames=3),
        made.sound_first(tmp_path / "sound.mp4", 0.3, options=FRAGMENTS),
        made.sound_first(tmp_path / "sound.mkv", 0.4),
    ):
        first = read_frames(path, np.array([1]), center=0).frames[0]
        for second in (0.0, 0.04):
            np.testing.assert_array_equal(read_times(path, np.array([second]), center=0).frames[0], first)
        with pytest.raises(ClipReadError, match="the first frame is shown at second 0"):
            read_times(path, np.array([-0.6]), center=0)
    late = made.sound_first(tmp_path / "late.mkv", 2.0)
    with pytest.raises(ClipReadError, match=r"late\.mkv at 0\.000 s: the first frame is shown at second 2\.0"):
        read_times(late, np.array([0.0]), center=0)


# Streams


@pytest.mark.parametrize(
    ("layout", "taken"),
    [
        ([("mjpeg", 32, False), ("libx264", 64, True)], 64),
        ([("mjpeg", 32, False), ("mjpeg", 40, False), ("mjpeg", 48, False), ("libx264", 64, False)], 64),
        ([("libx264", 64, False), ("libx264", 48, True)], 48),
        ([("libx264", 48, True), ("libx264", 64, True)], 64),
    ],
)
def test_which_stream_is_read_is_chosen_and_said(tmp_path, caplog, layout, taken):
    path = made.several_streams(tmp_path / "v.mkv", layout)
    with caplog.at_level(logging.WARNING, "slowfast"):
        frames = every_door(path, tmp_path)
    assert all(found.shape == (10, taken, taken, 3) for found in frames.values())
    assert caplog.text.count(f"of {len(layout)} video streams stream ") == 1  # once, not for every clip
    assert f"{taken}x{taken}" in caplog.text.split(" is read, not ")[0]


def test_a_cover_alone_is_no_video(shared_dir, tmp_path):
    with av.open(str(shared_dir / "data/videos/robustness/cover_first.mp4")) as source:
        cover = next(p for p in source.demux(source.streams.video[1]) if p.size)
        with av.open(str(tmp_path / "song.mp4"), "w") as target:
            stream = target.add_stream_from_template(source.streams.video[1])
            stream.disposition = av.stream.Disposition.attached_pic
            sound = target.add_stream("aac", rate=16000)
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
            frame.sample_rate = 16000
            target.mux(sound.encode(frame))
            target.mux(sound.encode(None))
            cover.stream = stream
            target.mux(cover)
    with pytest.raises(ClipReadError, match=r"song\.mp4: it holds no video stream, only a cover picture"):
        read_all(tmp_path / "song.mp4")


# Time


def test_a_clock_that_starts_again_goes_on(tmp_path, caplog):
    first, second = (made.write_scenes(tmp_path / f"{n}.ts", range(20 * n, 20 * n + 20)) for n in (0, 1))
    path = made.joined(first, second, tmp_path / "v.ts", counted_on=True)
    expected = np.concatenate([read_all(part)[0] for part in (first, second)])
    with caplog.at_level(logging.WARNING, "slowfast"):
        check_every_door(path, tmp_path, expected)
    np.testing.assert_allclose(read_all(path)[1], np.arange(40) / 10, atol=1e-4)
    assert caplog.text.count("its timestamps start again at second 2.000; seconds are counted on from there") == 1
    for center in np.random.default_rng(0).uniform(0, 3.9, 6):  # whatever the other frames of the clip are
        for spread in (0.1, 1.5):
            found = read_times(path, center + np.array([0.0, -spread, spread]), center=0).frames[0]
            np.testing.assert_array_equal(found, expected[min(round(center * 10), 39)])


def test_one_timestamp_that_is_far_off_is_no_new_clock():
    clock = Clock("v.ts", 0.0, Fraction(1, 10), 0.1)
    frames = [SimpleNamespace(pts=pts, is_corrupt=False, key_frame=False, duration=1, time_base=None) for pts in
              (0, 1, 2, 450, 4, 5, 6)]  # fmt: skip
    assert [clock.note(frame) for frame in frames] == pytest.approx([0, 0.1, 0.2, 45, 0.4, 0.5, 0.6])
    assert clock.disordered


def test_where_joined_streams_meet_what_may_be_lost_is_refused(tmp_path):
    """`cat` leaves a gap in the numbers of the packets; nothing tells whether the last frame before it is whole."""
    first, second = (made.write_scenes(tmp_path / f"{n}.ts", range(20 * n, 20 * n + 20)) for n in (0, 1))
    path = made.joined(first, second, tmp_path / "v.ts")
    expected = np.concatenate([read_all(part)[0] for part in (first, second)])
    video = WholeVideo(path)
    assert len(video.length) == 40
    for place in (3, 12, 21, 35):
        np.testing.assert_array_equal(read_times(path, np.array([place / 10]), center=0).frames[0], expected[place])
        np.testing.assert_array_equal(video.read(np.array([place]))[0], expected[place])
    with pytest.raises(ClipReadError, match=r"the data is damaged between second 1\.\d+ and second 2\.000"):
        read_times(path, np.array([1.9]), center=0)
    with pytest.raises(ClipReadError, match=r"frame 19 of 40 is needed, and the data is damaged there"):
        video.read(np.array([3, 19]))


def count_decodes(monkeypatch):
    seen = []
    note = open_video.OpenVideo._note
    monkeypatch.setattr(open_video.OpenVideo, "_note", lambda self, frame: seen.append(1) or note(self, frame))
    return seen


def test_backward_timestamps_are_decoded_whole_once_and_not_for_every_clip(shared_dir, monkeypatch, caplog):
    path = shared_dir / "data/videos/people/mmaction2_test.avi"
    seen = count_decodes(monkeypatch)
    with caplog.at_level(logging.WARNING, "slowfast"):
        clip = read_times(path, np.array([5.0, 4.9, 5.1]), center=0)
        count = len(frame_index.frame_index(path, threads=1).pts)
        del seen[:]
        again = read_times(path, np.array([5.0, 4.9, 5.1]), center=0)
    np.testing.assert_array_equal(clip.frames, again.frames)
    assert (
        0 < len(seen) < 135 < count
    )  # from the key frame before, which is the first one here, to the last of the clip
    assert caplog.text.count("its timestamps are missing or run backwards; all of it is decoded once") == 1


def test_a_seek_that_leads_elsewhere_is_noticed(tmp_path, monkeypatch):
    path = made.write_scenes(tmp_path / "v.mp4", range(60), gop=20)
    index = frame_index.frame_index(path, threads=1)
    expected = read_all(path)[0]
    real = open_video.OpenVideo.seek_to
    monkeypatch.setattr(open_video.OpenVideo, "seek_to", lambda self, pts: real(self, 0))
    pictures, _ = index.pictures(path, [45, 50], threads=1)
    np.testing.assert_array_equal(np.stack([pictures[45], pictures[50]]), expected[[45, 50]])


# Threads, colour


def test_the_scaler_starts_no_threads(tmp_path, monkeypatch):
    asked = []

    class Reformatter:
        def __init__(self):
            self._real = real()
            asked.append("made")

        def reformat(self, frame, **options):
            asked.append(options.get("threads"))
            return self._real.reformat(frame, **options)

    real = av.video.reformatter.VideoReformatter
    monkeypatch.setattr(av.video.reformatter, "VideoReformatter", Reformatter)
    frames, _ = read_all(made.write_scenes(tmp_path / "v.mp4", range(16)), threads=1)
    # One for pictures and one for which way up they are, kept for the whole file.
    assert set(asked) == {"made", 1} and asked.count("made") <= 2 and asked.count(1) >= 16
    with av.open(str(tmp_path / "v.mp4")) as container:  # and gives the pixels that threads give
        np.testing.assert_array_equal(
            frames, np.stack([f.to_ndarray(format="rgb24") for f in container.decode(video=0)])
        )


COLOURS = {
    "interlaced": {"pix_fmt": "yuv420p", "options": {"x264-params": "tff=1"}},
    "4:4:4": {"pix_fmt": "yuv444p"},
    "10 bit": {"pix_fmt": "yuv420p10le"},
    "PQ": {"pix_fmt": "yuv420p10le", "transfer": 16},
    "HLG": {"pix_fmt": "yuv420p10le", "transfer": 18},
}


@pytest.mark.parametrize("name", COLOURS)
def test_formats_are_read_alike_from_everywhere_and_hdr_is_said(tmp_path, caplog, name):
    path = made.coloured(tmp_path / "v.mp4", **COLOURS[name])
    with av.open(str(path)) as container:
        expected = np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])
    with caplog.at_level(logging.WARNING, "slowfast"):
        check_every_door(path, tmp_path, expected)
    said = [line for line in caplog.messages if "are HDR" in line]
    assert len(said) == (1 if name in ("PQ", "HLG") else 0)
    assert all(f"its colours are HDR ({name}) and are not tone-mapped" in line for line in said)


def test_files_of_a_kind_are_not_all_named(caplog):
    with caplog.at_level(logging.WARNING, "slowfast"):
        for number in range(20):
            for _ in range(2):
                notes.note("kind", f"{number}.mp4", "is odd")
        notes.note("other kind", "0.mp4", "is odd, too")
    assert len(caplog.messages) == 7 and "more files like this are not named" in caplog.messages[5]


# Plain files of many kinds: any place gives what a decode of everything gives


KINDS = {
    "fragmented": {"container": FRAGMENTS},
    "faststart": {"container": {"movflags": "faststart"}},
    "one group": {"gop": 250, "b_frames": 3},
    "open groups": {"options": {"x264-params": "open-gop=1:bframes=3:b-pyramid=normal:scenecut=0"}},
    "intra refresh": {"options": {"x264-params": "intra-refresh=1:bframes=0:keyint=10"}},
    "slices": {"options": {"x264-params": "slices=4"}},
    "field pairs": {"options": {"x264-params": "interlaced=1"}},
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("extension", ["mp4", "ts"])
def test_random_access_equals_decoding_everything(tmp_path, kind, extension):
    options = dict(KINDS[kind])
    if extension == "ts":
        options.pop("container", None)
    path = made.write_scenes(tmp_path / f"v.{extension}", range(30), **options)
    check_against_plain_decode(path, clips=4)


# What is in the shared folder, file by file; docs/DATASETS.md says the same

ROBUSTNESS = {
    "cover_first.mp4": (30, (64, 64), ""),
    "decord_corrupted.mp4": (28, (720, 1280), r"the data is damaged after second 2\.8"),
    "decord_flipping_a_pancake.mkv": (310, (240, 426), ""),
    "decord_unordered.mov": (4, (50, 50), ""),
    "decord_video_0.mov": (3, (320, 568), ""),
    "decord_video_90.mov": (3, (568, 320), ""),
    "mirror_left-right.mp4": (10, (64, 96), ""),
    "mmtracking_appledouble_not_a_video.mp4": (0, (0, 0), "it is no video of a format that FFmpeg knows"),
    "preview_first.mkv": (30, (64, 64), ""),
    "pyscenedetect_delayed_start.mp4": (24, (320, 480), ""),
    "rotate_90.mp4": (10, (96, 64), ""),
    "torchcodec_h265_video.mp4": (10, (128, 128), ""),
    "torchcodec_var_fps_video.mp4": (300, (128, 128), ""),
    "transpose.mp4": (10, (96, 64), ""),
}


def test_every_file_of_the_shared_folder_has_its_stated_outcome(shared_dir, repo_root):
    folder = shared_dir / "data/videos/robustness"
    assert {path.name for path in folder.iterdir()} == set(ROBUSTNESS)
    table = (repo_root / "docs/DATASETS.md").read_text(encoding="utf-8")
    for name, (count, size, refused) in ROBUSTNESS.items():
        assert f"`{name}`" in table, name
        if refused:
            with pytest.raises(ClipReadError, match=refused):
                read_all(folder / name, short_side=32)
            continue
        frames = read_frames(folder / name, np.array([1, count]), center=1).frames
        assert frames.shape == (2, *size, 3), name
        with pytest.raises(ClipReadError, match=f"frames 1 to {count} only"):
            read_frames(folder / name, np.array([count + 1]), center=0)


def test_the_previews_of_a_file_are_not_its_video(shared_dir):
    for name in ("preview_first.mkv", "cover_first.mp4"):
        frames, _ = read_all(shared_dir / "data/videos/robustness" / name)
        assert frames.shape == (30, 64, 64, 3)


def test_numbers_are_still_those_of_the_pictures(tmp_path):
    """The maker's scenes tell their number, whichever door they come through."""
    path = write_video(tmp_path / "v.mp4", fps=10)
    assert [number_in(frame) for frame in read_times(path, np.arange(40) / 10, center=0).frames] == list(range(40))
