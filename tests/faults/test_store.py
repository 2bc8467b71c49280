"""Videos in a store: a run is the same as from a folder, and ends where the store is gone."""

from pathlib import Path

import pytest
import torch

from slowfast.engine.device.requests import STOPPED_EXIT_CODE
from slowfast.engine.record.step_log import StepLog
from slowfast.preparation.movies.all_movies import movies_below
from slowfast.preparation.movies.shards import write_shards
from tests.integration.conftest import SHORT
from tests.unit.video.remote.faulty_store import FaultyStore


@pytest.fixture
def faulty(toy_data):
    FaultyStore.reset()
    for path in (toy_data / "videos").iterdir():
        FaultyStore.put(f"videos/{path.name}", path.read_bytes())
    yield FaultyStore
    FaultyStore.reset()


@pytest.fixture
def train(run_main, toy_config, overrides, tmp_path):
    def train(url: str, *more: str, expect: int = 0):
        place = ("AVA.VIDEO_DIR", url, "DATA.CACHE_DIR", "", "DATA.REMOTE_CACHE_DIR", str(tmp_path / "kept"))
        workers = ("DATA_LOADER.NUM_WORKERS", "0", "DATA.REMOTE_TRIES", "1")
        return run_main(
            "tools/run_net.py", "--cfg", toy_config, *overrides, *SHORT, *place, *workers, *more, expect=expect
        )

    return train


def weights(run: Path) -> dict[str, torch.Tensor]:
    (file,) = (run / "checkpoints").glob("checkpoint_epoch_*.pyth")
    return torch.load(file, weights_only=True)["model_state"]


def test_a_run_from_a_store_is_that_from_a_folder(train, trained, toy_data, tmp_path):
    """The store has room for three of eight videos, so that most leave and come again."""
    sizes = sorted(path.stat().st_size for path in (toy_data / "videos").iterdir())
    room = str(sum(sizes[-3:]) / 1e9)
    options = ("OUTPUT_DIR", str(tmp_path / "other"), "TEST.ENABLE", "False", "DATA.REMOTE_CACHE_GB", room)
    train((toy_data / "videos").as_uri(), *options)
    expected, found = weights(trained), weights(tmp_path / "other")
    assert all(torch.equal(expected[name], found[name]) for name in expected)
    assert sum(path.stat().st_size for path in (tmp_path / "kept").iterdir()) <= float(room) * 1e9


def test_a_run_that_began_with_files_ends_with_shards_bit_for_bit_the_same(train, trained, toy_data, tmp_path):
    report = write_shards(movies_below([toy_data / "videos"]), tmp_path / "shards", shard_bytes=30_000)
    assert report.written > 2
    out = ("OUTPUT_DIR", str(tmp_path / "other"))
    train(str(toy_data / "videos"), *out, "TRAIN.TIME_LIMIT", "1e-6", expect=STOPPED_EXIT_CODE)
    done = train(report.root, *out, "TEST.ENABLE", "False")
    assert "going on after epoch 0 and 1 steps" in done.stdout
    expected, found = weights(trained), weights(tmp_path / "other")
    assert all(torch.equal(expected[name], found[name]) for name in expected)


def test_a_damaged_shard_is_clips_that_cannot_be_read(train, toy_data, tmp_path):
    """The last video of the first shard is cut off; DATA.PROBE_SECONDS tells of it before the first step."""
    report = write_shards(movies_below([toy_data / "videos"]), tmp_path / "shards", shard_bytes=30_000)
    first = tmp_path / "shards/shard-000000.tar"
    first.write_bytes(first.read_bytes()[:-20_000])
    done = train(report.root, "DATA.STRICT", "True", expect=1)
    assert f"{first}, member " in done.stderr and "the shard is cut off: it has " in done.stderr


def gone(what):
    if what == "open":
        raise ConnectionRefusedError("refused")


def test_a_store_that_goes_ends_a_run(train, faulty, toy_data, monkeypatch):
    """It goes after the first step, and one video is kept at a time."""
    real = StepLog.__call__

    def logged(self, *arguments):
        real(self, *arguments)
        faulty.before = gone

    monkeypatch.setattr(StepLog, "__call__", logged)
    room = str(1.05e-9 * max(path.stat().st_size for path in (toy_data / "videos").iterdir()))
    done = train("faulty://videos", "TRAIN.BATCH_SIZE", "1", "DATA.REMOTE_CACHE_GB", room, expect=1)
    assert "DATA.MAX_UNREADABLE" in done.stderr and "cannot read faulty://videos/" in done.stderr
    assert "given up after 1 try (DATA.REMOTE_TRIES): ConnectionRefusedError: refused" in done.stderr


def test_a_store_that_lists_and_gives_nothing(train, faulty):
    faulty.before = gone
    done = train("faulty://videos", expect=1)
    assert "can be read, so the run ends before it starts" in done.stderr
    assert "ConnectionRefusedError: refused" in done.stderr and "faulty://videos/" in done.stderr


@pytest.mark.parametrize(
    ("url", "more", "told"),
    [
        ("faulty://nowhere", (), "faulty://nowhere: the store answers, and has nothing there"),
        ("faulty://videos", ("DATA.REMOTE_CACHE_DIR", ""), "name a folder on a disk of this machine"),
        ("faulty://videos", ("DATA.REMOTE_CACHE_GB", "1e-6"), "raise DATA.REMOTE_CACHE_GB"),
        ("faulty://videos", ("AVA.ANNOTATION_DIR", "s3://b/v"), "AVA.ANNOTATION_DIR (s3://b/v) must be a path"),
        ("https://me:hunter2@h/v", (), "AVA.VIDEO_DIR is a URL with a password or a token in it"),
        ("https://h/v?sig=hunter2", (), "AVA.VIDEO_DIR is a URL with a password or a token in it"),
        ("https://h/v?sig=$NO_SUCH", (), "the environment has no variable NO_SUCH"),
    ],
)
def test_what_cannot_begin(train, faulty, tmp_path, url, more, told):
    done = train(url, *more, expect=1)
    assert told in done.stderr and "hunter2" not in done.stdout + done.stderr
    assert not list(tmp_path.rglob("*.pyth"))
