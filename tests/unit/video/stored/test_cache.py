import json
import logging
import os
import pickle
import shutil
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from slowfast.utils.missing import MissingPackageError
from slowfast.video.decoding.notes import forget_notes
from slowfast.video.reader import VideoFiles
from slowfast.video.source import ClipReadError
from slowfast.video.stored import cache as pixel_cache
from slowfast.video.stored import disk_room, whole_decoding
from slowfast.video.stored.cache import CachedVideos
from tests.unit.video.video_maker import number_in, write_video


@pytest.fixture
def videos(tmp_path):
    (tmp_path / "videos").mkdir()
    for name in ("a", "b", "c"):
        write_video(tmp_path / "videos" / f"{name}.mp4", frames=30, fps=10)
    return VideoFiles(tmp_path / "videos", threads=1)


@pytest.fixture
def cached(videos, tmp_path):
    return CachedVideos(videos, tmp_path / "cache")


def test_reads_equal_the_source(videos, cached):
    rng = np.random.default_rng(0)
    for _ in range(6):
        times = rng.uniform(-0.5, 3.5, 6)
        times[2] = rng.uniform(0, 2.9)
        expected, found = videos.read("a", times, center=2), cached.read("a", times, center=2)
        np.testing.assert_array_equal(found.frames, expected.frames)
        assert found.clamped == expected.clamped
        numbers = rng.integers(-2, 34, 6)
        numbers[2] = 7
        expected, found = videos.read_frames("a", numbers, center=2), cached.read_frames("a", numbers, center=2)
        np.testing.assert_array_equal(found.frames, expected.frames)
        assert found.clamped == expected.clamped
    assert (cached.built, cached.rebuilt) == (1, 0)


def test_errors_equal_the_source(videos, cached):
    for call in (
        lambda source: source.read("a", np.array([5.0]), center=0),
        lambda source: source.read_frames("a", np.array([31]), center=0),
        lambda source: source.read("nowhere", np.array([5.0]), center=0),
    ):
        with pytest.raises(ClipReadError) as expected:
            call(videos)
        with pytest.raises(ClipReadError) as found:
            call(cached)
        assert str(found.value) == str(expected.value)


def test_shrunk_frames(cached, videos, tmp_path):
    small = CachedVideos(videos, tmp_path / "cache", short_side=24)
    assert small.read("a", np.array([1.0]), center=0).frames.shape == (1, 24, 32, 3)
    assert cached.read("a", np.array([1.0]), center=0).frames.shape == (1, 48, 64, 3)  # its own entry


def test_a_second_process_reuses_the_files(cached, videos, tmp_path, monkeypatch):
    cached.read("a", np.array([1.0]), center=0)
    monkeypatch.setattr(pixel_cache.ByPyAV, "write", lambda *_, **__: pytest.fail("decoded again"))
    again = CachedVideos(videos, tmp_path / "cache")
    assert number_in(again.read("a", np.array([1.0]), center=0).frames[0]) == 10
    copy = pickle.loads(pickle.dumps(cached))  # what a spawned worker gets
    assert number_in(copy.read("a", np.array([2.0]), center=0).frames[0]) == 20
    assert len(pickle.dumps(cached)) < 2000


def npy_and_json(cache_dir):
    (npy,), (meta,) = cache_dir.glob("*.npy"), cache_dir.glob("*.json")
    return npy, meta


@pytest.mark.parametrize("damage", ["truncated", "empty", "no pixels", "not json", "short times", "old decoder"])
def test_broken_entries_are_rebuilt_and_counted(cached, videos, tmp_path, damage):
    cached.read("a", np.array([1.0]), center=0)
    npy, meta = npy_and_json(tmp_path / "cache")
    if damage == "truncated":
        npy.write_bytes(npy.read_bytes()[:-1000])
    elif damage == "empty":
        npy.write_bytes(b"")
    elif damage == "no pixels":
        npy.unlink()
    elif damage == "not json":
        meta.write_text("{")
    else:
        content = json.loads(meta.read_text())
        if damage == "short times":
            content["timeline"]["times"].pop()
        else:
            content["identity"]["decoder"] = "PyAV 1.0"
        meta.write_text(json.dumps(content))
    again = CachedVideos(videos, tmp_path / "cache")
    assert number_in(again.read("a", np.array([1.0]), center=0).frames[0]) == 10
    assert (again.built, again.rebuilt) == (1, 1)
    assert len(list((tmp_path / "cache").iterdir())) == 2


def test_a_changed_video_is_decoded_anew_also_in_a_running_process(cached, videos, tmp_path):
    cached.read("a", np.array([1.0]), center=0)
    shutil.copy(write_video(tmp_path / "other.mp4", frames=50, fps=10), videos.path("a"))
    assert number_in(cached.read("a", np.array([4.0]), center=0).frames[0]) == 40
    assert (cached.built, cached.rebuilt) == (2, 1)


def test_a_killed_or_full_disk_leaves_no_entry(cached, videos, tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(pixel_cache.os, "replace", full)
        with pytest.raises(
            OSError, match=r"No space left on device while writing the decoded frames of .*a.mp4 to .*cache"
        ):
            cached.read("a", np.array([1.0]), center=0)
    assert list((tmp_path / "cache").iterdir()) == []
    assert number_in(cached.read("a", np.array([1.0]), center=0).frames[0]) == 10


def test_writing_errors_are_not_taken_for_unreadable_clips(cached, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(whole_decoding.GrowingFile, "_write_header", full)
    with pytest.raises(OSError, match="No space left"):
        cached.read("a", np.array([1.0]), center=0)


@pytest.mark.parametrize("num_workers", [0, 2])
def test_prefill(cached, videos, tmp_path, num_workers):
    (tmp_path / "videos" / "broken.mp4").write_bytes(b"no video")
    cached.read("b", np.array([1.0]), center=0)
    report = cached.prefill(["a", "b", "broken", "c", "a"], num_workers=num_workers)
    assert (report.decoded, report.rebuilt, report.reused, len(report.failed)) == (2, 0, 1, 1)
    assert str(report).startswith(
        "2 videos decoded (0 of them anew: stale or broken entry), 1 found in the cache, 1 cannot"
    )
    assert "broken.mp4" in str(report).splitlines()[1]
    again = CachedVideos(videos, tmp_path / "cache")
    for name in "abc":
        again.read(name, np.array([1.0]), center=0)
    assert again.built == 0


def with_free(monkeypatch, free):
    """As if the disk had so many bytes free that may be written."""
    usage = SimpleNamespace(total=0, free=free)
    monkeypatch.setattr(disk_room.shutil, "disk_usage", lambda folder: usage)


@pytest.mark.parametrize("short_side", [None, 24])
def test_the_log_says_what_decoded_videos_will_take(videos, tmp_path, monkeypatch, caplog, short_side):
    cached = CachedVideos(videos, tmp_path / "cache", short_side=short_side)
    pixels = 3 * 30 * (48 * 64 if short_side is None else 24 * 32) * 3
    with_free(monkeypatch, pixels)
    with caplog.at_level(logging.INFO, "slowfast"):
        cached.prefill(["a", "b", "c", "nowhere"])
    assert f"3 videos decoded to {tmp_path / 'cache'} will take about {pixels / 1000:.3g} kB" in caplog.text
    found = sum(file.stat().st_size - 128 for file in (tmp_path / "cache").glob("*.npy"))
    assert found == pixels  # what was said is what was written, but for the headers


def test_what_does_not_fit_is_not_begun(cached, tmp_path, monkeypatch):
    with_free(monkeypatch, 500_000)
    message = r"3 videos decoded to .*cache will take about 829 kB, and 500 kB are free for them there: lower DATA.CACHE_SHORT"
    with pytest.raises(OSError, match=message):
        cached.prefill(["a", "b", "c"])
    assert not (tmp_path / "cache").exists()
    with pytest.raises(OSError, match=r"4 videos decoded to .* will take about 1\.11 MB"):
        cached.prefill(["a", "b"], shares=2)
    cached.prefill(["a"])


def test_the_log_advises_against_the_cache_for_a_large_set(videos, tmp_path, monkeypatch, caplog):
    paths = [tmp_path / "videos" / "a.mp4"]
    monkeypatch.setattr(disk_room, "_room", lambda folder: 4e12)
    for size, advised in ((49e9, False), (2.8e12, True)):
        monkeypatch.setattr(disk_room, "decoded_bytes", lambda path, side, size=size: int(size))
        caplog.clear()
        with caplog.at_level(logging.INFO, "slowfast"):
            disk_room.check_room(paths, tmp_path / "cache", short_side=256)
        assert ("re-encode the videos (bmvit prepare-data)" in caplog.text) is advised


def test_filling_stops_before_the_disk_is_full(cached, videos, tmp_path, monkeypatch):
    """Others write, too: what was free at the start is not there in the end."""
    write_video(tmp_path / "videos" / "long.mp4", frames=150, fps=10)
    left = iter([2_000_000, 2_000_000, 1000, 0])
    monkeypatch.setattr(disk_room, "_room", lambda folder: next(left))
    message = (
        r"No space left on device while writing the decoded frames of .*long.mp4 to .*: lower DATA.CACHE_SHORT_SIDE"
    )
    with pytest.raises(OSError, match=message):
        cached.prefill(["long"])
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_real_video_equals_the_source(shared_dir, tmp_path):
    source = VideoFiles(shared_dir / "data" / "videos", threads=1)
    cache = CachedVideos(source, tmp_path)
    for name in (
        "people/mmaction2_test.avi",
        "robustness/torchcodec_var_fps_video.mp4",
        "robustness/decord_video_90.mov",
    ):
        times = np.array([0.0, 0.05, -1.0, 2.5, 99.0])
        np.testing.assert_array_equal(
            cache.read(name, times, center=1).frames, source.read(name, times, center=1).frames
        )
    for read in (source, cache):
        with pytest.raises(ClipReadError, match="damaged between second 2"):
            read.read("robustness/decord_corrupted.mp4", np.array([3.5]), center=0)


def test_without_pyav_entries_are_taken_whatever_decoded_them(cached, videos, tmp_path, monkeypatch, caplog):
    read = cached.read("a", np.array([1.0]), center=0).frames
    decoder = pixel_cache.ByPyAV().name()

    def missing(*_, **__):
        raise MissingPackageError("pip install av")

    monkeypatch.setattr(pixel_cache.ByPyAV, "name", lambda self: "")
    monkeypatch.setattr(pixel_cache.ByPyAV, "write", missing)
    forget_notes()
    again = CachedVideos(videos, tmp_path / "cache")
    assert np.array_equal(again.read("a", np.array([1.0]), center=0).frames, read)
    assert f"PyAV is not installed, so entries are taken as {decoder} decoded them" in caplog.text
    os.utime(videos.path("a"), (1, 1))  # another file by now
    with pytest.raises(MissingPackageError, match="pip install av"):
        again.read("a", np.array([1.0]), center=0)


def test_what_decodes_is_named_where_it_is_installed(monkeypatch):
    assert pixel_cache.ByPyAV().name().startswith("PyAV ")
    monkeypatch.setitem(sys.modules, "av", None)
    assert pixel_cache.ByPyAV().name() == ""
