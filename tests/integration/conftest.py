"""A small toy data set, made once, and a model small enough to train in seconds."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from slowfast.toy.data_set import make_toy_ava

SMALL_MODEL = [
    *("MVIT.EMBED_DIM", "16", "MVIT.DEPTH", "2", "MVIT.MLP_RATIO", "2"),
    *("MVIT.POOL_Q_STRIDE", "[[0,1,1,1],[1,1,2,2]]", "DATA.NUM_FRAMES", "4", "DATA.SAMPLING_RATE", "4"),
    *("TRAIN.BATCH_SIZE", "6", "TEST.BATCH_SIZE", "3", "LOG_PERIOD", "1", "TENSORBOARD.ENABLE", "False"),
]


@pytest.fixture(scope="session")
def toy_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """8 videos of 4 seconds: 14 train and 2 held-out key frames; all 16 are usable."""
    out = tmp_path_factory.mktemp("toy") / "data"
    make_toy_ava(out, videos=8, seconds=4, seed=3, num_workers=0)
    return out


@pytest.fixture
def overrides(toy_data: Path, tmp_path: Path) -> list[str]:
    """Overrides of configs/Toy/BMViT_toy.yaml for the small model on the small data, leaving everything in tmp_path/run."""
    return [
        *("OUTPUT_DIR", str(tmp_path / "run"), "DATA.CACHE_DIR", str(toy_data.parent / "cache")),
        *("AVA.VIDEO_DIR", str(toy_data / "videos"), "AVA.ANNOTATION_DIR", str(toy_data / "annotations")),
        *SMALL_MODEL,
    ]


@pytest.fixture(scope="session")
def toy_config(repo_root: Path) -> str:
    return str(repo_root / "configs/Toy/BMViT_toy.yaml")


@pytest.fixture
def run_tool(repo_root: Path, tmp_path: Path) -> Callable[..., subprocess.CompletedProcess]:
    """Run a script of tools/ from another directory, without an installed package on the path."""

    def run(script: str, *arguments: str, processes: int = 0, expect: int | None = 0) -> subprocess.CompletedProcess:
        launcher = [sys.executable]
        if processes:
            launcher += ["-m", "torch.distributed.run", "--standalone", f"--nproc_per_node={processes}"]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        environment.pop("PYTHONPATH", None)
        done = subprocess.run(
            [*launcher, str(repo_root / script), *arguments],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=400,
        )
        if expect is not None:
            assert done.returncode == expect, f"exit {done.returncode}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        return done

    return run
