"""A small toy data set, a model small enough to train in seconds, and runs of it that several tests look at."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from slowfast.toy.data_set import make_toy_ava
from tests.integration.small_classifiers import make_small_sets
from tests.once import Once
from tests.tool_runs import forked

SMALL_MODEL = [
    *("MVIT.EMBED_DIM", "16", "MVIT.DEPTH", "2", "MVIT.MLP_RATIO", "2"),
    *("MVIT.POOL_Q_STRIDE", "[[0,1,1,1],[1,1,2,2]]", "DATA.NUM_FRAMES", "4", "DATA.SAMPLING_RATE", "4"),
    *("TRAIN.BATCH_SIZE", "6", "TEST.BATCH_SIZE", "3", "LOG_PERIOD", "1", "TENSORBOARD.ENABLE", "False"),
    *("TEST.REPORT", "False"),  # its plots take three times as long as all else of a run
]
REPORTED = ["TEST.REPORT", "True"]
# Keys of PySlowFast that change nothing here go along, so that every user of the run sees that they do not.
SHORT = [
    *("SOLVER.MAX_EPOCH", "1", "SOLVER.WARMUP_EPOCHS", "0.5", "TRAIN.CHECKPOINT_PERIOD", "1"),
    *("DETECTION.ALIGNED", "True", "BN.USE_PRECISE_STATS", "False"),
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder is marked, for `make test-fast` to leave out."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.integration)


@pytest.fixture(scope="session")
def toy_data(once: Once) -> Path:
    """8 videos of 4 seconds: 14 train and 2 held-out key frames; all 16 are usable."""
    return once.folder("toy", lambda out: make_toy_ava(out, videos=8, seconds=4, seed=3, num_workers=0))


@pytest.fixture(scope="session")
def on_toy_data(once: Once, toy_data: Path) -> list[str]:
    """Overrides of configs/Toy/BMViT_toy.yaml for the small model on the small data."""
    return [
        *("DATA.CACHE_DIR", str(once.root / "pixels")),  # processes may fill and read it at once
        *("AVA.VIDEO_DIR", str(toy_data / "videos"), "AVA.ANNOTATION_DIR", str(toy_data / "annotations")),
        *SMALL_MODEL,
    ]


@pytest.fixture
def overrides(on_toy_data: list[str], tmp_path: Path) -> list[str]:
    """These, leaving everything in tmp_path/run."""
    return ["OUTPUT_DIR", str(tmp_path / "run"), *on_toy_data]


@pytest.fixture(scope="session")
def toy_config(repo_root: Path) -> str:
    return str(repo_root / "configs/Toy/BMViT_toy.yaml")


@pytest.fixture(scope="session")
def roi_config(repo_root: Path) -> str:
    return str(repo_root / "configs/Toy/RoI_toy.yaml")


@pytest.fixture(scope="session")
def train_once(once: Once, repo_root: Path, on_toy_data: list[str]) -> Callable[[str, str], Path]:
    """(name, config) -> a folder with what a user's `run_net.py` left after an epoch: run/ and what it printed, stdout.txt."""

    def train(name: str, config: str) -> Path:
        def build(folder: Path) -> None:
            arguments = ["--cfg", config, "OUTPUT_DIR", "run", *on_toy_data, *SHORT, *REPORTED]
            done = forked(repo_root / "tools/run_net.py", arguments, cwd=folder).checked()
            (folder / "stdout.txt").write_text(done.stdout, encoding="utf-8")

        return once.folder(name, build)

    return train


@pytest.fixture
def trained(train_once: Callable[[str, str], Path], toy_config: str, tmp_path: Path) -> Path:
    """The test's own copy of a run of BMViT, in tmp_path/run."""
    return Path(shutil.copytree(train_once("trained", toy_config) / "run", tmp_path / "run"))


@pytest.fixture
def trained_roi(train_once: Callable[[str, str], Path], roi_config: str, tmp_path: Path) -> Path:
    """The test's own copy of a run of the two-stage model on annotated boxes, in tmp_path/run."""
    return Path(shutil.copytree(train_once("trained_roi", roi_config) / "run", tmp_path / "run"))


@pytest.fixture(scope="session")
def small_sets(once: Once) -> Path:
    return once.folder("small_video_sets", make_small_sets)
