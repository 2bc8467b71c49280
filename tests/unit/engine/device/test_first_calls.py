"""A compiled model is compared with itself as written on its first batches: wrong ones are planted here."""

import re

import pytest
import torch
from torch import nn

from slowfast.engine.device.first_calls import FirstCalls


class Small(nn.Module):
    """Two outputs in a dict, and a dropout that draws."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.second, self.drop = nn.Linear(4, 8), nn.Linear(8, 3), nn.Dropout(0.5)

    def forward(self, x):
        hidden = self.drop(torch.tanh(self.first(x)))
        return {"scores": self.second(hidden), "count": torch.tensor(len(x))}


class Wrong(torch.autograd.Function):
    """The right values with half of their gradient."""

    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, grad):
        return grad / 2


def scaled(out, factor):
    return {**out, "scores": out["scores"] * factor}


def raising(error: Exception):
    def run(x):
        raise error

    return run


def compiled(model: Small, wrap=lambda out: out, *, required: bool = False, calls: list | None = None) -> Small:
    """As `compile_in_place` leaves it; wrap: what the compiled code makes of the right outputs."""

    def run(*args):
        if calls is not None:
            calls.append(len(args[0]))
        return wrap(model._call_impl(*args))

    model._compiled_call_impl = FirstCalls(model, run, required=required)
    return model


X = torch.linspace(-1, 1, 24).view(6, 4)


def warnings_of(caplog) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]


def test_a_right_one_is_compared_once_in_each_mode_and_draws_the_same_numbers(caplog):
    calls: list[int] = []
    model, plain = compiled(Small(), calls=calls), Small()
    for training in (True, True, False, False):
        torch.manual_seed(3)
        found = model.train(training)(X)["scores"]
        torch.manual_seed(3)
        assert torch.equal(found, plain.train(training)(X)["scores"])
        if training:
            found.sum().backward()
        with torch.no_grad():
            model.eval()(X)
    # Twice for the first of: training, testing without gradients, testing with gradients.
    assert len(calls) == 8 + 3 and warnings_of(caplog) == []


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(
    ("wrap", "told"),
    [
        (lambda out: scaled(out, 1.01), r"its outputs are off by 0.01 of the largest \(limit 0.001\)"),
        (lambda out: scaled(out, torch.nan), "its outputs are off by nan"),
        (lambda out: {**out, "scores": out["scores"][:1]}, "its outputs are off by inf"),
        (
            lambda out: raising(RuntimeError("BackendCompilerFailed\nmore"))(0),
            "it raises RuntimeError: BackendCompilerF",
        ),
    ],
    ids=["a factor", "NaN", "a row", "an error"],
)
def test_a_wrong_one_is_not_used_and_that_is_said_once(caplog, training, wrap, told):
    model, plain = compiled(Small().train(training), wrap), Small().train(training)
    for _ in range(2):
        with torch.set_grad_enabled(training):
            torch.manual_seed(3)
            found = model(X)["scores"]
            torch.manual_seed(3)
            assert torch.equal(found, plain(X)["scores"])
    (warning,) = warnings_of(caplog)
    assert re.search(f"the compiled model is not used, {told}.*; the model runs as written", warning)


def test_a_wrong_gradient_is_found(caplog):
    model = compiled(Small().train(), lambda out: {**out, "scores": Wrong.apply(out["scores"])})
    model(X)["scores"].sum().backward()
    assert "not used, its gradient is off by 0.5 of its length (limit 0.001)" in warnings_of(caplog)[0]
    right = Small().train()
    torch.manual_seed(0)
    model.zero_grad()
    model(X)["scores"].sum().backward()
    torch.manual_seed(0)
    right(X)["scores"].sum().backward()
    assert all(torch.equal(a.grad, b.grad) for a, b in zip(model.parameters(), right.parameters(), strict=True))


def test_where_it_is_required_it_is_an_error():
    model = compiled(Small().eval(), lambda out: scaled(out, 2.0), required=True)
    with pytest.raises(ValueError, match=r"MODEL.COMPILE is on, but .* off by 1 .*; set MODEL.COMPILE auto or off"):
        model(X)


def test_a_batch_that_is_not_finite_decides_nothing(caplog):
    calls: list[int] = []
    model = compiled(Small().eval(), lambda out: scaled(out, 2.0), calls=calls)
    model(X * torch.nan)
    assert calls == [6] and warnings_of(caplog) == []
    model(X)
    assert "off by 1" in warnings_of(caplog)[0]


def test_too_little_memory_for_two_ends_nothing(caplog, monkeypatch):
    model = compiled(Small().eval())
    as_written, left = model._call_impl, [torch.OutOfMemoryError("full")]

    def short(*args):
        if left:
            raise left.pop()
        return as_written(*args)

    monkeypatch.setattr(model, "_call_impl", short)
    assert torch.equal(model(X)["scores"], Small().eval()(X)["scores"])
    assert "not compared" in warnings_of(caplog)[0]


def test_no_gradient_of_the_run_is_touched():
    model = compiled(Small().train())
    model(X)
    assert all(parameter.grad is None for parameter in model.parameters())
