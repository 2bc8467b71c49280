"""Length and frames of whole videos equal what decoding all of it gives."""

from fractions import Fraction
from types import SimpleNamespace

import av
import numpy as np
import pytest

from slowfast.video.decoding.open_video import OpenVideo, UnreadableError
from slowfast.video.decoding.whole_video import WholeVideo, _length_of, trusted_packets
from slowfast.video.reader import VideoFiles, read_all
from slowfast.video.source import ClipReadError
from tests.unit.video.test_reader import SOUND, VARIANTS
from tests.unit.video.video_maker import number_in, write_video


def check(path, *, seed=0, reads=5):
    """Against `read_all`, itself tested against a plain decode."""
    frames, times = read_all(path)
    video = WholeVideo(path, threads=1)
    assert len(video.length) == len(frames)
    np.testing.assert_allclose(video.length.times, times - times[0], atol=2e-6)
    assert (np.diff(video.length.times) >= 0).all() and video.length.times[0] == 0
    rng = np.random.default_rng(seed)
    for count in rng.integers(1, 9, reads):
        positions = np.sort(rng.choice(len(frames), min(count, len(frames)), replace=False))
        np.testing.assert_array_equal(video.read(positions), frames[positions])
    ends = np.unique([0, len(frames) - 1])
    np.testing.assert_array_equal(video.read(ends), frames[ends])
    return video


@pytest.mark.parametrize(
    ("name", "extension"),
    [*((n, e) for n in VARIANTS for e in ("mp4", "mkv")), ("b_frames", "ts"), ("open_groups", "ts")],
)
def test_equal_to_decoding_everything(tmp_path, name, extension):
    path = write_video(tmp_path / f"v.{extension}", **VARIANTS[name])
    video = check(path)
    assert [number_in(frame) for frame in video.read(np.arange(40))] == list(range(40))


@pytest.mark.parametrize(
    ("codec", "extension"),
    [("mpeg4", "avi"), ("mpeg4", "mp4"), ("libx265", "mp4"), ("libvpx-vp9", "webm"), ("libvpx", "webm")],
)
def test_other_formats(tmp_path, codec, extension):
    options = {"auto-alt-ref": "1", "lag-in-frames": "12"} if codec.startswith("libvpx") else {}
    try:
        path = write_video(tmp_path / f"v.{extension}", codec=codec, b_frames=0, options=options)
    except (av.error.FFmpegError, ValueError) as error:
        pytest.skip(f"this build of PyAV cannot write {codec}: {error}")
    check(path)


@pytest.mark.long
@pytest.mark.parametrize("name", [*SOUND, "robustness/rotate_90.mp4", "robustness/transpose.mp4"])
def test_shared_videos(shared_dir, name):
    check(shared_dir / "data" / "videos" / name, reads=3)


@pytest.mark.parametrize(
    "name",
    [
        "robustness/pyscenedetect_delayed_start.mp4",
        "robustness/torchcodec_h265_video.mp4",
        "robustness/decord_video_90.mov",
        "jhmdb_original/golf__Finding_the_fairway_under_pressure_golf_f_cm_np1_ri_med_0.avi",
    ],
)
def test_some_hostile_videos(shared_dir, name):
    check(shared_dir / "data" / "videos" / name, reads=2)


def decoded(monkeypatch) -> list[int]:
    """Grows by one with every frame that is decoded."""
    seen: list[int] = []
    note = OpenVideo._note
    monkeypatch.setattr(OpenVideo, "_note", lambda self, frame: seen.append(1) or note(self, frame))
    return seen


def test_a_length_is_known_without_decoding_and_frames_are_sought(tmp_path, monkeypatch):
    path = write_video(tmp_path / "v.mp4", frames=250)
    seen = decoded(monkeypatch)
    video = WholeVideo(path, threads=1)
    assert len(video.length) == 250 and video.length.fps == 25 and not seen
    assert [number_in(frame) for frame in video.read(np.array([3, 200, 202, 249]))] == [3, 200, 202, 249]
    assert len(seen) < 60


def test_only_what_is_asked_for_is_converted_and_shrunk(tmp_path, monkeypatch):
    path = write_video(tmp_path / "v.mp4")
    converted = []
    rgb = OpenVideo.rgb
    monkeypatch.setattr(OpenVideo, "rgb", lambda self, frame, **k: converted.append(1) or rgb(self, frame, **k))
    frames = VideoFiles(tmp_path).read_positions("v", np.array([4, 30]), short_side=24)
    assert frames.shape == (2, 24, 32, 3) and len(converted) == 2
    np.testing.assert_array_equal(frames, read_all(path, short_side=24)[0][[4, 30]])


def test_the_rate_is_the_nominal_one_or_the_mean():
    """A nominal rate that the frames do not keep is not theirs."""
    assert _length_of(np.arange(300) / 29.97, 30000 / 1001, 1e-3).fps == 30000 / 1001
    assert _length_of(np.arange(31) / 10, 30.0, 1e-3).fps == pytest.approx(10)
    assert _length_of(np.zeros(1), 24.0, 1e-3).fps == 24


def test_frames_without_timestamps_are_counted_by_decoding(tmp_path, monkeypatch):
    """As if no packet had told when it is shown."""
    path = write_video(tmp_path / "v.mp4")
    monkeypatch.setattr("slowfast.video.decoding.whole_video.trusted_packets", lambda video: None)
    seen = decoded(monkeypatch)
    video = check(path)
    assert video._index[1] is None and len(seen) > 80


def test_a_seek_that_leads_elsewhere_is_not_believed(tmp_path, monkeypatch):
    path = write_video(tmp_path / "v.mp4", frames=120)
    monkeypatch.setattr(
        OpenVideo, "seek_to", lambda self, pts: bool(self._container.seek(110 * 512, stream=self._stream)) or True
    )
    assert [number_in(frame) for frame in WholeVideo(path).read(np.array([60, 61]))] == [60, 61]


def test_damage_is_named_and_what_is_before_it_read(shared_dir):
    """Packet 29 or so of 50 cannot be decoded, and no key frame follows."""
    video = WholeVideo(shared_dir / "data/videos/robustness/decord_corrupted.mp4")
    assert video.read(np.array([0, 10, 20])).shape[0] == 3
    with pytest.raises(
        ClipReadError, match=r"decord_corrupted\.mp4 at 4\.\d+ s: frame 45 of 50 is needed, and the data"
    ):
        video.read(np.array([3, 45]))


def test_what_cannot_be_read_says_why(tmp_path):
    (tmp_path / "text.mp4").write_text("not a video at all\n" * 50)
    videos = VideoFiles(tmp_path)
    for call in (lambda: videos.length("text"), lambda: videos.read_positions("text", np.array([0]))):
        with pytest.raises(ClipReadError, match=r"text\.mp4: it is no video of a format that FFmpeg knows"):
            call()
    with pytest.raises(ClipReadError, match=r"none: no such file"):
        videos.length("none")
    write_video(tmp_path / "v.mp4")
    for positions in ([39, 40], [-1, 2], [5, 5], [7, 3], []):
        with pytest.raises(IndexError, match=r"has positions 0 to 39; asked for \[.*\], which must ascend"):
            videos.read_positions("v", np.array(positions))


def test_a_cut_off_file_has_the_frames_before_the_cut(tmp_path):
    whole = write_video(tmp_path / "whole.mkv", frames=100, fps=Fraction(25)).read_bytes()
    (tmp_path / "cut.mkv").write_bytes(whole[: int(len(whole) * 0.6)])
    video = WholeVideo(tmp_path / "cut.mkv")
    assert 20 < len(video.length) < 95
    assert number_in(video.read(np.array([10]))[0]) == 10


class Stream:
    """Packets of (timestamp, key frame, discard, bytes), as an open video gives them."""

    def __init__(self, codec: str, *packets: tuple) -> None:
        self.codec, self._all = codec, packets

    def packets(self):
        return (SimpleNamespace(pts=p, dts=None, is_keyframe=k, is_discard=d, size=s) for p, k, d, s in self._all)


GOOD = [(0, True, False, 900), (4, False, False, 90), (2, False, False, 10), (6, True, False, 900)]


def test_packets_that_are_trusted():
    found = trusted_packets(Stream("h264", *GOOD))
    assert found.pts.tolist() == [0, 2, 4, 6] and found.keys.tolist() == [0, 6]
    # What an edit list cuts off is decoded and not shown.
    found = trusted_packets(Stream("h264", (-4, True, True, 900), (-2, False, True, 90), *GOOD))
    assert found.pts.tolist() == [0, 2, 4, 6]


@pytest.mark.parametrize(
    ("codec", "packets"),
    [
        ("vp8", GOOD),  # has packets that are never shown
        ("mpeg4", GOOD),  # 10 bytes may stand for no frame
        ("h264", [*GOOD, (None, False, False, 90)]),
        ("h264", [*GOOD, (6, False, False, 90)]),
        ("h264", [(8, False, False, 90), *GOOD]),  # before the first key frame in the file
        ("hevc", [GOOD[0], (-2, False, False, 90), *GOOD[1:]]),  # and on screen
    ],
)
def test_packets_that_are_not(codec, packets):
    assert trusted_packets(Stream(codec, *packets)) is None
    with pytest.raises(UnreadableError, match="it holds no pictures"):
        trusted_packets(Stream(codec))
