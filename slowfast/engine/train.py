"""Training: build everything, go on from the newest checkpoint, and alternate epochs with evaluations."""

import time
from collections.abc import Iterable
from pathlib import Path

import torch
from torch import nn

from slowfast.engine.device.compiling import compile_in_place
from slowfast.engine.device.inputs import Inputs
from slowfast.engine.device.memory import advice_when_short
from slowfast.engine.device.parallel import parallelised
from slowfast.engine.record.files import save_config
from slowfast.engine.record.results import Best, brief, log_unreadable, record
from slowfast.engine.record.run_log import RunLog
from slowfast.engine.record.step_log import StepLog
from slowfast.engine.record.time_left import TimeLeft
from slowfast.engine.run_state import RunState, start_or_resume
from slowfast.engine.test import evaluate
from slowfast.engine.train_one_epoch import EpochPlan, EpochReport, train_one_epoch
from slowfast.solver.build import build_schedule, describe_rates
from slowfast.structures.clip import ClipBatch
from slowfast.tasks.task import Task, TrainLoader
from slowfast.utils import distributed
from slowfast.utils.logging import get_logger
from slowfast.utils.progress import progress
from slowfast.utils.seed import seed_everything
from slowfast.weights.checkpoint import Checkpointer, write_atomically


def train(task: Task, inputs: Inputs, output: Path) -> nn.Module:
    """Train as the task's config says and return the model to test: the weight average, else the last weights.

    The randomness of an epoch depends on seed, epoch and rank only, so a resumed run repeats a straight one.
    """
    cfg, log = task.cfg, RunLog(output, tensorboard=task.cfg.TENSORBOARD.ENABLE)
    checkpoints = Checkpointer(output / "checkpoints", keep=cfg.TRAIN.KEEP_CHECKPOINTS)
    seed_everything(cfg.RNG_SEED)
    state, criterion, schedule = RunState.fresh(cfg, inputs.device), task.criterion(), build_schedule(cfg)
    start_or_resume(state, cfg, checkpoints, task.known_names)
    task.meet_model(state.model, inputs.pictures)
    loader, validation = task.train_loader(), task.validation_loader()
    for model in {state.model, state.model_to_test}:  # the weight average is a model of its own
        compile_in_place(cfg, model, inputs.device)
    model = parallelised(state.model, inputs.device, act_checkpoint=cfg.MODEL.ACT_CHECKPOINT)
    save_config(cfg)

    get_logger().info("%s", describe_rates(cfg, steps=loader.steps, clips_per_step=loader.clips_per_step))

    last, skipped = cfg.SOLVER.MAX_EPOCH, 0
    time_left = TimeLeft(
        epochs=last,
        steps=loader.steps,
        eval_period=cfg.TRAIN.EVAL_PERIOD,
        checkpoint_period=cfg.TRAIN.CHECKPOINT_PERIOD,
        final_test=cfg.TEST.ENABLE,
    )
    while state.epoch < last:
        epoch = state.epoch
        seed_everything((cfg.RNG_SEED * 10_007 + epoch) * 1_009 + distributed.rank())
        loader.set_epoch(epoch)
        plan = EpochPlan(
            epoch=epoch,
            steps=loader.steps,
            accumulate=cfg.TRAIN.GRAD_ACCUM_STEPS,
            clip_grad=cfg.SOLVER.CLIP_GRAD_L2NORM,
            clip_value=cfg.SOLVER.CLIP_GRAD_VAL,
            skipped_before=skipped,
        )
        with (
            progress(what=f"epoch {epoch + 1}/{last}", total=loader.steps, unit="step") as bar,
            advice_when_short(cfg, inputs.device, training=True),
        ):
            report = train_one_epoch(
                model,
                criterion,
                loader,
                state.optimizer,
                inputs=inputs,
                schedule=schedule,
                plan=plan,
                scaler=state.scaler,
                average=state.average,
                on_step=_step_log(task, loader, log, bar, state.optimizer, plan, inputs.device, time_left),
            )
        skipped = report.skipped_in_a_row
        describe_epoch(report)
        state.epoch += 1
        if state.epoch % cfg.TRAIN.EVAL_PERIOD == 0 or state.epoch == last:
            start = time.perf_counter()
            evaluate_epoch(task, state, validation, inputs, log, checkpoints)
            time_left.note("evaluation", time.perf_counter() - start)
        if state.epoch % cfg.TRAIN.CHECKPOINT_PERIOD == 0 or state.epoch == last:
            start = time.perf_counter()
            save(task, state, checkpoints)
            time_left.note("checkpoint", time.perf_counter() - start)
    return state.model_to_test


def _step_log(
    task: Task,
    loader: TrainLoader,
    log: RunLog,
    bar: object,
    optimizer: torch.optim.Optimizer,
    plan: EpochPlan,
    device: torch.device,
    time_left: TimeLeft,
) -> StepLog:
    return StepLog(
        log,
        bar,
        optimizer,
        epoch=plan.epoch,
        epochs=task.cfg.SOLVER.MAX_EPOCH,
        steps=plan.steps,
        period=task.cfg.LOG_PERIOD,
        accumulate=plan.accumulate,
        batch_size=loader.clips_per_step,
        device=device,
        time_left=time_left,
    )


def describe_epoch(report: EpochReport) -> None:
    """Log what an epoch met on all processes: unreadable clips, skipped steps, what the criterion had to say."""
    log = get_logger()
    shares = distributed.gather_objects((report.unreadable, report.notes))
    log_unreadable(sorted(reason for reasons, _ in shares for reason in reasons), report.repeated_frames)
    if report.skipped:
        log.warning("%d of %d steps were skipped: their gradient was not finite", report.skipped, report.steps)
    notes = sum((notes for _, notes in shares), start=report.notes.__class__())
    for sentence, count in notes.items():
        log.warning("%d %s", count, sentence)


def evaluate_epoch(
    task: Task, state: RunState, loader: Iterable[ClipBatch], inputs: Inputs, log: RunLog, checkpoints: Checkpointer
) -> None:
    """Evaluate after an epoch on the clips of `loader`, log the numbers, and keep the weights of the best headline so far in best.pyth."""

    def keep() -> None:
        checkpoints.folder.mkdir(parents=True, exist_ok=True)
        write_atomically(_content(task, state) | {"best": best.value}, checkpoints.folder / "best.pyth")

    best = Best(state.best, keep)
    tested = evaluate(
        state.model_to_test,
        loader,
        task.validation_evaluator(),
        inputs=inputs,
        postprocess=task.postprocess(),
        what=f"evaluating epoch {state.epoch}",
    )
    get_logger().info("epoch %d: %s (%.1f clips/s)", state.epoch, brief(tested.result), tested.clips_per_second)
    log_unreadable(tested.unreadable, 0)
    record(tested, log, kind="eval", epoch=state.epoch, best=best)
    state.best = best.value


def save(task: Task, state: RunState, checkpoints: Checkpointer) -> None:
    """Write the checkpoint after the epochs done, on the main process; the others wait."""
    if distributed.is_main():
        get_logger().info("saved %s", checkpoints.save(state.epoch, _content(task, state)))
    distributed.barrier()


def _content(task: Task, state: RunState) -> dict:
    """A checkpoint: the state of the run, and what tells which run that is."""
    return state.state_dict() | {
        "cfg": task.cfg.dump(),
        "class_names": list(task.class_names),
        "class_ids": list(task.class_ids),
    }
