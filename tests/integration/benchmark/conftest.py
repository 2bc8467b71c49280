"""tools/benchmark.py as a module and as a command."""

import importlib
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from tests.integration.benchmark.sizes import SMALL, TOY


@pytest.fixture(scope="module")
def tool(repo_root: Path):
    """tools/benchmark.py as a module; it puts its folder on the path by itself."""
    before = list(sys.path)
    sys.path.insert(0, str(repo_root / "tools"))
    yield importlib.import_module("benchmark")
    sys.path[:] = before


@pytest.fixture
def run(tool, repo_root, capsys, monkeypatch):
    threads = torch.get_num_threads()
    monkeypatch.setattr("bench.layers._LONG_ENOUGH", 0.0)

    def call(what: str, *options: str, blocks: Sequence[str] = ()) -> str:
        line = [what, "--cfg", str(repo_root / TOY), "--device", "cpu", "--threads", "1", "--repeats", "1", *options]
        assert tool.main([*line, "--set", *SMALL, *blocks]) == 0
        return capsys.readouterr().out

    yield call
    torch.set_num_threads(threads)
