"""RunState: all that training changes, and so all that a checkpoint of a run must hold."""

import copy
from dataclasses import dataclass, field
from typing import Any

import torch
from fvcore.common.config import CfgNode
from torch import nn

from slowfast.engine.agreement import newest_for_all
from slowfast.engine.device import parallel
from slowfast.engine.device.precision import choose_precision
from slowfast.engine.same_run import describe_changes, refuse_another_run
from slowfast.models.build import build_model
from slowfast.solver.build import build_optimizer, build_weight_average
from slowfast.solver.ema import WeightAverage
from slowfast.utils.logging import get_logger
from slowfast.utils.processes import distributed
from slowfast.utils.processes.shards import cut_like, is_cut, load_whole
from slowfast.weights.checkpoint import Checkpointer, Position
from slowfast.weights.load import load_weights

_SHOWN_LINES = 3


@dataclass
class RunState:
    """A model in training.

    average: the running average of its weights, None without one
    scaler:  of the loss in float16
    epoch:   how many are done; step: how many of the next one
    best:    the highest number of an evaluation so far, minus infinity before the first
    best_metric: its name, "" before the first; since_best: evaluations after the one that gave it
    evaluated: the last epoch after which the model was evaluated, 0 for none
    so_far:  what the epoch has met and summed after `step` steps, as a checkpoint holds it
    skipped_in_a_row: steps, up to now, whose gradient was not finite
    uncut:   where `model` is cut over processes (TRAIN.PARALLEL fsdp): a copy with all of its weights, to be tested
    """

    model: nn.Module
    optimizer: torch.optim.Optimizer
    average: WeightAverage | None
    scaler: torch.amp.GradScaler
    epoch: int = 0
    step: int = 0
    best: float = float("-inf")
    best_metric: str = ""
    since_best: int = 0
    evaluated: int = 0
    so_far: dict[str, Any] = field(default_factory=dict)
    skipped_in_a_row: int = 0
    uncut: nn.Module | None = None

    @classmethod
    def fresh(cls, cfg: CfgNode, device: torch.device) -> "RunState":
        """At random weights."""
        model, precision, uncut = build_model(cfg).to(device), choose_precision(cfg.MODEL.PRECISION, device), None
        average = build_weight_average(cfg, model)
        if parallel.is_cut(cfg.TRAIN.PARALLEL):
            uncut = copy.deepcopy(model).requires_grad_(False)
            for network in (model,) if average is None else (model, average.average):
                parallel.cut(network, device, precision)
        # Last, because cutting gives a model other parameters.
        return cls(model, build_optimizer(cfg, model), average, precision.scaler(device), uncut=uncut)

    def model_to_test(self) -> nn.Module:
        """The weight average where there is one, else the model itself. Called on all processes together.

        A cut model is gathered into `uncut`, so that tests of different length on processes do not wait for one another.
        """
        model = self.model if self.average is None else self.average.average
        if self.uncut is None:
            return model
        self.uncut.load_state_dict(
            {name: value.full_tensor() if is_cut(value) else value for name, value in model.state_dict().items()}
        )
        return self.uncut

    def state_dict(self) -> dict[str, Any]:
        """For a file: tensors, numbers and dicts only; tensors as they are, cut ones too."""
        state = {
            "model_state": self.model.state_dict(),
            "optimizer_state": self.optimizer.state_dict(),
            "best": self.best,
            "best_metric": self.best_metric,
            "since_best": self.since_best,
            "epoch": self.epoch,
            "step": self.step,
            "evaluated": self.evaluated,
            "so_far": self.so_far,
            "skipped_in_a_row": self.skipped_in_a_row,
        }
        if self.average is not None:
            state["ema_state"] = self.average.average.state_dict()
        if self.scaler.is_enabled():
            state["scaler_state"] = self.scaler.state_dict()
        return state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take a state of whole tensors. Raises KeyError, RuntimeError or ValueError where it is of another run."""
        load_whole(self.model, state["model_state"])
        self._restore_optimizer(state["optimizer_state"])
        if self.average is not None:
            load_whole(self.average.average, state["ema_state"])
        if self.scaler.is_enabled() and "scaler_state" in state:  # a run may go on in another precision
            self.scaler.load_state_dict(state["scaler_state"])
        self.best = state["best"] if "best" in state else state["best_map"]  # its name in files of version 0.1
        self.best_metric, self.since_best = state.get("best_metric", ""), state.get("since_best", 0)
        self.epoch, self.step = state["epoch"], state.get("step", 0)
        self.evaluated = state.get("evaluated", self.epoch)  # version 0.1 saved after it had evaluated
        self.so_far, self.skipped_in_a_row = state.get("so_far", {}), state.get("skipped_in_a_row", 0)

    def _restore_optimizer(self, state: dict[str, Any]) -> None:
        """Restore the moments; rates and decay are those of the configuration, even where it has changed since."""
        wanted = [{k: v for k, v in group.items() if k != "params"} for group in self.optimizer.param_groups]
        for saved, settings in zip(state["param_groups"], wanted, strict=True):
            saved["fused"] = settings["fused"]  # it decides on which device the step counts lie
        parameters = [parameter for group in self.optimizer.param_groups for parameter in group["params"]]
        moments = {
            number: {name: cut_like(value, parameters[number]) for name, value in of_one.items()}
            for number, of_one in state["state"].items()
        }
        self.optimizer.load_state_dict(state | {"state": moments})
        for group, settings in zip(self.optimizer.param_groups, wanted, strict=True):
            changed = [k for k in ("base_lr", "weight_decay") if group[k] != settings[k]]
            for key in changed:
                get_logger().warning("%s: %s is now %g, it was %g", group["name"], key, settings[key], group[key])
            group.update(settings)


def start_or_resume(
    state: RunState, cfg: CfgNode, checkpointer: Checkpointer, class_names: tuple[str, ...] | None
) -> None:
    """Go on from the newest checkpoint of the run, else from TRAIN.CHECKPOINT_FILE_PATH, else from where `state` is."""
    refuse_another_run(cfg, checkpointer, class_names)
    if cfg.TRAIN.AUTO_RESUME and distributed.is_main():
        checkpointer.remove_leftovers()
    found = newest_for_all(checkpointer)
    if found is not None:
        path, content = found
        describe_changes(cfg, content, path)
        try:
            state.load_state_dict(content)
        except (KeyError, RuntimeError, ValueError) as error:
            raise ValueError(
                f"{path} does not belong to this configuration, so the run cannot go on from it: {_brief(error)}\n"
                "Use another OUTPUT_DIR, or move the checkpoints away to start anew"
            ) from error
        get_logger().info("going on after %s from %s", Position(state.epoch, state.step), path)
    elif cfg.TRAIN.CHECKPOINT_FILE_PATH:
        report = load_weights(
            state.model,
            cfg.TRAIN.CHECKPOINT_FILE_PATH,
            head_reinit=cfg.MODEL.HEAD_REINIT,
            class_names=class_names,
            prefer=cfg.MODEL.CHECKPOINT_ENTRY,
            grid=cfg.MODEL.CHECKPOINT_GRID,
        )
        get_logger().info("%s", report)
        if state.average is not None:
            state.average.average.load_state_dict(state.model.state_dict())


def _brief(error: Exception) -> str:
    """The first lines of a message: torch names every tensor that does not fit."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    more = f" (and {len(lines) - _SHOWN_LINES} more)" if len(lines) > _SHOWN_LINES else ""
    return " ".join(lines[:_SHOWN_LINES]) + more
