"""A run that is tried before it is begun, and one that ends before its last epoch."""

import json
import os
import signal
from pathlib import Path

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from slowfast.engine.record import results
from slowfast.engine.record.step_log import StepLog

SMALL = [
    *("TRAIN.BATCH_SIZE", "6", "SOLVER.WARMUP_EPOCHS", "0.5", "TRAIN.EVAL_PERIOD", "1", "TRAIN.CHECKPOINT_PERIOD", "4")
]


def files_below(folder: Path) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in folder.rglob("*")}


def test_a_dry_run_tells_and_leaves_nothing(run_main, toy_config, overrides, tmp_path):
    before = files_below(tmp_path)
    done = run_main("tools/run_net.py", "--cfg", toy_config, "--dry-run", *overrides, *SMALL, "SOLVER.MAX_EPOCH", "3")
    assert files_below(tmp_path) == before
    told = [line.partition("dry run: ")[2] for line in done.stdout.splitlines() if "dry run: " in line]
    assert told[0].startswith("evaluation before training: 1 batches of 1, mAP ") and "s a batch" in told[0]
    assert told[1].startswith("2 training steps of 6 clips: loss ") and "2 steps an epoch: " in told[1]
    assert told[2].startswith("a checkpoint of ") and "3 are kept" in told[2]
    assert told[3].endswith(f"GiB are free where {tmp_path / 'run'} is or will be")
    assert told[4].startswith("test: 1 batches of 1, mAP ")
    assert told[5].endswith("GiB of memory (without loader processes) at most, of one process")
    assert told[6].startswith("the whole run: about ") and told[7] == f"nothing was left in {tmp_path / 'run'}"
    # What the run would stumble over after its first epoch, it stumbles over now.
    wrong = run_main(
        *("tools/run_net.py", "--cfg", toy_config, "--dry-run", *overrides, *SMALL, "TRAIN.BEST_METRIC", "map"),
        expect=1,
    )
    assert "TRAIN.BEST_METRIC is 'map', and an evaluation has mAP, person_AP, AP/" in wrong.stderr
    assert files_below(tmp_path) == before


@pytest.fixture
def train(run_main, toy_config, on_toy_data, tmp_path, monkeypatch):
    """Run until there has been no new best twice. The number of each epoch is given."""
    values = {1: 0.5, 2: 0.4, 3: 0.6, 4: 0.6, 5: 0.1, 6: 0.9}

    def train(name: str, *, stop_in_epoch: int = 0):
        reached, real = [0], StepLog.__call__
        evaluated: list[int] = []

        def chosen(result, metric):
            assert metric == "person_AP"
            evaluated.append(len(done_before(tmp_path / name)))
            return metric, values[evaluated[-1]]

        def stopping(self, step, *more):
            real(self, step, *more)
            reached[0] = self._epoch + 1
            if reached[0] == stop_in_epoch:
                os.kill(os.getpid(), signal.SIGUSR1)

        with monkeypatch.context() as patch:
            patch.setattr(results, "chosen_metric", chosen)
            patch.setattr(StepLog, "__call__", stopping)
            return run_main(
                *("tools/run_net.py", "--cfg", toy_config, *on_toy_data, *SMALL, "OUTPUT_DIR", str(tmp_path / name)),
                *("SOLVER.MAX_EPOCH", "6", "TRAIN.BATCH_SIZE", "12", "TEST.ENABLE", "False"),
                *("TRAIN.BEST_METRIC", "person_AP", "TRAIN.EARLY_STOPPING", "2", "TENSORBOARD.ENABLE", "True"),
                expect=75 if stop_in_epoch else 0,
            )

    return train


def done_before(run: Path) -> list[dict]:
    records = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    return [record for record in records if record["kind"] == "eval"]


@pytest.mark.long
def test_training_ends_where_nothing_gets_better(train, tmp_path):
    """0.5, 0.4, 0.6, 0.6, 0.1: after epoch 5 there has been no new best in two evaluations; a run that was stopped
    in between, and one that is asked to go on after its end, end there too."""
    end = "training ends after epoch 5 of 6: person_AP has had no new best in 2 evaluations, its best is 0.6000"
    assert end in train("straight").stdout
    assert len(done_before(tmp_path / "straight")) == 5
    saved = torch.load(tmp_path / "straight/checkpoints/checkpoint_epoch_00005.pyth", weights_only=True)
    assert (saved["best"], saved["best_metric"], saved["since_best"]) == (0.6, "person_AP", 2)
    assert torch.load(tmp_path / "straight/checkpoints/best.pyth", weights_only=True)["epoch"] == 3

    events = EventAccumulator(str(tmp_path / "straight/tensorboard"))
    events.Reload()
    assert events.Tags()["tensors"] == ["precision_recall/person"]
    assert len(events.Tags()["images"]) == 2 and all(tag.startswith("found/toy_") for tag in events.Tags()["images"])
    assert [event.step for event in events.Tensors("precision_recall/person")] == [1, 2, 3, 4, 5]

    train("stopped", stop_in_epoch=5)  # the epoch is saved, and not yet evaluated
    assert end in train("stopped").stdout
    assert end in train("stopped").stdout  # nothing is trained any more
    assert len(done_before(tmp_path / "stopped")) == 5
    again = torch.load(tmp_path / "stopped/checkpoints/checkpoint_epoch_00005.pyth", weights_only=True)
    for name, value in saved["model_state"].items():
        assert torch.equal(value, again["model_state"][name]), name
