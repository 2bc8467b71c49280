import os
import pickle
import shutil

import numpy as np
import pytest

from slowfast.preparation.movies.all_movies import movies_below
from slowfast.preparation.movies.shards import write_shards
from slowfast.video.open_videos import Fetching, open_videos
from slowfast.video.probe import probe
from slowfast.video.reader import VideoFiles
from slowfast.video.source import ClipReadError
from slowfast.video.stored.cache import CachedVideos
from tests.unit.video.hostile_files import joined
from tests.unit.video.remote.faulty_store import FaultyStore, md5
from tests.unit.video.video_maker import write_video

TIMES = np.array([0.3, 0.1, 2.0])


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("videos")
    (folder / "c").mkdir()
    for name in ("a.mp4", "c/b.MP4", "d.mkv"):
        write_video(folder / name, frames=30, fps=10)
    return VideoFiles(folder, threads=1)


@pytest.fixture
def shards(files, tmp_path):
    """Two shards: a and c/b, d."""
    sizes = [(files.root / name).stat().st_size for name in ("a.mp4", "c/b.MP4")]
    write_shards(movies_below([files.root]), tmp_path / "shards", shard_bytes=sum(sizes))
    return tmp_path / "shards"


def root_of(shards) -> str:
    return f"{shards}/shard-{{000000..000001}}.tar"


@pytest.fixture(params=["local", "store"])
def sharded(request, shards, tmp_path):
    root = root_of(shards)
    return open_videos(
        root if request.param == "local" else f"file://{root}",
        fetching=Fetching(str(tmp_path / "kept"), tries=1, seconds=5),
        threads=1,
    )


@pytest.mark.parametrize("name", ["a", "a.mp4", "c/b", "d"])
def test_reads_are_those_of_the_files(sharded, files, name):
    sharded.check(name)
    np.testing.assert_array_equal(sharded.read(name, TIMES, center=0).frames, files.read(name, TIMES, center=0).frames)
    numbers = np.array([3, 1])
    expected = files.read_frames(name, numbers, center=0).frames
    np.testing.assert_array_equal(sharded.read_frames(name, numbers, center=0).frames, expected)
    np.testing.assert_array_equal(sharded.length(name).times, files.length(name).times)
    sent = pickle.loads(pickle.dumps(sharded))
    np.testing.assert_array_equal(sent.read_positions(name, numbers[::-1]), files.read_positions(name, numbers[::-1]))


def test_nothing_but_the_video_is_fetched(shards, files, tmp_path):
    remote = open_videos(f"file://{root_of(shards)}", fetching=Fetching(str(tmp_path / "kept")), threads=1)
    remote.read("c/b", TIMES, center=0)
    kept = [path.stat().st_size for path in (tmp_path / "kept").glob("*.MP4")]
    assert kept == [(files.root / "c/b.MP4").stat().st_size]


def test_the_checksum_of_a_shard_is_not_that_of_a_video(shards, files, tmp_path):
    FaultyStore.reset()
    for path in shards.iterdir():
        FaultyStore.put(f"s/{path.name}", path.read_bytes())
    FaultyStore.checksums = lambda content: {"md5Hash": md5(content)}
    fetching = Fetching(str(tmp_path / "kept"), tries=1, seconds=5)
    remote = open_videos("faulty://s/shard-{000000..000001}.tar", fetching=fetching, threads=1)
    np.testing.assert_array_equal(remote.read("d", TIMES, center=0).frames, files.read("d", TIMES, center=0).frames)
    FaultyStore.reset()


def test_a_shard_that_is_not_finished_has_no_index(files, shards, monkeypatch):
    def full(*_):
        raise OSError("No space left on device")

    monkeypatch.setattr("slowfast.preparation.movies.shards.write_index", full)
    with pytest.raises(OSError, match="No space left"):
        write_shards(movies_below([files.root]), shards, shard_bytes=10**9)
    assert not (shards / "shard-000000.idx").exists()


def test_the_cache_and_the_first_look(sharded, files, tmp_path):
    cached = CachedVideos(sharded, tmp_path / "decoded")
    assert cached.prefill(["a", "d"]).decoded == 2
    np.testing.assert_array_equal(cached.read("a", TIMES, center=0).frames, files.read("a", TIMES, center=0).frames)
    assert CachedVideos(sharded, tmp_path / "decoded").prefill(["a", "d"]).reused == 2
    assert probe(sharded, ["a", "c/b", "no"], seconds=60).opened == 2


def test_errors_name_shard_and_member(sharded, shards):
    with pytest.raises(ClipReadError, match=r"shard-000000.tar, member a.mp4 at 9.000 s: the last frame") as failed:
        sharded.read("a", np.array([9.0]), center=0)
    assert "subfile" not in str(failed.value)
    with pytest.raises(ClipReadError, match=r"shards, member no: none of 2 shards has it, with none .* have 3 files"):
        sharded.check("no")
    tar = shards / "shard-000000.tar"
    content = bytearray(tar.read_bytes())
    content[512 + 40 : 512 + 90] = bytes(50)  # in the video
    tar.write_bytes(content)
    with pytest.raises(ClipReadError, match=r"shard-000000.tar, member a.mp4"):
        fresh(sharded).read("a", TIMES, center=0)
    content[100] ^= 0xFF  # in the header
    tar.write_bytes(content)
    with pytest.raises(ClipReadError, match=r"shard-000000.tar, member a.mp4: there is no tar header before it"):
        fresh(sharded).read("a", TIMES, center=0)
    tar.write_bytes(content[:3000])
    with pytest.raises(
        ClipReadError, match=r"shard-000000.tar, member c/b.MP4: the shard is cut off: it has 3000 bytes"
    ):
        fresh(sharded).read("c/b", TIMES, center=0)
    assert fresh(sharded).read("d", TIMES, center=0).frames.shape[0] == 3  # another shard
    tar.unlink()
    with pytest.raises(ClipReadError, match=r"shard-000000.tar, member a.mp4: (no such|No such)"):
        fresh(sharded).read("a", TIMES, center=0)


def fresh(sharded):
    """As a process that has not read anything."""
    for name in ("_found", "_shards"):
        getattr(sharded, name, {}).clear()
    return sharded


def test_shards_that_are_missing(shards, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"shard-000002.tar: no such shard"):
        open_videos(f"{shards}/shard-{{000000..000002}}.tar")
    (shards / "shard-000001.idx").unlink()
    assert len(open_videos(root_of(shards)).index) == 3  # its headers tell
    with pytest.raises(ValueError, match=r"shard-000001.idx: FileNotFoundError.*need their index files"):
        open_videos(f"file://{root_of(shards)}", fetching=Fetching(str(tmp_path / "kept"), tries=1))


def test_an_index_of_another_shard(shards):
    shutil.copy(shards / "shard-000001.idx", shards / "shard-000000.idx")
    shutil.copy(shards / "shard-000000.tar", shards / "other.tar")
    shutil.copy(shards / "shard-000001.idx", shards / "other.idx")
    with pytest.raises(ClipReadError, match=r"other.tar, member d.mkv: the shard has a.mp4 of .* of another shard"):
        open_videos(f"{shards}/other.tar").read("d", TIMES, center=0)


def test_timestamps_that_cannot_be_searched(tmp_path):
    """The whole file is decoded for an index: from the part of a shard as from a file."""
    (tmp_path / "videos").mkdir()
    write_video(tmp_path / "one.ts", frames=30, fps=10)
    joined(tmp_path / "one.ts", tmp_path / "one.ts", tmp_path / "videos/p.ts")
    files = VideoFiles(tmp_path / "videos", threads=1)
    write_shards(movies_below([files.root]), tmp_path / "shards", shard_bytes=10**9)
    sharded = open_videos(f"{tmp_path}/shards/shard-000000.tar", threads=1)
    np.testing.assert_array_equal(sharded.read("p", TIMES, center=0).frames, files.read("p", TIMES, center=0).frames)


def test_what_was_packed_stays_and_what_changed_is_packed_anew(files, tmp_path):
    videos = tmp_path / "videos"
    shutil.copytree(files.root, videos)
    pack = lambda size: write_shards(movies_below([videos]), tmp_path / "shards", shard_bytes=size)  # noqa: E731
    first = pack(1)
    assert (first.videos, first.written, first.kept) == (3, 3, 0) and first.root.endswith("/shard-{000000..000002}.tar")
    before = {path.name: path.read_bytes() for path in (tmp_path / "shards").iterdir()}
    (tmp_path / "shards/shard-000001.idx").unlink()  # as after a kill before it was written
    again = pack(1)
    assert (again.written, again.kept) == (1, 2)
    assert {path.name: path.read_bytes() for path in (tmp_path / "shards").iterdir()} == before
    os.utime(videos / "a.mp4", (1, 1))
    assert (pack(1).written, pack(10**9).written) == (1, 1)
    assert sorted(path.name for path in (tmp_path / "shards").iterdir()) == ["shard-000000.idx", "shard-000000.tar"]
    (videos / "a.mp4").rename(videos / "a b.mp4")
    with pytest.raises(ValueError, match=r"a b.mp4: a file in a shard may have no blank in its name"):
        pack(10**9)


def test_webdataset_reads_our_shards_and_we_its(files, shards, tmp_path):
    wds = pytest.importorskip("webdataset")
    read = {}
    for sample in wds.WebDataset(f"file:{root_of(shards)}", shardshuffle=False):
        (extension,) = [key for key in sample if not key.startswith("__")]
        read[sample["__key__"]] = sample[extension]
    assert read == {name.rpartition(".")[0]: (files.root / name).read_bytes() for name in ("a.mp4", "c/b.MP4", "d.mkv")}
    with wds.TarWriter(str(tmp_path / "theirs.tar")) as writer:
        writer.write({"__key__": "a", "mp4": (files.root / "a.mp4").read_bytes(), "json": {"label": 3}})
    theirs = open_videos(f"{tmp_path}/theirs.tar", threads=1)
    np.testing.assert_array_equal(theirs.read("a", TIMES, center=0).frames, files.read("a", TIMES, center=0).frames)
