"""What processes must have alike is compared before the first step, and who differs is named."""

import pytest
import torch

from slowfast.engine import agreement
from slowfast.engine.agreement import newest_for_all, refuse_disagreement
from slowfast.weights.checkpoint import Checkpointer


@pytest.fixture
def others(monkeypatch):
    """Stands for the other processes: `say(value)` is what they pass where this one passes something."""

    def say(*values):
        left = list(values)
        monkeypatch.setattr(agreement.distributed, "gather_objects", lambda mine: [mine, left.pop(0)])

    return say


def test_what_differs_is_named_with_who_has_what(others):
    others({"configuration": "a1", "weights": "w1"})
    refuse_disagreement({"configuration": "a1", "weights": "w1"})
    others({"configuration": "a1", "weights": "w2"})
    with pytest.raises(ValueError, match=r"do not have the same weights: process 0: w1; process 1: w2"):
        refuse_disagreement({"configuration": "a1", "weights": "w1"})


def test_a_process_that_cannot_read_the_checkpoint_of_the_main_one_is_named(others, tmp_path):
    checkpoints = Checkpointer(tmp_path)
    checkpoints.save(1, {"model_state": {"weight": torch.ones(2)}})
    others(("", ""), "")
    assert newest_for_all(checkpoints)[1]["epoch"] == 1
    others(("", ""), "its bytes are not those that were written")
    with pytest.raises(ValueError, match=r"can go on from .*00001.pyth: process 1: its bytes .*one folder that all"):
        newest_for_all(checkpoints)


def test_without_any_they_start_anew(others, tmp_path):
    others(("", ""))
    assert newest_for_all(Checkpointer(tmp_path)) is None


def test_all_hear_that_none_can_be_used(others, tmp_path):
    checkpoints = Checkpointer(tmp_path)
    checkpoints.path(1).write_bytes(b"nothing")
    others(("", ""))
    with pytest.raises(ValueError, match="none of the 1 checkpoints"):
        newest_for_all(checkpoints)
