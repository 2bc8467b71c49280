"""Training: build everything, go on from the newest checkpoint, and alternate epochs with evaluations."""

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from fvcore.common.config import CfgNode
from torch import nn

from slowfast.engine.agreement import refuse_disagreement
from slowfast.engine.device.compiling import compile_in_place
from slowfast.engine.device.inputs import Inputs
from slowfast.engine.device.memory import advice_when_short
from slowfast.engine.device.parallel import parallelised
from slowfast.engine.device.requests import Requests, StoppedError
from slowfast.engine.device.same_kernels import agree_on_kernels
from slowfast.engine.record.background import BackgroundWriter
from slowfast.engine.record.epoch_report import EpochReport
from slowfast.engine.record.files import save_config
from slowfast.engine.record.provenance import state_sha256
from slowfast.engine.record.results import Best, brief, log_unreadable, record
from slowfast.engine.record.run_log import Reached, RunLog
from slowfast.engine.record.skipped import leave_skipped
from slowfast.engine.record.step_log import StepLog
from slowfast.engine.record.time_left import TimeLeft
from slowfast.engine.run_state import RunState, start_or_resume
from slowfast.engine.saving import Evaluated, Saving, note_evaluated, read_evaluated
from slowfast.engine.test import Evaluation, evaluate
from slowfast.engine.train_one_epoch import EpochPlan, train_one_epoch
from slowfast.losses.criterion import Criterion
from slowfast.solver.build import build_schedule, describe_rates
from slowfast.solver.schedule import Schedule
from slowfast.structures.clip import ClipBatch
from slowfast.structures.digest import digest
from slowfast.tasks.task import Task, TrainLoader
from slowfast.utils.logging import get_logger
from slowfast.utils.meters import LossMeter
from slowfast.utils.processes import distributed
from slowfast.utils.processes.shards import copied, whole
from slowfast.utils.progress import progress
from slowfast.utils.seed import seed_everything
from slowfast.weights.checkpoint import Checkpointer, Position, write_atomically

EVALUATED = "evaluated.json"  # beside the checkpoints


def train(task: Task, inputs: Inputs, output: Path) -> tuple[nn.Module, Evaluation | None]:
    """Train as the task's config says and return the model to test (the weight average, else the last weights) and the
    last evaluation, if there was one in this process that looked at what a test looks at.

    The randomness of a step depends on seed, epoch, step and rank only, so a run that goes on repeats a straight one.
    Raises StoppedError once it has saved, where it is asked to stop.
    """
    cfg = task.cfg
    requests = Requests(time_limit=60 * cfg.TRAIN.TIME_LIMIT, save_every=60 * cfg.TRAIN.CHECKPOINT_MINUTES)
    with requests.listening(), BackgroundWriter() as writer:
        with requests.heard_at_once():
            training = Training.begin(task, inputs, output, requests, writer)
        training.evaluate()  # where the run ended between an epoch and its evaluation
        while training.state.epoch < cfg.SOLVER.MAX_EPOCH and not training.has_stopped_rising():
            report = training.epoch()
            if not training.state.step:
                training.save_epoch(stopping=report.stopped)
            if report.stopped:
                training.stop()
            training.evaluate()
    # The last file is there, or its error was raised.
    return training.state.model_to_test(), training.evaluation


@dataclass
class Training:
    """All that a training needs, and what it does in turn: epochs, checkpoints, evaluations.

    model: of `state`, as it is called in training, on several processes
    writers: the group in which the threads of the processes talk that write checkpoints in parts
    saved: when the last checkpoint was handed to the writer
    """

    task: Task
    inputs: Inputs
    requests: Requests
    state: RunState
    model: nn.Module
    criterion: Criterion
    schedule: Schedule
    loader: TrainLoader
    validation: Iterable[ClipBatch]
    checkpoints: Checkpointer
    log: RunLog
    time_left: TimeLeft
    writer: BackgroundWriter
    writers: Any = None
    saved: float = field(default_factory=time.perf_counter)
    evaluation: Evaluation | None = None

    @classmethod
    def begin(
        cls, task: Task, inputs: Inputs, output: Path, requests: Requests, writer: BackgroundWriter
    ) -> "Training":
        """At random weights, at those of TRAIN.CHECKPOINT_FILE_PATH, or where the run in `output` ended."""
        cfg = task.cfg
        checkpoints = Checkpointer(
            output / "checkpoints", keep=cfg.TRAIN.KEEP_CHECKPOINTS, in_parts=cfg.TRAIN.SHARDED_CHECKPOINTS
        )
        seed_everything(cfg.RNG_SEED)
        state = RunState.fresh(cfg, inputs.device)
        start_or_resume(state, cfg, checkpoints, task.known_names)
        task.meet_model(state.model if state.uncut is None else state.model_to_test(), inputs.pictures)
        loader = task.train_loader()
        agree_on_kernels(state.model, inputs.device, inputs.precision)
        for model in {state.model, state.model_to_test()}:  # the weight average is a model of its own
            compile_in_place(cfg, model, inputs.device, leave_pixels_to=inputs.leave_pixels_to)
        refuse_disagreement(_to_agree_on(cfg, state, loader))
        model = parallelised(state.model, inputs.device, act_checkpoint=cfg.MODEL.ACT_CHECKPOINT)
        save_config(cfg)
        get_logger().info("%s", describe_rates(cfg, steps=loader.steps, clips_per_step=loader.clips_per_step))
        noted = read_evaluated(checkpoints.folder / EVALUATED)
        if noted is not None and noted.epoch == state.epoch:
            state.evaluated, state.best, state.best_metric, state.since_best = noted
        reached = Reached(state.epoch * loader.steps + state.step, state.evaluated)
        return cls(
            task,
            inputs,
            requests,
            state,
            model,
            task.criterion(),
            build_schedule(cfg),
            loader,
            task.validation_loader(),
            checkpoints,
            RunLog(output, tensorboard=cfg.TENSORBOARD.ENABLE, reached=reached),
            _time_left(task, loader.steps),
            writer,
            distributed.another_group() if checkpoints.in_parts else None,
        )

    def epoch(self) -> EpochReport:
        """The rest of the epoch that the run is in, and what was met; `state.step` is 0 when it is whole."""
        cfg, state, loader = self.task.cfg, self.state, self.loader
        plan = EpochPlan(
            epoch=state.epoch,
            steps=loader.steps,
            accumulate=cfg.TRAIN.GRAD_ACCUM_STEPS,
            clip_grad=cfg.SOLVER.CLIP_GRAD_L2NORM,
            clip_value=cfg.SOLVER.CLIP_GRAD_VAL,
            first_step=state.step,
            seed=cfg.RNG_SEED,
            clips=loader.clips_per_step,
            max_unreadable=cfg.DATA.MAX_UNREADABLE,
        )
        loader.set_epoch(plan.epoch, plan.first_step)
        what = f"epoch {plan.epoch + 1}/{cfg.SOLVER.MAX_EPOCH}"
        with (
            progress(what=what, total=plan.steps, unit="step", lines=False) as bar,
            advice_when_short(cfg, self.inputs.device, training=True),
        ):
            bar.update(plan.first_step)
            report = train_one_epoch(
                self.model,
                self.criterion,
                loader,
                state.optimizer,
                inputs=self.inputs,
                schedule=self.schedule,
                plan=plan,
                scaler=state.scaler,
                average=state.average,
                on_step=self._step_log(bar, plan),
                saving=Saving(
                    self.requests, every_steps=cfg.TRAIN.CHECKPOINT_STEPS, save=self.save_within, skip=self.note_skipped
                ),
                so_far=self._so_far(),
            )
        state.skipped_in_a_row = report.skipped_in_a_row
        if report.steps == loader.steps:
            report.of_all().log()
            state.epoch, state.step, state.so_far = state.epoch + 1, 0, {}
        return report

    def _so_far(self) -> tuple[EpochReport, LossMeter]:
        """What the present epoch has met before a checkpoint in it."""
        report, meter, saved = EpochReport(skipped_in_a_row=self.state.skipped_in_a_row), LossMeter(), self.state.so_far
        if saved:
            report = EpochReport.going_on(saved["report"])
            meter.load_state_dict(saved["meter"], self.inputs.device)
        return report, meter

    def _step_log(self, bar: object, plan: EpochPlan) -> StepLog:
        return StepLog(
            self.log,
            bar,
            self.state.optimizer,
            epoch=plan.epoch,
            epochs=self.task.cfg.SOLVER.MAX_EPOCH,
            steps=plan.steps,
            period=self.task.cfg.LOG_PERIOD,
            accumulate=plan.accumulate,
            batch_size=self.loader.clips_per_step,
            device=self.inputs.device,
            time_left=self.time_left,
        )

    # ------------------------------------------------------------------------------------------------- checkpoints

    def save_within(self, step: int, report: EpochReport, meter: LossMeter) -> None:
        """Save after `step` steps of the epoch, on all processes together."""
        self.state.step = step
        meter.average_over_processes()
        self.state.so_far = {"report": report.of_all().state_dict(), "meter": meter.state_dict()}
        self._save()

    def save_epoch(self, *, stopping: bool) -> None:
        """Save after an epoch where TRAIN.CHECKPOINT_PERIOD says so, and before a stop."""
        cfg, epoch = self.task.cfg, self.state.epoch
        if epoch % cfg.TRAIN.CHECKPOINT_PERIOD == 0 or epoch == cfg.SOLVER.MAX_EPOCH or stopping:
            self._save()
            self.requests.saved()

    def note_skipped(self, step: int, report: EpochReport) -> None:
        """Leave what `tools/replay_step.py` needs to run a step again whose gradient was not finite."""
        leave_skipped(self.log.folder, Position(self.state.epoch, step), report, self._content)

    def _save(self) -> None:
        """Copy the state and let the thread write it: the run stands still for the copy, and for a write before that is
        not done yet. On all processes together.
        """
        start = time.perf_counter()
        self.writer.wait()
        content, epoch, step = self._content(in_parts=self.checkpoints.in_parts), self.state.epoch, self.state.step
        held = time.perf_counter() - start
        share, self.saved = held / (start + held - self.saved), start + held

        def write() -> None:
            begun = time.perf_counter()
            path = self.checkpoints.save(epoch, content, step=step, group=self.writers)
            get_logger().info(
                "saved %s: training stood still for %.2g s, %.2g %% of the time since the one before, and went on while it was "
                "written in %.2g s",
                *(path, held, 100 * share, time.perf_counter() - begun),
            )

        if self.checkpoints.in_parts or distributed.is_main():
            self.writer.start(write)
        self.time_left.note("checkpoint", held)

    def _content(self, *, in_parts: bool = False) -> dict:
        """A checkpoint: a copy of the state of the run, and what tells which run that is. On all processes together.

        in_parts: of cut tensors what this process holds; else all of them, on the main process
        """
        state = self.state.state_dict()
        state = copied(state) if in_parts else whole(state, here=distributed.is_main())
        return state | {
            "cfg": self.task.cfg.dump(),
            "class_names": list(self.task.class_names),
            "class_ids": list(self.task.class_ids),
        }

    def stop(self) -> NoReturn:
        """Raises StoppedError that says why, on all processes together, once all is written."""
        self.writer.wait()
        reasons = [reason for reason in distributed.gather_objects(self.requests.stop) if reason]
        raise StoppedError(self._why_stopped(reasons[0]))

    def _why_stopped(self, reason: str) -> str:
        where = self.checkpoints.path(self.state.epoch, self.state.step)
        return f"{reason}; the run is saved in {where}, and the same command goes on from there"

    # ------------------------------------------------------------------------------------------------- evaluations

    def has_stopped_rising(self) -> bool:
        """Whether TRAIN.EARLY_STOPPING ends the training here; what it is known by is the same for all processes."""
        patience, state = self.task.cfg.TRAIN.EARLY_STOPPING, self.state
        if not patience or state.since_best < patience:
            return False
        get_logger().info(
            "training ends after epoch %d of %d: %s has had no new best in %d evaluations, its best is %.4f (TRAIN.EARLY_STOPPING "
            "%d); what is tested now are the last weights, checkpoints/best.pyth has the best",
            *(state.epoch, self.task.cfg.SOLVER.MAX_EPOCH, state.best_metric, state.since_best, state.best, patience),
        )
        if state.epoch % self.task.cfg.TRAIN.CHECKPOINT_PERIOD:  # else it is saved already
            self._save()
        return True

    def evaluate(self) -> None:
        """Evaluate where TRAIN.EVAL_PERIOD says so and it was not done yet, log the numbers, and keep the weights of the
        best number so far (TRAIN.BEST_METRIC) in best.pyth."""
        cfg, state = self.task.cfg, self.state
        epoch = state.epoch
        due = epoch and not state.step and (epoch % cfg.TRAIN.EVAL_PERIOD == 0 or epoch == cfg.SOLVER.MAX_EPOCH)
        if not due or epoch <= state.evaluated:
            return
        start, model = time.perf_counter(), state.model_to_test()

        def keep() -> None:
            self.writer.wait()
            content, path = self._content() | {"best": best.value}, self.checkpoints.folder / "best.pyth"
            if distributed.is_main():
                path.parent.mkdir(parents=True, exist_ok=True)
                self.writer.start(lambda: write_atomically(content, path))

        best = Best(state.best, keep, metric=state.best_metric, since=state.since_best)
        try:
            tested = evaluate(
                model,
                self.validation,
                self.task.validation_evaluator(),
                inputs=self.inputs,
                postprocess=self.task.postprocess(),
                what=f"evaluating epoch {epoch}",
                requests=self.requests,
                max_unreadable=cfg.DATA.MAX_UNREADABLE,
            )
        except StoppedError as error:
            self.writer.wait()
            if not distributed.gather_objects(self.checkpoints.path(epoch).exists())[0]:
                self._save()
            raise StoppedError(self._why_stopped(str(error))) from None
        get_logger().info("epoch %d: %s (%.1f clips/s)", epoch, brief(tested.result), tested.clips_per_second)
        log_unreadable(tested.unreadable, 0)
        record(tested, self.log, kind="eval", epoch=epoch, best=best, best_metric=cfg.TRAIN.BEST_METRIC)
        if self.log.draws:
            self.log.show(epoch, self.task.curves(tested.result), self.task.pictures(tested.result))
        state.best, state.best_metric, state.since_best, state.evaluated = best.value, best.metric, best.since, epoch
        note_evaluated(self.checkpoints.folder / EVALUATED, Evaluated(epoch, best.value, best.metric, best.since))
        self.evaluation = Evaluation.of(self.task, model, tested, epoch)
        self.time_left.note("evaluation", time.perf_counter() - start)


def _to_agree_on(cfg: CfgNode, state: RunState, loader: TrainLoader) -> dict[str, object]:
    """What every process of a run must have alike before the first step; nothing for one alone."""
    if distributed.world_size() == 1:
        return {}
    return {
        "place to go on from": str(Position(state.epoch, state.step)),
        "configuration": digest(cfg.dump()),
        "number of steps in an epoch": loader.steps,
        "training data": loader.digest(),
        # A cut model has the weights of process 0 everywhere.
        "weights": "" if state.uncut is not None else state_sha256(state.model.state_dict())[:16],
    }


def _time_left(task: Task, steps: int) -> TimeLeft:
    cfg = task.cfg
    return TimeLeft(
        epochs=cfg.SOLVER.MAX_EPOCH,
        steps=steps,
        eval_period=cfg.TRAIN.EVAL_PERIOD,
        checkpoint_period=cfg.TRAIN.CHECKPOINT_PERIOD,
        final_test=cfg.TEST.ENABLE and not task.evaluates_as_tested,
    )
