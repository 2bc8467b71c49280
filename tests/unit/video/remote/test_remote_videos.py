import os
import pickle

import numpy as np
import pytest

from slowfast.video.open_videos import Fetching, open_videos
from slowfast.video.reader import VideoFiles
from slowfast.video.remote.kept_files import KeptFilesError
from slowfast.video.remote.store import Store, StoreError
from slowfast.video.source import ClipReadError
from slowfast.video.stored.cache import CachedVideos
from tests.unit.video.remote.faulty_store import Failing, md5
from tests.unit.video.video_maker import write_video

TIMES = np.array([0.3, 0.1, 2.0])


@pytest.fixture
def files(tmp_path):
    folder = tmp_path / "videos"
    (folder / "c").mkdir(parents=True)
    for name in ("a.mp4", "c/b.MP4"):
        write_video(folder / name, frames=30, fps=10)
    return VideoFiles(folder, threads=1)


@pytest.fixture
def fetching(tmp_path):
    return Fetching(str(tmp_path / "kept"), gigabytes=0.01, tries=2, seconds=5)


@pytest.fixture
def remote(faulty, files, fetching):
    for name in ("a.mp4", "c/b.MP4"):
        faulty.put(f"videos/{name}", (files.root / name).read_bytes())
    return open_videos("faulty://videos", fetching=fetching, threads=1)


@pytest.mark.parametrize("name", ["a", "a.mp4", "c/b"])
def test_reads_are_those_of_the_files(remote, files, name):
    remote.check(name)
    np.testing.assert_array_equal(remote.read(name, TIMES, center=0).frames, files.read(name, TIMES, center=0).frames)
    numbers = np.array([3, 1])
    expected = files.read_frames(name, numbers, center=0).frames
    np.testing.assert_array_equal(remote.read_frames(name, numbers, center=0).frames, expected)
    np.testing.assert_array_equal(remote.length(name).times, files.length(name).times)
    np.testing.assert_array_equal(remote.read_positions(name, numbers[::-1]), files.read_positions(name, numbers[::-1]))


def test_a_video_is_fetched_once(remote, faulty):
    for _ in range(3):
        remote.read("a", TIMES, center=0)
    assert faulty.asked.count("open") == 1


def test_file_urls_serve_other_processes(files, fetching):
    remote = open_videos(files.root.as_uri(), fetching=fetching, threads=1)
    remote.check("a")
    sent = pickle.loads(pickle.dumps(remote))
    np.testing.assert_array_equal(sent.read("a", TIMES, center=0).frames, files.read("a", TIMES, center=0).frames)


def test_errors_name_the_url(remote, faulty):
    with pytest.raises(ClipReadError, match=r"cannot read faulty://videos/a.mp4 at 9.000 s: the last frame") as failed:
        remote.read("a", np.array([9.0]), center=0)
    assert "kept" not in str(failed.value)
    with pytest.raises(
        ClipReadError, match=r"faulty://videos/no: no such file, with none .* is faulty://videos the folder"
    ):
        remote.check("no")
    with pytest.raises(ClipReadError, match=r"faulty://videos/no.mp4: no such file; is"):
        remote.check("no.mp4")
    faulty.put("videos/bad.mp4", b"no video at all" * 99)
    with pytest.raises(ClipReadError, match=r"cannot read faulty://videos/bad.mp4 at 0.300 s: it is no video"):
        remote.read("bad.mp4", TIMES, center=0)
    faulty.put("videos/a.mkv", b"x")
    fresh = pickle.loads(pickle.dumps(remote))
    fresh._found.clear()
    with pytest.raises(ClipReadError, match=r"several files have this name: a.mp4, a.mkv; keep one"):
        fresh.check("a")


def damage(path):
    """Half of the bytes become zero, and the file looks as before: what a disk does by itself."""
    stamp, content = path.stat(), path.read_bytes()
    with open(path, "r+b") as file:
        file.write(bytes(len(content) // 2))
    os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))


def test_a_kept_file_that_cannot_be_read_any_more_is_compared_with_the_store_and_fetched_again(remote, faulty):
    faulty.checksums = lambda content: {"ETag": f'"{md5(content)}"'}
    expected = remote.read("a", TIMES, center=0).frames
    damage(remote.path("a"))
    with pytest.raises(
        ClipReadError, match=r"a.mp4 at .*; the fetched file is not what the store has any more, and is f"
    ):
        remote.read("a", TIMES, center=0)
    np.testing.assert_array_equal(remote.read("a", TIMES, center=0).frames, expected)
    assert faulty.asked.count("open") == 2
    faulty.put("videos/bad.mp4", b"no video at all" * 99)  # bad at the store: it stays, and is not compared again
    for _ in range(3):
        with pytest.raises(ClipReadError, match=r"bad.mp4 at 0.300 s: it is no video") as failed:
            remote.read("bad.mp4", TIMES, center=0)
        assert "any more" not in str(failed.value)
    assert faulty.asked.count("open") == 3


def test_a_kept_file_that_cannot_be_read_stays_where_the_store_gives_no_checksum(remote, faulty):
    remote.read("a", TIMES, center=0)
    damage(remote.path("a"))
    for _ in range(2):
        with pytest.raises(ClipReadError, match=r"a.mp4"):
            remote.read("a", TIMES, center=0)
    assert faulty.asked.count("open") == 1


def test_a_kept_file_that_was_cut_off_is_fetched_again(remote, faulty):
    expected = remote.read("a", TIMES, center=0).frames
    path = remote.path("a")
    os.truncate(path, path.stat().st_size // 2)
    np.testing.assert_array_equal(remote.read("a", TIMES, center=0).frames, expected)
    assert faulty.asked.count("open") == 2


def test_what_cannot_be_fetched_cannot_be_read_and_can_be_later(remote, faulty):
    remote.check("a")
    faulty.before = Failing("open", 2, ConnectionResetError("reset"))
    with pytest.raises(ClipReadError, match=r"faulty://videos/a.mp4: not fetched: given up after 2 tries"):
        remote.read("a", TIMES, center=0)
    assert remote.read("a", TIMES, center=0).frames.shape[0] == 3
    faulty.before = Failing("info", 9, ConnectionResetError("reset"))
    with pytest.raises(ClipReadError, match=r"faulty://videos/z.mp4: not found out whether it is there: given up"):
        remote.check("z.mp4")


def test_another_state_of_a_video_is_another_file(remote, faulty, files, tmp_path):
    before = remote.read("a", TIMES, center=0).frames
    write_video(tmp_path / "other.mp4", frames=30, fps=20)
    faulty.put("videos/a.mp4", (tmp_path / "other.mp4").read_bytes())
    fresh = open_videos("faulty://videos", fetching=Fetching(str(remote.kept.folder)), threads=1)
    after = fresh.read("a", TIMES / 2, center=0).frames
    assert len(list(remote.kept.folder.glob("*.mp4"))) == 2 and before.shape == after.shape
    np.testing.assert_array_equal(after, VideoFiles(tmp_path, threads=1).read("other", TIMES / 2, center=0).frames)


def test_a_video_that_changes_at_the_store_is_asked_for_anew(remote, faulty, files):
    remote.check("a")
    faulty.put("videos/a.mp4", (files.root / "c/b.MP4").read_bytes() + b"more")
    with pytest.raises(ClipReadError, match=r"a.mp4: not fetched: .* bytes came of"):
        remote.read("a", TIMES, center=0)
    np.testing.assert_array_equal(remote.read("a", TIMES, center=0).frames, files.read("c/b", TIMES, center=0).frames)


def test_decoded_videos_are_not_fetched_again(remote, files, faulty, tmp_path):
    cached = CachedVideos(remote, tmp_path / "decoded")
    assert cached.prefill(["a", "c/b"]).decoded == 2
    for path in remote.kept.folder.glob("*.*"):
        path.unlink()
    opened = faulty.asked.count("open")
    np.testing.assert_array_equal(cached.read("a", TIMES, center=0).frames, files.read("a", TIMES, center=0).frames)
    assert faulty.asked.count("open") == opened == 2


def test_a_web_server_is_asked_for_each_name(remote, faulty, monkeypatch):
    monkeypatch.setattr(Store, "lists", False)
    remote.check("c/b")
    assert "ls" not in faulty.asked and remote._usual == ".MP4"
    asked = len(faulty.asked)
    faulty.put("videos/d.MP4", b"1")
    remote.check("d")  # the ending that served before comes first
    assert len(faulty.asked) == asked + 1
    with pytest.raises(ClipReadError, match="no such file, with none of the extensions"):
        remote.check("no")


def test_what_the_config_must_say(faulty, files, fetching):
    with pytest.raises(StoreError, match=r"^faulty://videos: name a folder .*\(DATA.REMOTE_CACHE_DIR\)"):
        open_videos("faulty://videos")
    small = Fetching(fetching.folder, gigabytes=1e-8)
    with pytest.raises(KeptFilesError, match=r"a.mp4 has .*: raise DATA.REMOTE_CACHE_GB"):
        open_videos(files.root.as_uri(), fetching=small).check("a")
