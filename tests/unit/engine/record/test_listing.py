"""tools/runs.py: the state of runs and their last numbers, from the files that they leave."""

import fcntl
import json

import pytest

from slowfast.commands.runs.runs import main
from slowfast.engine.device.requests import StoppedError
from slowfast.engine.record.listing import read_run, runs_below
from slowfast.engine.record.state import noted

CONFIG = "SOLVER: {MAX_EPOCH: 20}\nTRAIN: {BEST_METRIC: ''}\n"
RECORDS = [
    {"kind": "train", "time": 1.0, "epoch": 1, "step": 10, "loss": 3.5},
    {"kind": "eval", "time": 2.0, "epoch": 1, "mAP": 0.25, "person_AP": 0.5, "AP/stand": None},
    {"kind": "train", "time": 3.0, "epoch": 2, "step": 20, "loss": 2.5},
    {"kind": "eval", "time": 4.0, "epoch": 2, "mAP": 0.125, "person_AP": 0.75, "AP/stand": 0.5},
    {"kind": "train", "time": 5.0, "epoch": 3, "step": 25, "loss": 2.25},
]


@pytest.fixture
def run(tmp_path):
    folder = tmp_path / "runs/a"
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(CONFIG)
    (folder / "log.jsonl").write_text("".join(json.dumps(record) + "\n" for record in RECORDS) + '{"kind": "tr')
    (folder / ".lock").touch()
    return folder


def ends(folder, error: BaseException | None) -> None:
    try:
        with noted(folder):
            if error is not None:
                raise error
    except BaseException as raised:
        assert raised is error


@pytest.mark.parametrize(
    ("error", "state", "reason"),
    [
        (None, "finished", ""),
        (StoppedError("SIGTERM came; the run is saved"), "stopped", "SIGTERM came; the run is saved"),
        (KeyboardInterrupt(), "stopped", "Ctrl-C"),
        (ValueError("bad"), "failed", "ValueError: bad"),
    ],
)
def test_how_runs_end(run, error, state, reason):
    ends(run, error)
    found = read_run(run)
    assert (found.state, found.reason) == (state, reason) and found.time
    assert (found.epoch, found.epochs, found.loss) == (3, 20, 2.25)
    assert (found.metric, found.last, found.best, found.best_epoch) == ("mAP", 0.125, 0.25, 1)


def test_a_run_at_work_and_one_that_was_killed(run):
    with noted(run), open(run / ".lock", "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.write('{"host": "there", "pid": 7, "start": "now"}')
        file.flush()
        assert (read_run(run).state, read_run(run).reason) == ("running", "process 7 on there, started now")
        told = (run / "state.json").read_text()
    (run / "state.json").write_text(told)  # as the kill left it
    assert read_run(run).state == "killed"


def test_another_metric(run):
    found = read_run(run, metric="person_AP")
    assert (found.metric, found.last, found.best, found.best_epoch) == ("person_AP", 0.75, 0.75, 2)
    (run / "config.yaml").write_text("TRAIN: {BEST_METRIC: AP/stand}\n")
    assert (read_run(run).metric, read_run(run).last, read_run(run).epochs) == ("AP/stand", 0.5, None)


@pytest.mark.parametrize("damage", ["{", "[1]", "null", "\xff"])
def test_damaged_files_of_a_run_are_a_run_still(run, damage):
    for name in ("config.yaml", "state.json", "log.jsonl"):
        (run / name).write_bytes(damage.encode("latin1"))
    found = read_run(run)
    assert (found.state, found.epoch, found.loss, found.metric) == ("?", None, None, "")


def test_the_table_and_json(run, tmp_path, capsys):
    ends(run, ValueError("bad"))
    (tmp_path / "runs/b").mkdir()
    (tmp_path / "runs/b/.lock").touch()
    assert [path.name for path in runs_below(tmp_path)] == ["a", "b"]
    assert main([str(tmp_path / "runs")]) == 0
    header, first, second = capsys.readouterr().out.splitlines()
    assert header.split() == ["run", "state", "epoch", "loss", "metric", "last", "best", "at", "epoch", "why"]
    assert first.split() == [str(run), "failed", "3/20", "2.2500", "mAP", "0.1250", "0.2500", "1", "ValueError:", "bad"]
    assert second.split()[1:] == ["?", *"-" * 6]
    assert main([str(tmp_path), "--json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert rows[0]["best"] == 0.25 and rows[1]["loss"] is None
    assert main([str(tmp_path / "runs/b/none")]) == 1 and "no such folder" in capsys.readouterr().err
    (tmp_path / "empty").mkdir()
    assert main([str(tmp_path / "empty")]) == 0 and "no run below" in capsys.readouterr().out
