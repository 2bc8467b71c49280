import errno
import os
import subprocess
import sys
import threading
import time

import pytest

from slowfast.video.remote import kept_files
from slowfast.video.remote.kept_files import KeptFiles, KeptFilesError


@pytest.fixture
def kept(tmp_path):
    return KeptFiles(tmp_path / "kept", limit=100, patience=0.3)


def fill(content: bytes):
    return lambda sink: sink.write(content)


def use(kept: KeptFiles, name: str, size: int = 40) -> bytes:
    with kept.hold(name, size, fill(name[0].encode() * size)) as path:
        return path.read_bytes()


def there(kept: KeptFiles) -> list[str]:
    return sorted(path.name for path in kept.folder.iterdir() if not path.name.startswith("."))


def test_a_file_is_fetched_once(kept):
    assert use(kept, "a.mp4") == b"a" * 40
    with kept.hold("a.mp4", 40, lambda sink: pytest.fail("fetched again")) as path:
        assert path.read_bytes() == b"a" * 40
    assert not list(kept.folder.glob("*.tmp"))


def test_the_least_recently_used_leave(kept):
    for name in ("a", "b", "a", "c"):
        use(kept, name)
    assert there(kept) == ["a", "c"]
    use(kept, "d", 100)
    assert there(kept) == ["d"]


def test_files_in_use_stay(kept):
    with kept.hold("a", 40, fill(b"a" * 40)) as path:
        for name in ("b", "c", "d"):
            use(kept, name)
        assert there(kept) == ["a", "d"] and path.read_bytes() == b"a" * 40
        with kept.hold("d", 40, fill(b"")), pytest.raises(KeptFilesError, match=r"in use, .*REMOTE_CACHE_GB, or lower"):
            use(kept, "e")
    assert use(kept, "e") == b"e" * 40


def test_a_file_larger_than_all_may_be(kept):
    with pytest.raises(
        KeptFilesError, match=r"^s3://b/x.mp4 has 2 GB, and all files .* 1e-07: raise DATA.REMOTE_CACHE"
    ):
        kept.check(2_000_000_000, "s3://b/x.mp4")
    with pytest.raises(KeptFilesError, match="REMOTE_CACHE_GB"):
        use(kept, "a", 101)


def test_nothing_half_is_left(kept):
    def broken(sink):
        sink.write(b"half")
        raise RuntimeError("cut")

    with pytest.raises(RuntimeError), kept.hold("a", 40, broken):
        pass
    assert not [name for name in os.listdir(kept.folder) if name.endswith((".tmp", "a"))]
    assert use(kept, "a") == b"a" * 40


def test_a_file_of_another_size_is_fetched_anew(kept):
    use(kept, "a")
    (kept.folder / "a").write_bytes(b"a" * 7)
    assert use(kept, "a") == b"a" * 40


@pytest.mark.parametrize("how", ["in place", "copied over", "touched"])
def test_a_file_that_was_written_to_is_fetched_anew(kept, how):
    """Of the same size: its time of change tells, and a use does not change that."""
    use(kept, "a")
    path = kept.folder / "a"
    if how == "in place":
        with open(path, "r+b") as file:
            file.write(b"x")
    elif how == "copied over":
        path.write_bytes(b"x" * 40)
    else:
        path.touch()
    asked = []
    with kept.hold("a", 40, lambda sink: asked.append(sink.write(b"a" * 40))) as found:
        assert found.read_bytes() == b"a" * 40 and asked == [40]
    with kept.hold("a", 40, lambda sink: pytest.fail("fetched again")):
        pass


def test_a_full_disk(kept, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(kept_files, "_allocate", full)
    with pytest.raises(KeptFilesError, match=r"No space left on device while 4e-08 GB were fetched.*REMOTE_CACHE_DIR"):
        use(kept, "a")
    assert there(kept) == []


def test_a_folder_that_cannot_be(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(KeptFilesError, match=r"\(DATA.REMOTE_CACHE_DIR\)"):
        use(KeptFiles(tmp_path / "file/kept", limit=100), "a")


def test_a_file_that_is_removed_while_it_is_opened_is_fetched_anew(kept, monkeypatch):
    use(kept, "a")
    real, removed = kept_files.fcntl.flock, []

    def slow(file, how):
        if how == kept_files.fcntl.LOCK_SH and not removed:
            removed.append((kept.folder / "a").unlink())
        real(file, how)

    monkeypatch.setattr(kept_files.fcntl, "flock", slow)
    with kept.hold("a", 40, fill(b"b" * 40)) as path:
        assert path.read_bytes() == b"b" * 40
    assert removed


def test_two_at_once_fetch_one_file_once(kept):
    calls, inside = [], threading.Barrier(2)

    def slow(sink):
        calls.append(1)
        time.sleep(0.1)
        sink.write(b"a" * 40)

    def work():
        inside.wait()
        with kept.hold("a", 40, slow) as path:
            assert path.read_bytes() == b"a" * 40

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert calls == [1]


def test_what_a_killed_process_left_goes_and_what_one_at_work_writes_stays(kept):
    """The first is killed in the middle of a fetch, the second still fetches."""
    code = (
        "import sys, time; from slowfast.video.remote.kept_files import KeptFiles\n"
        "def slow(sink): print('at it', flush=True); sys.stdin.read()\n"
        "with KeptFiles(sys.argv[1], limit=100).hold(sys.argv[2], 40, slow): pass"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(kept.folder), name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        for name in ("killed", "working")
    ]
    try:
        assert [process.stdout.readline() for process in processes] == [b"at it\n"] * 2
        processes[0].kill()
        processes[0].wait()
        assert len(list(kept.folder.glob(".*.tmp"))) == 2
        assert use(kept, "b", 60) == b"b" * 60  # 40 of 100 are taken by the one at work
        assert [path.name.split(".")[1] for path in kept.folder.glob(".*.tmp")] == ["working"]
    finally:
        for process in processes:
            process.kill()
            process.communicate()
