"""A run before it is begun: everything is built, each kind of work is done once or twice, and what it will need is told."""

import shutil
import tempfile
import time
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from fvcore.common.config import CfgNode
from torch import nn

from slowfast.engine.device.compiling import choose_compiling, compile_in_place
from slowfast.engine.device.inputs import Inputs
from slowfast.engine.device.memory import GIB, advice_when_short, peak_bytes
from slowfast.engine.device.parallel import parallelised
from slowfast.engine.device.same_kernels import agree_on_kernels
from slowfast.engine.device.threads import set_threads
from slowfast.engine.record.results import brief, chosen_metric, log_unreadable
from slowfast.engine.record.summary import model_summary
from slowfast.engine.run import build_inputs, model_of_checkpoint
from slowfast.engine.run_state import RunState, start_or_resume
from slowfast.engine.same_run import refuse_another_run, refuse_other_weights
from slowfast.engine.starting_weights import check_starting_weights
from slowfast.engine.test import evaluate
from slowfast.engine.train_one_epoch import EpochPlan, train_one_epoch
from slowfast.layers import kernels
from slowfast.solver.build import build_schedule, describe_rates
from slowfast.tasks.build import build_task
from slowfast.tasks.task import Task
from slowfast.utils.logging import get_logger, setup_logging
from slowfast.utils.processes import distributed
from slowfast.utils.processes.shards import whole
from slowfast.utils.progress import duration
from slowfast.utils.seed import seed_everything
from slowfast.weights.checkpoint import Checkpointer

BATCHES = 2  # of an evaluation
STEPS = 2  # of training: the first is slower than those that follow


@dataclass
class Estimates:
    """Seconds of what a run does, from what was measured; lines: what is told."""

    training: float = 0.0
    evaluations: float = 0.0
    test: float = 0.0
    lines: list[str] = field(default_factory=list)

    def say(self, text: str, *arguments: Any) -> None:
        self.lines.append(text % arguments)
        get_logger().info("dry run: " + text, *arguments)


def dry_run(cfg: CfgNode, device: torch.device) -> Estimates:
    """Build all that the run of `cfg` needs, evaluate two batches before training, take two training steps and write a
    checkpoint, begin each test; tell time, memory and disk. Nothing is left in OUTPUT_DIR, nor in a cache.

    Raises what the run would raise.
    """
    output = Path(cfg.OUTPUT_DIR)
    with tempfile.TemporaryDirectory(prefix="dry_run_") as folder:
        threads = set_threads(cfg)
        task = build_task(_leaving_nothing(cfg, folder))
        if cfg.TRAIN.ENABLE:
            refuse_another_run(task.cfg, Checkpointer(output / "checkpoints"), task.known_names)
        elif cfg.TEST.ENABLE:
            refuse_other_weights(task.cfg, cfg.TEST.CHECKPOINT_FILE_PATH)
        check_starting_weights(task, Path(folder))
        setup_logging()
        threads.log()
        kernels.use(cfg.MODEL.KERNELS, cfg.MODEL.DEPTHWISE)
        get_logger().info("%s; %s", model_summary(task.cfg), choose_compiling(task.cfg, device))
        task.prepare()
        return _try(task, build_inputs(task, device), output, Path(folder))


def _leaving_nothing(cfg: CfgNode, folder: str) -> CfgNode:
    """The same run in a folder that is thrown away, without a cache that it would fill."""
    cfg = cfg.clone()
    cfg.defrost()
    cfg.OUTPUT_DIR, cfg.DATA.CACHE_DIR = folder, ""
    cfg.freeze()
    return cfg


def _try(task: Task, inputs: Inputs, output: Path, folder: Path) -> Estimates:
    cfg, told = task.cfg, Estimates()
    saved = Checkpointer(output / "checkpoints").saved()
    if saved and cfg.TRAIN.ENABLE and cfg.TRAIN.AUTO_RESUME:
        told.say(
            "%s holds checkpoints: a run would go on from %s; this one is tried from its beginning",
            output,
            saved[-1].name,
        )
    if cfg.TRAIN.ENABLE:
        with advice_when_short(cfg, inputs.device, training=True):
            model = _try_training(task, inputs, output, folder, told)
    else:
        model = model_of_checkpoint(task, inputs)
    if cfg.TEST.ENABLE:
        with advice_when_short(cfg, inputs.device, training=False):
            for trial in task.trials():
                told.test += _try_evaluation(
                    task, model, trial.loader, trial.evaluator, inputs, told, f"test {trial.name}".rstrip()
                )
        if cfg.TRAIN.ENABLE and task.evaluates_as_tested:  # the last evaluation is the test
            told.test = 0.0
    peak = max(distributed.gather_objects(peak_bytes(inputs.device))) / GIB
    where = "of GPU memory" if inputs.device.type == "cuda" else "of memory (without loader processes)"
    told.say("%.1f GiB %s at most, of one process", peak, where)
    total = told.training + told.evaluations + told.test
    told.say(
        "the whole run: about %s (training %s, evaluations %s, test %s), judged by so few steps",
        *(duration(total), duration(told.training), duration(told.evaluations), duration(told.test)),
    )
    told.say("nothing was left in %s", output)
    return told


def _try_training(task: Task, inputs: Inputs, output: Path, folder: Path, told: Estimates) -> nn.Module:
    cfg = task.cfg
    seed_everything(cfg.RNG_SEED)
    state = RunState.fresh(cfg, inputs.device)
    checkpoints = Checkpointer(folder / "checkpoints")
    start_or_resume(state, cfg, checkpoints, task.known_names)
    loader = task.train_loader()
    get_logger().info("%s", describe_rates(cfg, steps=loader.steps, clips_per_step=loader.clips_per_step))
    agree_on_kernels(state.model, inputs.device, inputs.precision)
    for network in {state.model, state.model_to_test()}:
        compile_in_place(cfg, network, inputs.device, leave_pixels_to=inputs.leave_pixels_to)
    model = parallelised(state.model, inputs.device, act_checkpoint=cfg.MODEL.ACT_CHECKPOINT)
    seconds = _try_evaluation(
        task,
        state.model_to_test(),
        task.validation_loader(),
        task.validation_evaluator(),
        inputs,
        told,
        "evaluation before training",
    )
    last = cfg.SOLVER.MAX_EPOCH
    told.evaluations = seconds * len({*range(cfg.TRAIN.EVAL_PERIOD, last + 1, cfg.TRAIN.EVAL_PERIOD), last})

    loader.set_epoch(0)
    moments, losses = [time.perf_counter()], []

    def note(step: int, factor: float, meter: Any, watch: Any) -> None:
        moments.append(time.perf_counter())
        losses.append(meter.means_and_reset().get("total", float("nan")) * cfg.TRAIN.GRAD_ACCUM_STEPS)

    accumulate = cfg.TRAIN.GRAD_ACCUM_STEPS
    plan = EpochPlan(
        epoch=0,
        steps=loader.steps,
        accumulate=accumulate,
        clip_grad=cfg.SOLVER.CLIP_GRAD_L2NORM,
        clip_value=cfg.SOLVER.CLIP_GRAD_VAL,
        seed=cfg.RNG_SEED,
        clips=loader.clips_per_step,
        max_unreadable=cfg.DATA.MAX_UNREADABLE,
    )
    report = train_one_epoch(
        model,
        task.criterion(),
        islice(loader, STEPS * accumulate),
        state.optimizer,
        inputs=inputs,
        schedule=build_schedule(cfg),
        plan=plan,
        scaler=state.scaler,
        average=state.average,
        on_step=note,
    )
    report.of_all().log()
    a_step = moments[-1] - moments[-2]
    told.training = a_step * loader.steps * last
    told.say(
        "%d training steps of %d clips: loss %s; the last took %.3g s, %d steps an epoch: %s",
        *(len(losses), loader.clips_per_step, " and ".join(f"{loss:.4g}" for loss in losses), a_step),
        *(loader.steps, duration(a_step * loader.steps)),
    )
    _try_checkpoint(task, state, checkpoints, output, told)
    return state.model_to_test()


def _try_checkpoint(task: Task, state: RunState, checkpoints: Checkpointer, output: Path, told: Estimates) -> None:
    start = time.perf_counter()
    content = whole(state.state_dict(), here=distributed.is_main())
    if distributed.is_main():
        path = checkpoints.save(0, content | {"cfg": task.cfg.dump()})
        size, kept = path.stat().st_size / GIB, task.cfg.TRAIN.KEEP_CHECKPOINTS
        told.say(
            "a checkpoint of %.3g GiB was written in %.2g s; %d are kept, two more within an epoch, and the best: %.3g GiB",
            *(size, time.perf_counter() - start, kept, (kept + 3) * size),
        )
        free = shutil.disk_usage(_existing(output)).free / GIB
        told.say("%.3g GiB are free where %s is or will be", free, output)
    distributed.barrier()


def _existing(path: Path) -> Path:
    return next(folder for folder in (path, *path.parents) if folder.exists())


def _try_evaluation(
    task: Task, model: nn.Module, loader: Any, evaluator: Any, inputs: Inputs, told: Estimates, what: str
) -> float:
    """Two batches; the seconds that all of them would take."""
    tested = evaluate(
        model,
        islice(loader, BATCHES),
        evaluator,
        inputs=inputs,
        postprocess=task.postprocess(),
        what=what,
        max_unreadable=task.cfg.DATA.MAX_UNREADABLE,
    )
    chosen_metric(tested.result, task.cfg.TRAIN.BEST_METRIC if task.cfg.TRAIN.ENABLE else "")
    log_unreadable(tested.unreadable, tested.repeated_frames)
    batches = len(loader)
    a_batch = tested.seconds / min(BATCHES, max(batches, 1))
    told.say(
        "%s: %d batches of %d, %s (of so few clips these numbers mean nothing); %.3g s a batch, %s in all",
        *(what, min(BATCHES, batches), batches, brief(tested.result), a_batch, duration(a_batch * batches)),
    )
    return a_batch * batches
