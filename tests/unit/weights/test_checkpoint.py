"""slowfast.weights.checkpoint: whole or not at all, the newest that can be read, and what is kept."""

import logging
import os

import pytest
import torch

from slowfast.commands.runs import verify_checkpoint
from slowfast.utils.logging import LOGGER_NAME
from slowfast.weights.checkpoint import Checkpointer, write_atomically


@pytest.fixture
def log(caplog, monkeypatch):
    """Captured messages of the project, whether or not an earlier test has set its logger up."""
    logger = logging.getLogger(LOGGER_NAME)
    monkeypatch.setattr(logger, "propagate", False)
    logger.addHandler(caplog.handler)
    caplog.set_level(logging.INFO, logger=LOGGER_NAME)
    yield caplog
    logger.removeHandler(caplog.handler)


def state(value: float) -> dict:
    return {"model_state": {"weight": torch.full((100,), value)}, "best_map": value}


def names(folder) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def cut_off(path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def test_a_checkpoint_comes_back_as_it_was(tmp_path):
    checkpointer = Checkpointer(tmp_path / "new" / "folder")
    path = checkpointer.save(12, state(0.5))
    assert path == tmp_path / "new" / "folder" / "checkpoint_epoch_00012.pyth" == checkpointer.path(12)
    found_path, found = checkpointer.newest()
    assert found_path == path and found["epoch"] == 12 and found["best_map"] == 0.5
    assert torch.equal(found["model_state"]["weight"], torch.full((100,), 0.5))


def test_there_may_be_none(tmp_path):
    assert Checkpointer(tmp_path / "nowhere").newest() is None
    (tmp_path / "best.pyth").write_bytes(b"another file")
    assert Checkpointer(tmp_path).newest() is None


def test_the_order_is_that_of_the_numbers(tmp_path):
    checkpointer = Checkpointer(tmp_path, keep=9)
    for epoch in (99_999, 9, 100_000, 10):
        checkpointer.save(epoch, state(epoch))
    assert [path.name.split("_")[-1] for path in checkpointer.saved()] == [
        "00009.pyth",
        "00010.pyth",
        "99999.pyth",
        "100000.pyth",
    ]
    assert checkpointer.newest()[1]["epoch"] == 100_000


@pytest.mark.parametrize("keep", [1, 2, 3])
def test_the_last_few_are_kept(tmp_path, keep):
    (tmp_path / "best.pyth").write_bytes(b"kept")
    for epoch in range(1, 6):
        Checkpointer(tmp_path, keep=keep).save(epoch, state(epoch))
    kept = [f"checkpoint_epoch_{epoch:05d}.pyth" for epoch in range(6 - keep, 6)]
    assert names(tmp_path) == ["best.pyth", *kept]


@pytest.mark.parametrize("part", ["model_state", "ema_state"])
def test_numbers_that_are_not_finite_fall_back_to_the_one_before(tmp_path, part):
    checkpointer = Checkpointer(tmp_path)
    for epoch, value in ((1, 1.0), (2, float("nan"))):
        checkpointer.save(epoch, state(epoch) | {part: {"weight": torch.full((3,), value)}})
    path, content = checkpointer.newest()
    assert path.name == "checkpoint_epoch_00001.pyth" and content[part]["weight"].tolist() == [1.0] * 3


def test_what_killed_writes_left_is_removed_and_nothing_else(tmp_path):
    others = [".checkpoint_epoch_00001.pyth.note", "checkpoint.tmp", ".keep.tmp"]
    for name in (*others, ".checkpoint_epoch_00002.pyth.123-0123abcd.tmp", ".best.pyth.123-0123abcd.tmp"):
        (tmp_path / name).write_bytes(b"half")
    (tmp_path / ".checkpoint_epoch_00003.distcp.123-0123abcd.tmp").mkdir()
    Checkpointer(tmp_path).remove_leftovers()
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(others)


def test_within_an_epoch_two_are_kept_until_it_is_done(tmp_path):
    """Beside those of whole epochs, which they do not push out."""
    checkpointer = Checkpointer(tmp_path, keep=1)
    checkpointer.save(1, state(1))
    for step in (10, 20, 30):
        checkpointer.save(1, state(1), step=step)
    assert names(tmp_path) == [f"checkpoint_epoch_00001{part}.pyth" for part in ("", "_step_000020", "_step_000030")]
    checkpointer.save(2, state(2))
    assert names(tmp_path) == ["checkpoint_epoch_00002.pyth"]


def test_a_run_or_its_folder_of_checkpoints_is_verified(tmp_path, capsys):
    folder = tmp_path / "checkpoints"
    Checkpointer(folder).save(3, state(3))
    for given in (tmp_path, folder):
        assert verify_checkpoint.main([str(given)]) == 0
        assert f"{folder}: a run would go on from checkpoint_epoch_00003.pyth" in capsys.readouterr().out
    (tmp_path / "empty").mkdir()
    assert verify_checkpoint.main([str(tmp_path / "empty")]) == 1
    assert f"{tmp_path / 'empty'} holds no checkpoint, .pyth or .distcp" in capsys.readouterr().err


@pytest.mark.parametrize("keep", [1, 2, 3])
def test_a_new_run_in_an_old_folder_keeps_what_it_has_just_written(tmp_path, keep):
    for epoch in (8, 9, 10):
        Checkpointer(tmp_path, keep=3).save(epoch, state(epoch))
    path = Checkpointer(tmp_path, keep=keep).save(1, state(1))
    assert path.is_file() and len(names(tmp_path)) == keep


@pytest.mark.parametrize(
    "error", [OSError(28, "No space left on device"), RuntimeError("PytorchStreamWriter failed writing file")]
)
def test_a_full_disk_leaves_the_older_checkpoints_whole(tmp_path, monkeypatch, error):
    checkpointer = Checkpointer(tmp_path, keep=1)
    checkpointer.save(1, state(1))

    def half_then_fail(content, file):
        file.write(b"half of it")
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(torch, "save", half_then_fail)
        with pytest.raises(OSError) as raised:
            checkpointer.save(2, state(2))
    for part in ("could not write", "checkpoint_epoch_00002.pyth", str(error), "older checkpoints are untouched"):
        assert part in str(raised.value)
    assert names(tmp_path) == ["checkpoint_epoch_00001.pyth"]
    assert checkpointer.newest()[1]["epoch"] == 1


def test_ctrl_c_in_the_middle_of_writing_leaves_nothing_behind(tmp_path, monkeypatch):
    checkpointer = Checkpointer(tmp_path)
    checkpointer.save(1, state(1))

    def interrupted(content, file):
        file.write(b"half of it")
        raise KeyboardInterrupt

    monkeypatch.setattr(torch, "save", interrupted)
    with pytest.raises(KeyboardInterrupt):
        checkpointer.save(1, state(7))  # over the one that is there
    assert names(tmp_path) == ["checkpoint_epoch_00001.pyth"]
    assert checkpointer.newest()[1]["best_map"] == 1


def test_the_last_act_is_a_rename(tmp_path, monkeypatch):
    checkpointer = Checkpointer(tmp_path)
    checkpointer.save(1, state(1))

    def fails(source, target):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "replace", fails)
    with pytest.raises(OSError, match=r"could not write .*checkpoint_epoch_00001.pyth: .*Input/output error"):
        checkpointer.save(1, state(7))
    assert names(tmp_path) == ["checkpoint_epoch_00001.pyth"]
    assert checkpointer.newest()[1]["best_map"] == 1


def test_the_final_name_appears_when_the_file_is_complete(tmp_path, monkeypatch):
    path, seen = tmp_path / "best.pyth", []
    real = torch.save

    def watching(content, file):
        real(content, file)
        seen.append(path.exists())

    monkeypatch.setattr(torch, "save", watching)
    write_atomically(state(1), path)
    assert seen == [False] and names(tmp_path) == ["best.pyth"]


@pytest.mark.parametrize(
    "damage", [cut_off, lambda path: path.write_bytes(b""), lambda path: path.write_text("not a checkpoint")]
)
def test_a_damaged_newest_falls_back_to_the_one_before(tmp_path, log, damage):
    checkpointer = Checkpointer(tmp_path)
    for epoch in (1, 2, 3):
        checkpointer.save(epoch, state(epoch))
    damage(checkpointer.path(3))
    path, found = checkpointer.newest()
    assert path == checkpointer.path(2) and found["epoch"] == 2
    (message,) = [record.getMessage() for record in log.records]
    assert message.startswith(f"cannot use {checkpointer.path(3)}: ") and message.endswith(
        "; trying the checkpoint before it"
    )
    assert "weights_only" not in message  # torch's advice to load it unsafely is not passed on


def test_a_file_cut_off_anywhere_is_refused_not_misread(tmp_path):
    checkpointer = Checkpointer(tmp_path)
    whole = checkpointer.save(1, state(1)).read_bytes()
    for length in range(0, len(whole) - 1, max(1, len(whole) // 40)):
        checkpointer.path(1).write_bytes(whole[:length])
        with pytest.raises(ValueError, match=r"none of the 1 checkpoints"):
            checkpointer.newest()


def test_all_damaged_is_an_error_with_advice(tmp_path, log):
    checkpointer = Checkpointer(tmp_path)
    for epoch in (1, 2):
        cut_off(checkpointer.save(epoch, state(epoch)))
    with pytest.raises(
        ValueError, match=r"none of the 2 checkpoints in .* can be used; move them away .*TRAIN.AUTO_RESUME False"
    ):
        checkpointer.newest()
    assert len(log.records) == 2


class Trap:
    """Unpickling it would run code."""

    def __reduce__(self):
        return (print, ("a checkpoint ran code",))


def test_code_in_a_checkpoint_is_never_run(tmp_path, capsys):
    torch.save({"epoch": 1, "trap": Trap()}, Checkpointer(tmp_path).path(1))
    with pytest.raises(ValueError, match=r"none of the 1 checkpoints"):
        Checkpointer(tmp_path).newest()
    assert "ran code" not in capsys.readouterr().out
