"""Training: build everything, go on from the newest checkpoint, and alternate epochs with evaluations."""

import time
from dataclasses import dataclass, field
from pathlib import Path

import torch
from fvcore.common.config import CfgNode
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from slowfast.datasets.annotations.annotated_set import AnnotatedSet
from slowfast.datasets.build import build_test_loader, build_train_loader
from slowfast.engine.compiling import compile_in_place
from slowfast.engine.files import save_config
from slowfast.engine.run_log import RunLog
from slowfast.engine.test import TestReport, evaluate, log_unreadable, make_evaluator, make_pipe
from slowfast.engine.train_one_epoch import train_one_epoch
from slowfast.losses.build import build_criterion
from slowfast.models.build import build_model, build_postprocess
from slowfast.solver.build import build_optimizer, build_schedule, build_weight_average
from slowfast.utils import distributed
from slowfast.utils.logging import get_logger
from slowfast.utils.meters import LossMeter, Stopwatch
from slowfast.utils.progress import progress
from slowfast.utils.seed import seed_everything
from slowfast.weights.checkpoint import Checkpointer, load_weights, write_atomically


def train(cfg: CfgNode, device: torch.device, train_set: AnnotatedSet, test_set: AnnotatedSet) -> nn.Module:
    """Train as `cfg` says and return the model to test: the weight average where there is one, else the last weights."""
    run = TrainingRun(cfg, device, train_set, test_set)
    start = run.resume()
    save_config(cfg)
    for epoch in range(start, cfg.SOLVER.MAX_EPOCH):
        run.train_epoch(epoch)
        done, last = epoch + 1, epoch + 1 == cfg.SOLVER.MAX_EPOCH
        if done % cfg.TRAIN.EVAL_PERIOD == 0 or last:
            run.evaluate(done)
        if done % cfg.TRAIN.CHECKPOINT_PERIOD == 0 or last:
            run.save(done)
    return run.model_to_test


@dataclass
class TrainingRun:
    """The parts of one training run and their state."""

    cfg: CfgNode
    device: torch.device
    train_set: AnnotatedSet
    test_set: AnnotatedSet
    best_map: float = field(default=-1.0, init=False)
    skipped_in_a_row: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        cfg = self.cfg
        rank, world_size = distributed.rank(), distributed.world_size()
        seed_everything(cfg.RNG_SEED)
        self.output = Path(cfg.OUTPUT_DIR)
        self.log = RunLog(self.output, tensorboard=cfg.TENSORBOARD.ENABLE)
        self.checkpointer = Checkpointer(self.output / "checkpoints", keep=cfg.TRAIN.KEEP_CHECKPOINTS)
        self.model = build_model(cfg).to(self.device)
        self.criterion = build_criterion(cfg)
        self.optimizer = build_optimizer(cfg, self.model)
        self.schedule = build_schedule(cfg)
        self.average = build_weight_average(cfg, self.model)
        self.pipe = make_pipe(cfg, self.device)
        self.postprocess = build_postprocess(cfg)
        self.train_loader = build_train_loader(cfg, self.train_set, rank=rank, world_size=world_size)
        self.test_loader = build_test_loader(cfg, self.test_set, rank=rank, world_size=world_size)

    @property
    def model_to_test(self) -> nn.Module:
        return self.average.average if self.average is not None else self.model

    @property
    def steps(self) -> int:
        """Optimiser steps in an epoch."""
        return self.train_loader.batch_sampler.steps

    def resume(self) -> int:
        """Restore the newest checkpoint of this run, or load the weights to start from; returns the epoch to start at."""
        found = self._find_checkpoint()
        start = 0
        if found is not None:
            path, state = found
            start = self._restore(path, state)
        elif self.cfg.TRAIN.CHECKPOINT_FILE_PATH:
            report = load_weights(
                self.model,
                self.cfg.TRAIN.CHECKPOINT_FILE_PATH,
                head_reinit=self.cfg.MODEL.HEAD_REINIT,
                class_names=self.train_set.label_map.names,
            )
            get_logger().info("%s", report)
            self.average = build_weight_average(self.cfg, self.model)
        for model in {self.model, self.model_to_test}:  # the weight average is a model of its own
            compile_in_place(self.cfg, model, self.device)
        self.parallel = self._wrap()
        return start

    def _find_checkpoint(self) -> tuple[Path, dict] | None:
        if self.cfg.TRAIN.AUTO_RESUME:
            if distributed.is_main():
                self.checkpointer.remove_leftovers()
            return self.checkpointer.newest()
        if self.checkpointer.saved():
            raise ValueError(
                f"TRAIN.AUTO_RESUME is False, but {self.checkpointer.folder} holds checkpoints of an earlier run; "
                "choose another OUTPUT_DIR, or move them away"
            )
        return None

    def _wrap(self) -> nn.Module:
        if distributed.world_size() == 1:
            return self.model
        if self.cfg.MODEL.ACT_CHECKPOINT:
            # What compiles the parts between two reductions could not take a checkpoint apart in some versions.
            torch._dynamo.config.optimize_ddp = False
        ids = [self.device.index] if self.device.type == "cuda" else None
        return DistributedDataParallel(self.model, device_ids=ids)

    def _restore(self, path: Path, state: dict) -> int:
        try:
            self.model.load_state_dict(state["model_state"])
            self._restore_optimizer(state["optimizer_state"])
            if self.average is not None:
                self.average.average.load_state_dict(state["ema_state"])
            self.best_map, epoch = state["best_map"], state["epoch"]
        except (KeyError, RuntimeError, ValueError) as error:
            raise ValueError(
                f"{path} does not belong to this configuration, so the run cannot go on from it: {error}\n"
                "Use another OUTPUT_DIR, or move the checkpoints away to start anew"
            ) from error
        get_logger().info("going on after epoch %d from %s", epoch, path)
        return epoch

    def _restore_optimizer(self, state: dict) -> None:
        """Restore the moments; rates and decay are those of the configuration, even where it has changed since."""
        wanted = [{k: v for k, v in group.items() if k != "params"} for group in self.optimizer.param_groups]
        for saved, settings in zip(state["param_groups"], wanted, strict=True):
            saved["fused"] = settings["fused"]  # it decides on which device the step counts lie
        self.optimizer.load_state_dict(state)
        for group, settings in zip(self.optimizer.param_groups, wanted, strict=True):
            changed = [k for k in ("base_lr", "weight_decay") if group[k] != settings[k]]
            for key in changed:
                get_logger().warning("%s: %s is now %g, it was %g", group["name"], key, settings[key], group[key])
            group.update(settings)

    def train_epoch(self, epoch: int) -> None:
        """One epoch. Its randomness depends on seed, epoch and rank only, so a resumed run repeats a straight one."""
        cfg = self.cfg
        seed_everything((cfg.RNG_SEED * 10_007 + epoch) * 1_009 + distributed.rank())
        self.train_loader.batch_sampler.set_epoch(epoch)
        with progress(what=f"epoch {epoch + 1}/{cfg.SOLVER.MAX_EPOCH}", total=self.steps, unit="step") as bar:
            report = train_one_epoch(
                self.parallel,
                self.criterion,
                self.train_loader,
                optimizer=self.optimizer,
                schedule=self.schedule,
                pipe=self.pipe,
                epoch=epoch,
                steps=self.steps,
                accumulate=cfg.TRAIN.GRAD_ACCUM_STEPS,
                clip_grad=cfg.SOLVER.CLIP_GRAD_L2NORM,
                autocast=cfg.TRAIN.MIXED_PRECISION,
                average=self.average,
                on_step=StepLog(self, epoch, bar),
                skipped_before=self.skipped_in_a_row,
            )
        self.skipped_in_a_row = report.skipped_in_a_row
        unreadable = sorted(reason for share in distributed.gather_objects(report.unreadable) for reason in share)
        log_unreadable(unreadable, report.repeated_frames)
        if report.skipped:
            get_logger().warning(
                "%d of %d steps were skipped: their gradient was not finite", report.skipped, report.steps
            )
        if self.criterion.unmatched_people:
            get_logger().warning(
                "%d people were matched to nothing: their clips have more people than candidates (BMVIT.BOX_TOKENS)",
                self.criterion.unmatched_people,
            )
            self.criterion.unmatched_people = 0

    def evaluate(self, done: int) -> TestReport:
        """Evaluate after `done` epochs, log the numbers, and keep the weights of the best mAP so far in best.pyth."""
        report = evaluate(
            self.model_to_test,
            self.test_loader,
            make_evaluator(self.cfg, self.test_set),
            postprocess=self.postprocess,
            pipe=self.pipe,
            autocast=self.cfg.TRAIN.MIXED_PRECISION,
            what=f"evaluating epoch {done}",
        )
        summary = report.frame_map.summary()
        self.log.write("eval", at=done, epoch=done, **summary)
        get_logger().info(
            "epoch %d: mAP %.4f, person AP %.4f (%.1f clips/s)",
            done,
            report.frame_map.mAP,
            report.frame_map.person_ap,
            report.clips / max(report.seconds, 1e-9),
        )
        log_unreadable(report.unreadable, 0)
        if report.frame_map.mAP > self.best_map:
            self.best_map = report.frame_map.mAP
            if distributed.is_main():
                self.checkpointer.folder.mkdir(parents=True, exist_ok=True)
                write_atomically(self._state() | {"epoch": done}, self.checkpointer.folder / "best.pyth")
        return report

    def save(self, done: int) -> None:
        """Write the checkpoint after `done` epochs, on the main process; the others wait."""
        if distributed.is_main():
            path = self.checkpointer.save(done, self._state())
            get_logger().info("saved %s", path)
        distributed.barrier()

    def _state(self) -> dict:
        label_map = self.train_set.label_map
        state = {
            "model_state": self.model.state_dict(),
            "optimizer_state": self.optimizer.state_dict(),
            "best_map": self.best_map,
            "cfg": self.cfg.dump(),
            "class_names": list(label_map.names),
            "class_ids": list(label_map.ids),
        }
        if self.average is not None:
            state["ema_state"] = self.average.average.state_dict()
        return state


class StepLog:
    """After each step: move the bar on; every LOG_PERIOD steps write losses, rates and times to log.jsonl."""

    def __init__(self, run: TrainingRun, epoch: int, bar: object) -> None:
        self.run, self.epoch, self.bar = run, epoch, bar
        self.since, self.steps = time.perf_counter(), 0

    def __call__(self, step: int, factor: float, meter: LossMeter, watch: Stopwatch) -> None:
        self.bar.update()
        self.steps += 1
        if (step + 1) % self.run.cfg.LOG_PERIOD and step + 1 != self.run.steps:
            return
        names = meter.names
        # Micro-batches and processes each hold their part of a step's loss.
        means = distributed.mean_over_processes_(meter.mean_and_reset()) * self.run.cfg.TRAIN.GRAD_ACCUM_STEPS
        losses = dict(zip(names, means.tolist(), strict=True))
        spent = watch.read_and_reset()
        seconds = time.perf_counter() - self.since
        total_steps = self.epoch * self.run.steps + step + 1
        self.run.log.write(
            "train",
            at=total_steps,
            epoch=self.epoch + 1,
            step=total_steps,
            loss=losses.pop("total"),
            **{f"loss/{name}": value for name, value in losses.items()},
            lr={group["name"]: group["lr"] for group in self.run.optimizer.param_groups},
            lr_factor=factor,
            seconds_per_step=seconds / self.steps,
            data_seconds=spent.get("data", 0.0) / self.steps,
            clips_per_second=self.run.cfg.TRAIN.BATCH_SIZE * self.steps / seconds,
        )
        self.bar.set_postfix_str(", ".join(f"{name} {value:.3f}" for name, value in losses.items()))
        self.since, self.steps = time.perf_counter(), 0
