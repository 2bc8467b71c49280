"""Fixtures of the whole suite: where the repository is, and where the shared data is."""

import os
from pathlib import Path

import pytest


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
