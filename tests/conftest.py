"""Fixtures of the whole suite: where things are, one thread a process, what is made once, tools run in this process."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

# Before torch is imported, here and in every process that a test starts: processes fill the cores, not threads.
os.environ["OMP_NUM_THREADS"] = "1"

import pytest

from slowfast.utils.seed import seed_everything
from tests.isolation import unchanged
from tests.once import Once
from tests.tool_runs import SECONDS, ToolRun, forked, here, process


@pytest.fixture(scope="session")
def repo_root() -> Path:
    return Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def shared_dir(repo_root: Path) -> Path:
    """The shared data beside the repository, or $BMVIT_SHARED; the test skips where there is none."""
    shared = Path(os.environ.get("BMVIT_SHARED", repo_root.parent / "shared"))
    if not (shared / "data").is_dir():
        pytest.skip(f"no shared data at {shared}: set BMVIT_SHARED to the folder that holds data/ and golden/")
    return shared


@pytest.fixture(autouse=True)
def _alone() -> Iterator[None]:
    """A test draws the same numbers and logs in the same way whatever ran before it, here or in another process."""
    with unchanged():
        seed_everything(0)
        yield


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory) -> Once:
    """Folders that are made once for all processes of the suite. Nobody may write to one: copy it first."""
    root = tmp_path_factory.getbasetemp()
    return Once(root.parent if "PYTEST_XDIST_WORKER" in os.environ else root)


@pytest.fixture
def run_main(repo_root: Path, tmp_path: Path) -> Callable[..., ToolRun]:
    """Run a script of tools/ in this process, from another folder: as run_tool, five seconds faster.

    With `processes` in that many of their own, which start at once (tests/forks.py).
    """

    def run(script: str, *arguments: str, processes: int = 0, expect: int | None = 0) -> ToolRun:
        path = repo_root / script
        if processes:
            return forked(path, arguments, cwd=tmp_path, processes=processes).checked(expect)
        return here(path, arguments, cwd=tmp_path).checked(expect)

    return run


@pytest.fixture
def run_tool(repo_root: Path, tmp_path: Path) -> Callable[..., ToolRun]:
    """Run a script of tools/ as a user does: a process of its own, another folder, no installed package on the path."""

    def run(
        script: str, *arguments: str, processes: int = 0, expect: int | None = 0, seconds: float = SECONDS
    ) -> ToolRun:
        done = process(repo_root / script, arguments, cwd=tmp_path, processes=processes, seconds=seconds)
        return done.checked(expect)

    return run
