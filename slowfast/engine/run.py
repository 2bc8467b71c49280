"""One run from start to end, in each of its processes: train, test, and what is left in OUTPUT_DIR."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from fvcore.common.config import CfgNode
from torch import nn

from slowfast.engine.device.compiling import choose_compiling, compile_in_place
from slowfast.engine.device.inputs import Inputs
from slowfast.engine.device.memory import advice_when_short
from slowfast.engine.device.precision import choose_precision, take_tf32
from slowfast.engine.device.same_kernels import agree_on_kernels
from slowfast.engine.device.threads import Threads, set_threads
from slowfast.engine.record.files import make_folder, save_config
from slowfast.engine.record.lock import owned
from slowfast.engine.record.provenance import provenance
from slowfast.engine.record.state import noted
from slowfast.engine.record.summary import model_summary
from slowfast.engine.same_run import refuse_another_run, refuse_other_weights
from slowfast.engine.starting_weights import check_starting_weights
from slowfast.engine.test import test
from slowfast.engine.train import train
from slowfast.layers import kernels
from slowfast.models.build import build_model
from slowfast.tasks.build import build_task
from slowfast.tasks.task import Task
from slowfast.utils.logging import get_logger, setup_logging
from slowfast.utils.processes import distributed
from slowfast.utils.processes.memory import keep_freed_memory
from slowfast.weights.checkpoint import Checkpointer
from slowfast.weights.file import reading_once
from slowfast.weights.load import load_weights


def run(cfg: CfgNode, device: torch.device, *, config_file: str = "", overrides: Sequence[str] = ()) -> None:
    """Train if TRAIN.ENABLE, then test if TEST.ENABLE. Everything it leaves is in OUTPUT_DIR.

    config_file, overrides: of the command, for metrics.json
    """
    with reading_once():
        _check_and_run(cfg, device, config_file, overrides)


def _check_and_run(cfg: CfgNode, device: torch.device, config_file: str, overrides: Sequence[str]) -> None:
    """Everything that can be refused is, before OUTPUT_DIR is touched."""
    threads = set_threads(cfg)
    task = build_task(cfg)
    cfg, output = task.cfg, Path(cfg.OUTPUT_DIR)
    if cfg.TRAIN.ENABLE:
        refuse_another_run(cfg, Checkpointer(output / "checkpoints"), task.known_names)
    elif cfg.TEST.ENABLE:
        refuse_other_weights(cfg, cfg.TEST.CHECKPOINT_FILE_PATH)
    check_starting_weights(task, output)
    if distributed.is_main():
        make_folder(output)
    distributed.barrier()
    setup_logging(output)
    with owned(output), noted(output):
        _run(task, device, threads, output, config_file, overrides)


def _run(
    task: Task, device: torch.device, threads: Threads, output: Path, config_file: str, overrides: Sequence[str]
) -> None:
    cfg, log = task.cfg, get_logger()
    log.info(
        "%d process(es) on %s, torch %s, output in %s", distributed.world_size(), device, torch.__version__, output
    )
    threads.log()
    if device.type == "cpu":
        keep_freed_memory()
    kernels.use(cfg.MODEL.KERNELS, cfg.MODEL.DEPTHWISE)
    log.info("%s", model_summary(cfg))
    precision = choose_precision(cfg.MODEL.PRECISION, device)
    log.info("%s: MODEL.PRECISION is %s", take_tf32(precision, device), cfg.MODEL.PRECISION)
    log.info("%s; %s", kernels.describe(device, autocast=precision.autocasts), choose_compiling(cfg, device))
    task.prepare()
    inputs = build_inputs(task, device)
    with advice_when_short(cfg, device, training=False):  # the train loop tells of its own steps
        _train_and_test(task, inputs, output, config_file, overrides)


def _train_and_test(task: Task, inputs: Inputs, output: Path, config_file: str, overrides: Sequence[str]) -> None:
    cfg, device = task.cfg, inputs.device
    if cfg.TRAIN.ENABLE:
        model, evaluation = train(task, inputs, output)
    else:
        model, evaluation = model_of_checkpoint(task, inputs), None
        task.meet_model(model, inputs.pictures)
    if cfg.TEST.ENABLE:
        weights = "" if cfg.TRAIN.ENABLE else cfg.TEST.CHECKPOINT_FILE_PATH
        made_with: dict[str, Any] = {}
        if distributed.is_main():
            made_with = provenance(cfg, model, device, weights=weights, config_file=config_file, overrides=overrides)
        test(task, model, inputs, output, made_with=made_with, evaluation=evaluation)


def build_inputs(task: Task, device: torch.device) -> Inputs:
    """How batches of the task are prepared and its model is called."""
    mean, std, bgr = task.normalisation
    precision = choose_precision(task.cfg.MODEL.PRECISION, device)
    return Inputs(device, mean=mean, std=std, bgr=bgr, arguments=task.arguments, precision=precision)


def model_of_checkpoint(task: Task, inputs: Inputs) -> nn.Module:
    """The model of TEST.CHECKPOINT_FILE_PATH, for a run that does not train."""
    cfg, device = task.cfg, inputs.device
    model = build_model(cfg).to(device)
    report = load_weights(
        model,
        cfg.TEST.CHECKPOINT_FILE_PATH,
        class_names=task.known_names,
        prefer=cfg.MODEL.CHECKPOINT_ENTRY,
        grid=cfg.MODEL.CHECKPOINT_GRID,
    )
    get_logger().info("%s", report)
    agree_on_kernels(model, device, inputs.precision)
    compile_in_place(cfg, model, device, graphs=True, leave_pixels_to=inputs.leave_pixels_to)
    save_config(cfg, trains=False)
    return model
