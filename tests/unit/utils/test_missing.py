"""A package that is not installed is one line and exit code 1, wherever it is missed."""

import subprocess
import sys

import pytest
from torch._utils import ExceptionWrapper

from slowfast.engine.device.launch import USER_ERRORS
from slowfast.utils.missing import MissingPackageError

TEXT = "video files are read and written by PyAV, which is not installed: pip install av"


def test_it_is_something_that_a_user_can_mend():
    assert isinstance(MissingPackageError(TEXT), USER_ERRORS) and isinstance(MissingPackageError(TEXT), ImportError)
    assert not isinstance(ImportError("cannot import name 'gone'"), USER_ERRORS)  # a fault of ours keeps its traceback


def test_what_a_loader_process_hands_over_is_one_line():
    try:
        raise MissingPackageError(TEXT)
    except MissingPackageError:
        handed_over = ExceptionWrapper(where="in DataLoader worker process 0")
    with pytest.raises(MissingPackageError) as told:
        handed_over.reraise()
    assert str(told.value) == TEXT


def test_a_command_says_it_in_a_line(tmp_path, repo_root):
    (tmp_path / "av.py").write_text('raise ImportError("there is none")\n')
    script = str(repo_root / "tools" / "make_toy_ava.py")
    code = f"import runpy, sys; sys.path[:0] = [{str(tmp_path)!r}]; runpy.run_path({script!r}, run_name='__main__')"
    command = [sys.executable, "-c", code, "--out", "toy", "--videos", "2", "--seconds", "4"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
    assert (done.returncode, done.stderr.strip()) == (1, f"make_toy_ava: {TEXT}")
