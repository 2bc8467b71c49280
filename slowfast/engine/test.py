"""Testing: every clip through the model once, what was found gathered once, one evaluation. The only test loop."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from slowfast.engine.device.inputs import Inputs
from slowfast.engine.device.prefetch import Prefetch
from slowfast.engine.device.requests import Requests, StoppedError
from slowfast.engine.record.epoch_report import UnreadableDataError, cause_of
from slowfast.engine.record.provenance import state_sha256
from slowfast.engine.record.results import SHOWN_REASONS, Tested, log_unreadable, record
from slowfast.engine.record.run_log import RunLog
from slowfast.structures.clip import ClipBatch, Meta
from slowfast.structures.outputs.result import Result
from slowfast.structures.tensors import all_finite
from slowfast.tasks.task import Task
from slowfast.utils.logging import get_logger
from slowfast.utils.processes import distributed
from slowfast.utils.processes.waiting import ask_all_to_stop, asked_to_stop, note_place
from slowfast.utils.progress import progress


class Evaluator(Protocol):
    """Collects what a model found, on any number of processes, and scores it once at the end."""

    def process(self, found: Any, metas: Sequence[Any]) -> None:
        """Keep what was found in the clips that `metas` name."""

    def evaluate(self, gather: Callable[[Any], list[Any]] | None = None) -> Result:
        """Score what all processes kept; `gather` gives every process the picklable objects of all."""


@dataclass(frozen=True)
class Evaluation:
    """An evaluation after `epoch` that looked at what a test looks at; weights: `state_sha256` of what was evaluated."""

    tested: Tested
    weights: str
    epoch: int

    @classmethod
    def of(cls, task: Task, model: nn.Module, tested: Tested, epoch: int) -> "Evaluation | None":
        """None where no test of this run can be the same."""
        if not (task.cfg.TEST.ENABLE and task.evaluates_as_tested):
            return None
        return cls(tested, state_sha256(model.state_dict()), epoch)

    def is_of(self, model: nn.Module) -> bool:
        return self.weights == state_sha256(model.state_dict())


@torch.no_grad()
def evaluate(
    model: nn.Module,
    loader: Iterable[ClipBatch],
    evaluator: Evaluator,
    *,
    inputs: Inputs,
    postprocess: Callable[[Any, Sequence[Meta]], Any],
    what: str = "testing",
    requests: Requests | None = None,
    max_unreadable: float = 1.0,
) -> Tested:
    """Run `model` over this process's share of the clips and evaluate what all processes found.

    postprocess: predictions and metas of a batch -> what the evaluator takes, on the CPU
    requests:    raises StoppedError, on all processes, where one of them is asked to stop
    max_unreadable: share of the clips that may be left out because they cannot be read

    Raises FloatingPointError where an output of the model is not finite, UnreadableDataError above `max_unreadable`.
    """
    was_training = model.training
    model.eval()
    start, clips, repeated, unreadable = time.perf_counter(), 0, 0, []
    finite: list[tuple[Tensor, Sequence[Any]]] = []
    upcoming = Prefetch(([batch] for batch in progress(loader, what=what, unit="batch")), inputs.device)
    predict = inputs.predictor(model)
    stopped = ""
    for number, (batch,) in enumerate(upcoming):
        note_place(f"{what}, batch {number + 1}")
        if requests is not None and (stopped := _asked_to_stop(requests)):
            break
        unreadable += [clip.reason for clip in batch.unreadable]
        if not len(batch):
            continue
        predictions = predict(inputs.prepare(batch))
        finite.append((all_finite(predictions), batch.meta))
        upcoming.copy_next()
        evaluator.process(postprocess(predictions, batch.meta), batch.meta)
        clips += len(batch)
        repeated += sum(meta.repeated_frames for meta in batch.meta)
    note_place(f"{what}, the last batch", together=True)
    if requests is not None:
        _stop_together(stopped)
    _refuse_not_finite(finite, what)
    seconds = time.perf_counter() - start
    model.train(was_training)
    shares = distributed.gather_objects((clips, seconds, repeated, unreadable))
    clips, unreadable = sum(share[0] for share in shares), sorted(reason for share in shares for reason in share[3])
    _refuse_too_little(clips, unreadable, what, max_unreadable)
    return Tested(
        evaluator.evaluate(gather=distributed.gather_objects),
        clips=clips,
        seconds=max(share[1] for share in shares),
        repeated_frames=sum(share[2] for share in shares),
        unreadable=unreadable,
    )


def _asked_to_stop(requests: Requests) -> str:
    """Why this process, or another one, was asked to stop. Processes have different numbers of batches, so they agree
    through the store and not in turn; the first to hear of a request lets the others know."""
    if requests.stop:
        ask_all_to_stop(requests.stop)
        return requests.stop
    return asked_to_stop()


def _stop_together(stopped: str) -> None:
    """Raises StoppedError on all processes where one has stopped: the others may have done their last batch."""
    reasons = [reason for reason in distributed.gather_objects(stopped) if reason]
    if reasons:
        raise StoppedError(reasons[0])


def _refuse_too_little(clips: int, unreadable: list[str], what: str, max_unreadable: float) -> None:
    lost = len(unreadable)
    if lost > max_unreadable * (clips + lost):
        reasons = "".join(f"\n  - {reason}" for reason in unreadable[:SHOWN_REASONS])
        raise UnreadableDataError(
            f"{what}: {lost} clips could not be read and {clips} could; a number of so few is none "
            f"(DATA.MAX_UNREADABLE {max_unreadable:g}). Are the videos where they were?{cause_of(unreadable)}{reasons}"
        )


def _refuse_not_finite(finite: Sequence[tuple[Tensor, Sequence[Any]]], what: str) -> None:
    """finite: of each batch, () bool on the device and its metas. Read together: the host waits for a GPU once."""
    read = torch.stack([one for one, _ in finite]).tolist() if finite else []
    bad = [metas for good, (_, metas) in zip(read, finite, strict=True) if not good]
    if bad:
        clips = ", ".join(str(meta) for meta in bad[0])
        raise FloatingPointError(
            f"{what}: the outputs of the model are not finite (NaN or infinity) in {len(bad)} of {len(finite)} batches, so "
            f"there is nothing to score; clips of the first: {clips}. Were the weights trained in another MODEL.PRECISION, or "
            "did the training diverge (its log)?"
        )


def test(
    task: Task,
    model: nn.Module,
    inputs: Inputs,
    output: Path,
    *,
    made_with: dict[str, Any] | None = None,
    evaluation: Evaluation | None = None,
) -> Tested:
    """Test `model` and leave in `output` what the task writes, metrics.json and the report.

    made_with: what the result was made with (`record/provenance.py`), "run" in metrics.json
    evaluation: of this run, in this process: where it was of these very weights it is the test
    Where the task has several trials, metrics.json is the last one's with all of them as "tests", and so is the result.
    """
    log, trials = get_logger(), {}
    for trial in task.trials():
        if evaluation is not None and evaluation.is_of(model):
            log.info("the test is the evaluation of epoch %d: same weights, clips and rules", evaluation.epoch)
            tested = evaluation.tested
        else:
            tested = evaluate(
                model,
                trial.loader,
                trial.evaluator,
                inputs=inputs,
                postprocess=task.postprocess(),
                what=f"testing {trial.name}".rstrip(),
                max_unreadable=task.cfg.DATA.MAX_UNREADABLE,
            )
        metrics: dict[str, Any] = {}
        if distributed.is_main():
            metrics = tested.metrics() | task.finish(tested.result, output, suffix=trial.suffix)
        if trial.name:
            trials[trial.name] = metrics
            log.info("test %s:", trial.name)
        if trial.last:
            several = {"tests": trials} if trials else {}
            metrics = metrics | ({"run": made_with} if made_with else {})
            record(tested, RunLog(output), kind="test", metrics=metrics | several, metrics_file=output / "metrics.json")
        log.info("\n%s", tested.result.table())
        log.info("%d clips in %.1f s (%.1f clips/s)", tested.clips, tested.seconds, tested.clips_per_second)
        log_unreadable(tested.unreadable, tested.repeated_frames)
    if distributed.is_main() and (page := task.report(tested.result, metrics, output)):
        log.info("report: %s", page)
    return tested
