"""slowfast.engine.record.step_log: what is printed where no bar is drawn, how often, and what log.jsonl gains."""

import json
import logging
import sys

import pytest
import torch

from slowfast.engine.record import step_log
from slowfast.engine.record.run_log import RunLog
from slowfast.engine.record.step_log import StepLog
from slowfast.engine.record.time_left import TimeLeft
from slowfast.utils.meters import LossMeter, Stopwatch

CPU = torch.device("cpu")


class Bar:
    def __init__(self, *, disable: bool) -> None:
        self.disable, self.steps, self.shown = disable, 0, ""

    def update(self) -> None:
        self.steps += 1

    def set_postfix_str(self, text: str) -> None:
        self.shown = text


class Clock:
    """Half a second a step, a tenth of it for data."""

    now = 100.0


@pytest.fixture
def steps(tmp_path, monkeypatch, caplog):
    """(number, period, drawn, terminal) -> (bar, printed lines, records of log.jsonl) after so many of 7 steps."""
    monkeypatch.setattr(step_log, "get_logger", lambda: logging.getLogger("steps"))
    caplog.set_level(logging.INFO, "steps")
    monkeypatch.setattr(step_log, "peak_bytes", lambda device: 3 << 29)
    monkeypatch.setattr("slowfast.utils.meters.time.perf_counter", lambda: Clock.now)

    def run(number, *, period=3, drawn=False, terminal=False):
        monkeypatch.setattr(sys.stdout, "isatty", lambda: terminal, raising=False)
        weight = torch.nn.Parameter(torch.zeros(1))
        groups = [{"params": [weight], "name": "backbone", "lr": 1e-4}, {"params": [], "name": "heads", "lr": 8e-4}]
        time_left = TimeLeft(epochs=2, steps=7, eval_period=1, checkpoint_period=1)
        time_left.note("evaluation", 60.0)
        bar, meter, watch = Bar(disable=not drawn), LossMeter(), Stopwatch()
        log = StepLog(
            RunLog(tmp_path),
            bar,
            torch.optim.SGD(groups),
            **{"epoch": 0, "epochs": 2, "steps": 7, "period": period, "accumulate": 1, "batch_size": 4},
            device=CPU,
            time_left=time_left,
        )
        for step in range(number):
            Clock.now += 0.05
            watch.lap("data")
            Clock.now += 0.45
            watch.lap("step")
            meter.add({"actor": torch.tensor(0.5), "total": torch.tensor(2.0 + step)})
            log(step, 1.0, meter, watch)
        records = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
        return bar, caplog.messages, records

    return run


def test_a_line_every_period_and_at_the_end_of_the_epoch(steps):
    bar, lines, records = steps(7)
    assert bar.steps == 7 and len(lines) == len(records) == 3
    assert [line.split(":")[0] for line in lines] == [f"epoch 1/2, step {step}/7" for step in (3, 6, 7)]
    # 8 of 14 steps of half a second and two evaluations of a minute are left after the sixth.
    assert lines[1] == (
        "epoch 1/2, step 6/7: loss 6 (actor 0.5), learning rate 0.0001 to 0.0008, 0.5 s a step, 10 % of it waiting for "
        "data, 1.5 GiB of memory at most, 2 min left"
    )


def test_the_log_keeps_its_fields_and_gains_some(steps):
    record = steps(3)[2][0]
    assert {"kind", "time", "epoch", "step", "loss", "loss/actor", "lr", "lr_factor", "seconds_per_step"} <= set(record)
    assert record["loss"] == 3.0 and record["step"] == 3 and record["lr"] == {"backbone": 1e-4, "heads": 8e-4}
    assert (record["data_seconds"], record["clips_per_second"]) == pytest.approx((0.05, 8.0))
    assert record["data_share"] == pytest.approx(0.1) and record["memory_gib"] == 1.5
    assert record["seconds_left"] == pytest.approx(11 * 0.5 + 2 * 60)


@pytest.mark.parametrize(("drawn", "terminal", "lines"), [(True, True, 0), (True, False, 1), (False, True, 1)])
def test_on_a_terminal_the_bar_has_the_time_of_the_run_and_no_line_is_printed(steps, drawn, terminal, lines):
    bar, printed, _ = steps(3, drawn=drawn, terminal=terminal)
    assert bar.shown == "actor 0.500, run: 2 min left" and len(printed) == lines
