"""Scripts run as a user runs them, in a process of their own or, where only their work is asked about, in this one."""

import io
import os
import runpy
import subprocess
import sys
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.forks import run_in_processes
from tests.isolation import unchanged

SECONDS = 400.0


@dataclass(frozen=True)
class ToolRun:
    """What a script left: its exit code, and all that it printed."""

    returncode: int
    stdout: str
    stderr: str

    def checked(self, expect: int | None = 0) -> "ToolRun":
        """This run, once it has ended with `expect`; None allows any code."""
        text = f"exit {self.returncode}\n{self.stdout[-3000:]}\n{self.stderr[-3000:]}"
        assert expect is None or self.returncode == expect, text
        return self


def process(
    script: Path, arguments: Sequence[str], *, cwd: Path, processes: int = 0, seconds: float = SECONDS
) -> ToolRun:
    """`python SCRIPT ARGUMENTS`, or that many processes of torchrun. seconds: after which it is killed"""
    launcher = [sys.executable]
    if processes:
        launcher += ["-m", "torch.distributed.run", "--standalone", f"--nproc_per_node={processes}"]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [*launcher, str(script), *arguments]
    done = subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=seconds, check=False
    )
    return ToolRun(done.returncode, done.stdout, done.stderr)


def forked(
    script: Path, arguments: Sequence[str], *, cwd: Path, processes: int = 1, seconds: float = SECONDS
) -> ToolRun:
    """The script in processes of its own, several of which find one another as those of torchrun do, without their start.

    What the start of Python and the launcher of torchrun do beside that has tests of its own.
    """
    return ToolRun(*run_in_processes(script, arguments, cwd=cwd, processes=processes, seconds=seconds))


def here(script: Path, arguments: Sequence[str], *, cwd: Path) -> ToolRun:
    """The script as `__main__` of this process, which is afterwards as it was.

    An error that the script does not turn into a message and an exit code is raised: in a process it would be a
    traceback.
    """
    out, err = io.StringIO(), io.StringIO()
    with unchanged(), pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.chdir(cwd)
        patch.setattr(sys, "argv", [str(script), *arguments])
        code = 0
        try:
            runpy.run_path(str(script), run_name="__main__")
        except SystemExit as stop:
            code = stop.code or 0
    assert isinstance(code, int), f"{script.name} ends with {code!r}"
    return ToolRun(code, out.getvalue(), err.getvalue())
