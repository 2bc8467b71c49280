"""slowfast.utils.meters: means by hand."""

import pytest
import torch

from slowfast.utils import meters
from slowfast.utils.meters import LossMeter, Stopwatch


def test_means_since_the_last_read_out():
    meter = LossMeter()
    meter.add({"a": torch.tensor(1.0, requires_grad=True), "b": torch.tensor(4)})
    meter.add({"a": torch.tensor(3.0), "b": torch.tensor(2)})
    assert meter.means_and_reset() == {"a": 2.0, "b": 3.0}
    meter.add({"a": torch.tensor(5.0), "b": torch.tensor(0.0)})
    assert meter.means_and_reset() == {"a": 5.0, "b": 0.0}
    assert meter.means_and_reset() == {}


def test_sums_are_float32():
    meter = LossMeter()
    for _ in range(300):  # bfloat16 would stop counting at 256
        meter.add({"a": torch.tensor(1.0, dtype=torch.bfloat16)})
    assert meter.means_and_reset() == {"a": 1.0}


def test_what_was_summed_goes_on_elsewhere():
    meter, other = LossMeter(), LossMeter()
    meter.add({"a": torch.tensor(1.0)})
    meter.average_over_processes()
    other.load_state_dict(meter.state_dict(), torch.device("cpu"))
    for one in (meter, other):
        one.add({"a": torch.tensor(2.0)})
        assert one.means_and_reset() == {"a": 1.5}


def test_a_stopwatch_splits_time_by_name(monkeypatch):
    now = iter([10.0, 12.0, 13.0, 17.0, 18.0])
    monkeypatch.setattr(meters.time, "perf_counter", lambda: next(now))
    watch = Stopwatch()
    for name in ("data", "step", "data"):
        watch.lap(name)
    assert watch.read_and_reset() == pytest.approx({"data": 6.0, "step": 1.0})
    watch.lap("step")
    assert watch.read_and_reset() == pytest.approx({"step": 1.0})
