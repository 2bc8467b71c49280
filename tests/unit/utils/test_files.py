"""slowfast.utils.files: a file appears whole or stays as it was, whatever goes wrong while it is written."""

import multiprocessing
import os
from pathlib import Path

import pytest

from slowfast.utils.files import FileWriteError, open_whole, whole_file, write_bytes, write_text


@pytest.fixture
def path(tmp_path) -> Path:
    (tmp_path / "result.txt").write_text("old")
    return tmp_path / "result.txt"


def only(path: Path, content: str) -> bool:
    """The folder holds that file alone, with that content."""
    return [p.name for p in path.parent.iterdir()] == [path.name] and path.read_text() == content


def test_text_and_bytes(path):
    write_text("é\r\n", path)
    assert path.read_bytes() == b"\xc3\xa9\r\n"
    write_bytes(b"\x00\xff", str(path))
    assert path.read_bytes() == b"\x00\xff"
    with open_whole(path) as file:
        print("line", file=file)
    assert only(path, "line\n")


def test_the_name_appears_when_the_file_is_complete(path):
    with whole_file(path) as temporary:
        assert temporary.parent == path.parent and temporary.name.startswith(".result.txt.")
        assert str(os.getpid()) in temporary.name and temporary.suffix == ".tmp"
        temporary.write_text("new")
        assert path.read_text() == "old"
    assert only(path, "new")


@pytest.mark.parametrize("error", [KeyboardInterrupt(), ValueError("half"), SystemExit(1)])
def test_errors_of_the_writer_pass_and_leave_what_was_there(path, error):
    with pytest.raises(type(error)) as raised, open_whole(path, "wb") as file:
        file.write(b"half of it")
        raise error
    assert raised.value is error and only(path, "old")


@pytest.mark.parametrize("fails", ["write", "fsync", "replace"])
def test_a_full_disk_names_the_path_and_leaves_what_was_there(path, monkeypatch, fails):
    full = OSError(28, "No space left on device")

    def stop(*_):
        raise full

    if fails != "write":
        monkeypatch.setattr(os, fails, stop)
    with pytest.raises(FileWriteError) as raised, open_whole(path) as file:
        file.write("half of it")
        if fails == "write":
            raise full
    shown = f"could not write {path}: [Errno 28] No space left on device; what was there before is untouched"
    assert str(raised.value) == shown
    assert raised.value.errno == 28 and raised.value.__cause__ is full
    assert only(path, "old")


def test_the_content_is_on_the_disk_before_the_name(path, monkeypatch):
    order = []
    fsync, replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda number: (order.append(os.fstat(number).st_size), fsync(number)))
    monkeypatch.setattr(os, "replace", lambda *names: (order.append("replace"), replace(*names)))
    write_text("12345", path)
    assert order == [5, "replace"] and only(path, "12345")


def test_other_failures_and_another_note(path):
    with (
        pytest.raises(OSError, match=r"could not write .*result.txt: torn; the rest is safe$"),
        open_whole(path, failures=(OSError, RuntimeError), note="the rest is safe"),
    ):
        raise RuntimeError("torn")
    with pytest.raises(RuntimeError, match=r"^torn$"), open_whole(path):
        raise RuntimeError("torn")
    assert only(path, "old")


def test_a_file_written_inside_another_is_the_one_that_is_named(path, tmp_path):
    with pytest.raises(FileWriteError) as raised, open_whole(path), open_whole(tmp_path / "inner.txt"):
        raise OSError("broken")
    assert str(raised.value).startswith(f"could not write {tmp_path / 'inner.txt'}: broken")
    assert only(path, "old")


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(OSError, match=r"could not write .*nowhere/a.txt: \[Errno 2\] No such file or directory; "):
        write_text("", tmp_path / "nowhere" / "a.txt")


def test_a_folder_is_not_replaced(tmp_path):
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="could not write"):
        write_text("", tmp_path / "folder")
    assert [p.name for p in tmp_path.iterdir()] == ["folder"]


def test_devices_and_pipes_are_written_to_themselves(tmp_path):
    write_text("gone", "/dev/null")
    assert Path("/dev/null").is_char_device()
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    write_text("through", pipe)
    assert os.read(reader, 20) == b"through" and pipe.is_fifo()
    os.close(reader)


def test_modes_that_add_or_read_are_refused(path):
    with pytest.raises(ValueError, match="mode 'w' or 'wb', got 'a'"), open_whole(path, "a"):
        pass
    assert only(path, "old")


def _write_often(path: str, letter: str) -> None:
    for _ in range(50):
        write_text(letter * 10_000, path)


def test_processes_that_write_one_file_do_not_collide(path):
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=_write_often, args=(str(path), letter)) for letter in "abc"]
    for writer in writers:
        writer.start()
    seen = {path.read_text() for _ in range(200)}
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0, 0, 0]
    assert seen <= {"old", *(letter * 10_000 for letter in "abc")}
    assert only(path, path.read_text()) and path.read_text() in [letter * 10_000 for letter in "abc"]
