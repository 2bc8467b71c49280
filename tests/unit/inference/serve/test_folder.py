"""The folder of a page: its own goes with it, and those of killed pages go with the next one."""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from slowfast.inference.serve import folder as module
from slowfast.inference.serve.folder import LOCK, PREFIX, page_folder, remove_leftovers

PAGE = """
import runpy, sys
page_folder = runpy.run_path(sys.argv[1])["page_folder"]
with page_folder(print) as folder:
    (folder / "video.mp4").write_bytes(bytes(2_000_000))
    print(folder, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def temporary(tmp_path, monkeypatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_the_folder_is_private_and_goes_at_the_end(temporary):
    with page_folder(print) as folder:
        assert folder.parent == temporary and folder.stat().st_mode & 0o077 == 0
    assert not any(temporary.iterdir())


def test_a_killed_page_is_cleaned_up_after_and_a_living_one_is_not(temporary):
    """The page is a process that has imported nothing but this module, as torch takes its time."""
    command = [sys.executable, "-c", PAGE, module.__file__]
    environment = os.environ | {"TMPDIR": str(temporary)}
    page = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
    try:
        assert page.stdout is not None
        left, told = Path(page.stdout.readline().strip()), []
        with page_folder(told.append) as mine:
            page.send_signal(signal.SIGKILL)
            page.wait()
            assert (left / "video.mp4").is_file() and not told
            with page_folder(told.append):
                assert not left.exists() and mine.is_dir()
        assert told == [f"removed {left} (2.0 MB), which a page that was killed had left"]
    finally:
        page.kill()
        page.communicate()


def test_what_is_no_dead_page_is_left_alone(tmp_path):
    (tmp_path / f"{PREFIX}starting").mkdir()  # not locked yet
    (tmp_path / f"{PREFIX}file").write_bytes(b"")
    other = tmp_path / "other"
    other.mkdir()
    (other / LOCK).write_bytes(b"")
    (tmp_path / f"{PREFIX}link").symlink_to(other)
    before = sorted(tmp_path.rglob("*"))
    told: list[str] = []
    remove_leftovers(tmp_path, told.append)
    assert sorted(tmp_path.rglob("*")) == before and not told


def test_another_users_folder_is_left_alone(tmp_path, monkeypatch):
    left = tmp_path / f"{PREFIX}theirs"
    left.mkdir()
    (left / LOCK).write_bytes(b"")
    mine = os.getuid()
    monkeypatch.setattr(os, "getuid", lambda: mine + 1)
    remove_leftovers(tmp_path, print)
    assert left.is_dir()
    monkeypatch.setattr(os, "getuid", lambda: mine)
    remove_leftovers(tmp_path, lambda text: None)
    assert not left.exists()
