"""An evaluation in training stands for the test of the run where weights, clips and rules are the same, and nowhere else."""

import copy
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from slowfast.engine import test as tests
from slowfast.engine.record import results
from slowfast.engine.test import Evaluation
from slowfast.tasks.classification import Classification
from slowfast.tasks.localization import Localization
from slowfast.tasks.task import Task, Trial
from slowfast.tasks.two_stage import TwoStage


class Result:
    headline, predictions = ("accuracy", 0.5), None

    def report(self) -> dict:
        return {"accuracy": 0.5}

    def summary(self) -> dict:
        return {"accuracy": 0.5}

    def table(self) -> str:
        return "accuracy 0.5"


def a_task(*, enable: bool = True, same: bool = True) -> SimpleNamespace:
    return SimpleNamespace(
        cfg=SimpleNamespace(TEST=SimpleNamespace(ENABLE=enable), DATA=SimpleNamespace(MAX_UNREADABLE=1.0)),
        evaluates_as_tested=same,
        trials=lambda: iter([Trial("", [], None)]),
        postprocess=lambda: None,
        finish=lambda result, output, suffix="": {},
        report=lambda *arguments: None,
    )


@pytest.fixture
def model() -> nn.Module:
    return nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))


def changed(model: nn.Module, name: str) -> nn.Module:
    other = copy.deepcopy(model)
    with torch.no_grad():
        other.state_dict()[name].add_(1)
    return other


@pytest.mark.parametrize("name", [None, "0.weight", "1.running_mean", "1.num_batches_tracked"])
def test_it_is_tested_again_where_any_weight_differs(monkeypatch, tmp_path, caplog, model, name):
    """As an average differs from the last weights, and the last from the best."""
    ours, again = results.Tested(Result(), 4, 2.0, []), results.Tested(Result(), 4, 9.0, [])
    monkeypatch.setattr(tests, "evaluate", lambda *arguments, **options: again)
    evaluation = Evaluation.of(a_task(), model, ours, 3)
    tested = copy.deepcopy(model) if name is None else changed(model, name)
    with caplog.at_level("INFO"):
        found = tests.test(a_task(), tested, None, tmp_path, evaluation=evaluation)
    assert found is (ours if name is None else again)
    assert (tmp_path / "metrics.json").exists()
    assert tests.test(a_task(), tested, None, tmp_path) is again  # no evaluation was handed over


def test_what_was_not_evaluated_as_it_is_tested_is_not_kept(model):
    tested = results.Tested(Result(), 4, 2.0, [])
    assert Evaluation.of(a_task(), model, tested, 3) is not None
    assert Evaluation.of(a_task(enable=False), model, tested, 3) is None
    assert Evaluation.of(a_task(same=False), model, tested, 3) is None


def test_a_task_that_changes_the_evaluation_or_the_test_says_so():
    kinds = {kind: object.__new__(kind).evaluates_as_tested for kind in (Localization, TwoStage, Classification)}
    assert kinds == {Localization: True, TwoStage: True, Classification: False}
    for change in ("validation_loader", "validation_evaluator", "trials"):
        mine = type("Mine", (Localization,), {change: lambda self: None})
        assert not object.__new__(mine).evaluates_as_tested
        assert hasattr(Task, change)
