"""Frames that nobody asks for are left out of files that are known to be whole: the same answers, of fewer frames."""

import os
import shutil

import av
import numpy as np
import pytest

from slowfast.preparation.movies.all_movies import prepare_all
from slowfast.preparation.movies.one_movie import Wanted
from slowfast.video.decoding.open_video import OpenVideo
from slowfast.video.decoding.plain_video import is_plain
from slowfast.video.decoding.settling import Settling
from slowfast.video.decoding.unseen import Unseen
from slowfast.video.decoding.whole_video import WholeVideo
from slowfast.video.reader import read_times
from slowfast.video.source import ClipReadError
from slowfast.video.stored import kept_index, known_whole
from slowfast.video.stored.manifest import FOLDER, read_record
from slowfast.video.writing.timed_writer import write_timed_video
from tests.unit.video import hostile_files as made
from tests.unit.video.doors import forget

FRAMES = 60


@pytest.fixture(autouse=True)
def _nothing_known():
    forget()
    known_whole.forget_known()
    kept_index.records_above.cache_clear()
    yield
    forget()


ALWAYS_B = "b-adapt=0:scenecut=0"  # the encoder would rather not, of noise
KINDS = {
    "short groups": {"gop": 12, "b_frames": 3, "options": {"x264-params": ALWAYS_B}},
    "one group": {"gop": 250, "b_frames": 3, "options": {"x264-params": ALWAYS_B}},
    "pyramid, open groups": {"options": {"x264-params": f"{ALWAYS_B}:open-gop=1:bframes=5:b-pyramid=normal"}},
    "no B-frames": {"b_frames": 0},
    "slices": {"b_frames": 3, "options": {"x264-params": f"{ALWAYS_B}:slices=3"}},
    "many references": {"options": {"x264-params": f"{ALWAYS_B}:bframes=8:b-pyramid=strict:ref=6"}},
}


def uneven(path):
    """A video at uneven times."""
    seconds = np.cumsum(np.random.default_rng(0).choice([0.02, 0.04, 0.1, 0.4], FRAMES)) - 0.02
    write_timed_video(((s, made.scene(n)) for n, s in enumerate(seconds - seconds[0])), path, gop=20)


def make(path, kind):
    if kind == "uneven":
        uneven(path)
    else:
        made.write_scenes(path, range(FRAMES), busy=True, **KINDS[kind])
    return path


def known(path):
    """The video, looked at as `prepare-data --mode index --decode` does."""
    forget()  # what was met in reading it: groups that are open put a file in doubt
    prepare_all({path.stem: path}, path.parent, Wanted(mode="index", decode=True))
    known_whole.forget_known()
    kept_index.records_above.cache_clear()
    assert known_whole.is_known_whole(path)


def unknown(path):
    (path.parent / FOLDER / f"{path.stem}.json").unlink()
    known_whole.forget_known()
    assert not known_whole.is_known_whole(path)


def clips(end):
    """Moments of clips, some beyond the ends and some between frames."""
    rng = np.random.default_rng(1)
    for spread in (0.1, 0.4, 0.7, 1.2):
        for _ in range(3):
            yield rng.uniform(-0.2, end + 0.2) + spread * np.arange(-2, 3)
    yield np.array([end + 0.1])
    yield np.array([0.0])
    yield np.array([end - 0.005, 0.3, 1.7])


def end_of(path):
    with OpenVideo(path, threads=1) as video:
        assert list(video.frames())
        return video.timeline().end


def told(path, end, threads):
    answers = []
    for asked in clips(end):
        try:
            found = read_times(path, asked, center=len(asked) // 2, threads=threads)
            answers.append((found.frames.tobytes(), found.clamped, found.pixel_aspect))
        except ClipReadError as error:
            answers.append(str(error))
    return answers


def count_sent(monkeypatch):
    seen = []
    send = Settling.send
    monkeypatch.setattr(Settling, "send", lambda self, packet: seen.append(packet.size) or send(self, packet))
    return seen


@pytest.mark.parametrize("kind", [*KINDS, "uneven"])
def test_clips_by_time_are_the_same_and_fewer_frames_are_decoded(tmp_path, monkeypatch, kind):
    path = make(tmp_path / "v.mp4", kind)
    end, sent = end_of(path), count_sent(monkeypatch)
    known(path)
    del sent[:]
    found = told(path, end, 1)
    fewer = len(sent)
    assert told(path, end, 3) == found
    unknown(path)
    del sent[:]
    assert told(path, end, 1) == found
    assert any(isinstance(answer, str) for answer in found) and sum(isinstance(answer, tuple) for answer in found) > 8
    assert fewer <= len(sent) if kind == "no B-frames" else fewer < 0.9 * len(sent)


@pytest.mark.parametrize("kind", [*KINDS, "uneven"])
def test_frames_by_position_are_the_same(tmp_path, monkeypatch, kind):
    path = make(tmp_path / "v.mp4", kind)
    asked = [np.array([0]), np.arange(0, FRAMES, 7), np.array([3, 5, 40, 59]), np.arange(FRAMES), np.array([58])]
    expected = [WholeVideo(path, threads=1).read(positions) for positions in asked]
    known(path)
    for threads in (1, 3):
        for positions, frames in zip(asked, expected, strict=True):
            np.testing.assert_array_equal(WholeVideo(path, threads=threads).read(positions), frames)


def test_damage_that_came_later_is_refused_as_ever_where_a_clip_shows_it(tmp_path):
    """It changed neither the size nor the time of the file. A clip is what it is without the record, or is not refused where
    the damage is in frames that it does not show and that no other is made from."""
    path = make(tmp_path / "v.mp4", "one group")
    end = end_of(path)
    known(path)
    data, changed = bytearray(path.read_bytes()), path.stat().st_mtime_ns
    with av.open(str(path)) as container:
        packets = sorted((p.pos, p.size) for p in container.demux(video=0) if p.size)
    for place, _ in packets[40::7]:
        data[place + 5 : place + 15] = bytes(10)  # behind its length and its kind: the head of its slice
    path.write_bytes(data)
    os.utime(path, ns=(changed, changed))
    assert known_whole.is_known_whole(path)
    found = told(path, end, 1)
    unknown(path)
    forget()
    expected = told(path, end, 1)
    assert all(a == b or "the data is damaged" in b for a, b in zip(found, expected, strict=True))
    refused = [sum(isinstance(answer, str) for answer in answers) for answers in (found, expected)]
    assert 2 < refused[0] < refused[1] < len(expected), refused


def test_another_state_of_the_file_is_not_known(tmp_path):
    path = make(tmp_path / "v.mp4", "short groups")
    known(path)
    changed = path.stat().st_mtime_ns
    os.utime(path, ns=(changed + 1, changed + 1))
    assert not known_whole.is_known_whole(path)
    os.utime(path, ns=(changed, changed))
    assert known_whole.is_known_whole(path)
    path.write_bytes(path.read_bytes() + b"\0")
    os.utime(path, ns=(changed, changed))
    assert not known_whole.is_known_whole(path)
    assert not known_whole.is_known_whole(tmp_path / "other.mp4")


def test_a_file_beside_one_of_the_same_name_is_not_known(tmp_path):
    path = make(tmp_path / "v.mp4", "short groups")
    known(path)
    other = tmp_path / "v.mkv"
    os.link(path, other)
    assert not known_whole.is_known_whole(other)


def test_a_broken_record_is_said_and_not_used(tmp_path, caplog):
    path = make(tmp_path / "v.mp4", "short groups")
    known(path)
    (tmp_path / FOLDER / "v.json").write_text("{", encoding="utf-8")
    known_whole.forget_known()
    assert not known_whole.is_known_whole(path)
    assert "v.mp4: its record cannot be read, and is not used: " in caplog.text


def test_what_prepare_data_writes_is_read_back(tmp_path):
    path = make(tmp_path / "v.mp4", "one group")
    prepare_all({"v": path}, tmp_path / "out", Wanted(short_side=32))
    kept_index.records_above.cache_clear()
    assert known_whole.is_known_whole(tmp_path / "out" / "v.mp4")
    assert not known_whole.is_known_whole(path)  # the movie itself was not looked at to be read


def test_packets_alone_prove_nothing(tmp_path):
    path = make(tmp_path / "v.mp4", "short groups")
    prepare_all({"v": path}, tmp_path, Wanted(mode="index"))
    record = read_record(tmp_path, "v")
    assert record is not None and record.whole_at == 0 and not known_whole.is_known_whole(path)


def test_odd_files_are_not_plain(tmp_path, shared_dir):
    first, second = (made.write_scenes(tmp_path / f"{n}.ts", range(10)) for n in (0, 1))
    odd = [
        made.write_scenes(tmp_path / "v.avi", codec="mpeg4", b_frames=0),
        made.write_scenes(tmp_path / "v.ts"),  # another may be appended to it
        made.joined(first, second, tmp_path / "j.ts", counted_on=True),
        made.copy_packets(
            [(made.write_scenes(tmp_path / "a.mp4"), ""), (tmp_path / "a.mp4", made.sei("rotate=180"))],
            tmp_path / "t.mp4",
        ),
    ]
    assert [path.name for path in odd if is_plain(path)] == []
    damaged = made.with_noise(made.write_scenes(tmp_path / "a.mkv", busy=True), tmp_path / "d.mkv", seed=5)
    with pytest.raises(ClipReadError, match=r"d\.mkv at \d\.\d+ s: the data is damaged after this"):
        is_plain(damaged)


# Covers, previews, turned headers, a late start and uneven times do not reach into a frame. Two of other codecs, and no video
UNKNOWN = {"torchcodec_h265_video", "mmtracking_appledouble_not_a_video", "pyscenedetect_delayed_start"}


def test_the_files_that_others_stumble_over_are_read_alike(tmp_path, shared_dir):
    """Those that are found whole, and those that are not, whatever prepare-data says of them."""
    for path in sorted((shared_dir / "data/videos/robustness").iterdir()):
        if path.stat().st_size < 45_000:  # the others have hundreds of frames, or large ones
            shutil.copy(path, tmp_path / path.name)
    names = {path.stem: path for path in tmp_path.iterdir()}
    expected = {name: told(path, 1.0, 1) for name, path in names.items()}
    forget()
    prepare_all(names, tmp_path, Wanted(mode="index", decode=True))
    known_whole.forget_known()
    kept_index.records_above.cache_clear()
    assert {name for name, path in names.items() if not known_whole.is_known_whole(path)} == UNKNOWN
    assert len(names) == 12
    for name, path in names.items():
        assert told(path, 1.0, 1) == expected[name], name


def test_what_is_a_reference_by_hand():
    unseen = Unseen([], None)
    for first, is_reference in ((0x01, False), (0x41, True), (0x21, True), (0x65, True)):
        assert (
            unseen.is_reference(av.Packet(b"\0\0\1\x09\xf0\0\0\1\x06\x05" + b"\0\0\1" + bytes([first, 9])))
            is is_reference
        )
    assert unseen.is_reference(av.Packet(b"\0\0\1\x06\x05"))  # no slice: it cannot be told
    assert unseen.is_reference(av.Packet(b"\xff" * 9))


def test_which_moments_see_a_frame_by_hand():
    starts = [0, 10, 20, 40]
    for moments, tolerance, margin, seen in (
        ([10], 0, 0, [10]),
        ([15], 0, 0, [10]),
        ([19], 0, 2, [10, 20]),
        ([20], 0, 0, [20]),
        ([99], 0, 0, [40]),  # what follows the last one is not known
        ([-5], 0, 0, []),
        ([-5], 5, 0, [0]),  # nor what comes before the first
        ([14.9], 5, 0, [10]),
        ([15], 5, 0, [20]),  # as near to both
        ([34.9], 5, 0, [20]),  # nearer to 40, which is too far away
        ([35], 5, 0, [40]),
        ([14.9, 34.9], 5, 0.2, [10, 20, 40]),
        ([], 5, 1, []),
    ):
        unseen = Unseen(moments, None, tolerance=tolerance, margin=margin)
        assert [start for start in starts if unseen._is_seen(start, starts)] == seen, (moments, tolerance, margin)
