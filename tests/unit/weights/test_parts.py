"""slowfast.weights.parts: what is written in parts comes back, and any damage is found."""

import pickle

import pytest
import torch

from slowfast.weights.checkpoint import Checkpointer, read_checkpoint
from slowfast.weights.file import read_weight_file
from slowfast.weights.parts import METADATA, REST, read_parts
from slowfast.weights.seal import DamagedFileError, save_sealed


def state(value: float) -> dict:
    return {
        "model_state": {"head.weight": torch.full((5, 3), value), "count": torch.tensor(7)},
        "optimizer_state": {
            "state": {0: {"step": torch.tensor(3.0), "exp_avg": torch.full((5, 3), -value)}},
            "param_groups": [{"lr": 0.1, "params": [0]}],
        },
        "so_far": {},
        "cfg": "NUM_GPUS: 0\n",
        "class_names": ["a", "b"],
    }


@pytest.fixture
def checkpoints(tmp_path) -> Checkpointer:
    kept = Checkpointer(tmp_path, keep=2, in_parts=True)
    for epoch in (1, 2):
        kept.save(epoch, state(float(epoch)))
    return kept


def test_what_is_written_comes_back(checkpoints):
    path, found = checkpoints.newest()
    expected = state(2.0) | {"epoch": 2, "step": 0}
    assert path.name == "checkpoint_epoch_00002.distcp" and found.keys() == expected.keys()
    for name in ("model_state", "optimizer_state"):
        torch.testing.assert_close(found[name], expected[name], rtol=0, atol=0)
    assert {name: found[name] for name in ("so_far", "cfg", "class_names")} == {
        name: expected[name] for name in ("so_far", "cfg", "class_names")
    }
    lean = read_parts(path, with_tensors=False)
    assert lean["cfg"] == expected["cfg"] and lean["model_state"] == {}
    weights = read_weight_file(path)
    assert weights.class_names == ("a", "b") and torch.equal(weights.state["head.weight"], torch.full((5, 3), 2.0))


def test_old_ones_go_and_the_two_forms_stand_side_by_side(checkpoints, tmp_path):
    Checkpointer(tmp_path, keep=2).save(3, state(3.0))
    checkpoints.save(3, state(4.0), step=5)
    left = sorted(path.name for path in tmp_path.iterdir())
    assert left == [
        "checkpoint_epoch_00002.distcp",
        "checkpoint_epoch_00003.pyth",
        "checkpoint_epoch_00003_step_000005.distcp",
    ]
    checkpoints.save(3, state(5.0), step=5)  # again, after it was gone on from an older one
    assert checkpoints.newest()[1]["model_state"]["head.weight"][0, 0] == 5
    (tmp_path / ".checkpoint_epoch_00004.distcp.1-0.tmp").mkdir()
    checkpoints.remove_leftovers()
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize("name", ["__0_0.distcp", METADATA, REST])
def test_any_damage_falls_back_to_the_one_before(checkpoints, name):
    """Sixteen changed bits in each file, one after another; a file cut off; one that is gone."""
    file = checkpoints.path(2) / name
    whole = file.read_bytes()
    for place in range(0, len(whole), -(-len(whole) // 16)):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << place % 8
        file.write_bytes(damaged)
        assert checkpoints.newest(quiet=True)[0] == checkpoints.path(1), place
    file.write_bytes(whole[:-1])
    with pytest.raises(DamagedFileError):
        read_checkpoint(checkpoints.path(2))
    file.unlink()
    with pytest.raises(DamagedFileError, match=f"{name} is not there|no {REST}, which is written last"):
        read_checkpoint(checkpoints.path(2))
    assert checkpoints.newest(mapped=True, quiet=True)[0] == checkpoints.path(1)


def test_numbers_that_are_not_finite_are_damage_too(checkpoints):
    checkpoints.save(3, state(float("nan")))
    with pytest.raises(DamagedFileError, match=r"model_state.head.weight holds numbers that are not finite"):
        read_checkpoint(checkpoints.path(3))


class Trap:
    def __reduce__(self):
        return print, ("this must not run",)


def test_no_code_is_run(checkpoints, capsys):
    """A folder whose checksums are right, made by somebody who means harm."""
    path = checkpoints.path(2)
    (path / METADATA).write_bytes(pickle.dumps(Trap()))
    content = torch.load(path / REST, weights_only=True)
    from slowfast.weights.parts import _DIGESTS
    from slowfast.weights.seal import sha256_of

    content[_DIGESTS][METADATA] = sha256_of(path / METADATA)
    with (path / REST).open("wb") as file:
        save_sealed(content, file)
    with pytest.raises(DamagedFileError, match=r"asks for builtins.print"):
        read_checkpoint(path)
    assert capsys.readouterr().out == ""


def test_a_full_disk_leaves_no_folder(checkpoints, monkeypatch):
    def full(*arguments, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("torch.distributed.checkpoint.filesystem._write_item", full)
    with pytest.raises(OSError, match=r"could not write .*00003.distcp: process 0: .*No space left.*older checkpoints"):
        checkpoints.save(3, state(3.0))
    assert [path.name for path in checkpoints.saved()] == [
        "checkpoint_epoch_00001.distcp",
        "checkpoint_epoch_00002.distcp",
    ]


def test_the_command_converts_both_ways(checkpoints, run_main, tmp_path):
    one, parts = str(tmp_path / "one.pyth"), str(tmp_path / "again.distcp")
    run_main("tools/convert_checkpoint.py", str(checkpoints.path(2)), one)
    run_main("tools/convert_checkpoint.py", one, parts)
    found = [read_checkpoint(path) for path in (checkpoints.path(2), tmp_path / "one.pyth", tmp_path / "again.distcp")]
    for other in found[1:]:
        torch.testing.assert_close(other["model_state"], found[0]["model_state"], rtol=0, atol=0)
        torch.testing.assert_close(other["optimizer_state"], found[0]["optimizer_state"], rtol=0, atol=0)
        assert other["cfg"] == found[0]["cfg"] and other["epoch"] == 2
    assert "exists already" in run_main("tools/convert_checkpoint.py", parts, one, expect=1).stderr
    wrong = run_main("tools/convert_checkpoint.py", one, str(tmp_path / "x.pt"), expect=1).stderr
    assert "must end in .pyth (one file) or .distcp (a folder of parts)" in wrong
    (tmp_path / "again.distcp/__0_0.distcp").unlink()
    told = run_main("tools/convert_checkpoint.py", parts, str(tmp_path / "x.pyth"), expect=1).stderr
    assert "__0_0.distcp is not there" in told and not (tmp_path / "x.pyth").exists()
    told = run_main("tools/verify_checkpoint.py", str(tmp_path), expect=1).stdout
    assert (
        "checkpoint_epoch_00002.distcp: after epoch 2, whole and finite, the checksums of its 3 files are right" in told
    )
    assert "again.distcp: NOT usable, __0_0.distcp is not there" in told
    assert "a run would go on from checkpoint_epoch_00002.distcp" in told
