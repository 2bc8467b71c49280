"""Run by test_distributed.py in one or more processes: the first step's gradient and the evaluation of a toy set, to a file.

python -m torch.distributed.run --nproc_per_node N step_worker.py CONFIG OUT KEY VALUE ...
"""

import sys
from contextlib import suppress
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import torch
from fvcore.common.config import CfgNode

from slowfast.config import load_cfg
from slowfast.engine.device.launch import launch
from slowfast.engine.device.parallel import parallelised
from slowfast.engine.run import build_inputs
from slowfast.engine.run_state import RunState
from slowfast.engine.test import evaluate
from slowfast.engine.train_one_epoch import EpochPlan, train_one_epoch
from slowfast.solver.build import build_schedule
from slowfast.tasks.build import build_task
from slowfast.utils.processes import distributed
from slowfast.utils.seed import seed_everything


class FirstStepTaken(Exception):
    """The gradients of the first step are there."""


class KeepGradients(torch.optim.SGD):
    """Takes no step, so that the gradients of the first one stay to be looked at."""

    def step(self, closure: object = None) -> None:
        raise FirstStepTaken


def main(cfg: CfgNode, device: torch.device) -> None:
    task = build_task(cfg)
    seed_everything(cfg.RNG_SEED)
    state, inputs = RunState.fresh(task.cfg, device), build_inputs(task, device)
    with suppress(FirstStepTaken):
        train_one_epoch(
            parallelised(state.model, device, act_checkpoint=False),
            task.criterion(),
            task.train_loader(),
            KeepGradients([{"params": state.model.parameters(), "base_lr": 0.0, "name": "all"}], lr=0.0),
            inputs=inputs,
            schedule=build_schedule(cfg),
            plan=EpochPlan(epoch=0, steps=1, accumulate=cfg.TRAIN.GRAD_ACCUM_STEPS),
        )
    gradients = {name: parameter.grad.clone() for name, parameter in state.model.named_parameters()}
    task.test_split = task.train_split  # more clips than the held-out ones
    tested = evaluate(state.model, task.test_loader(), task.evaluator(), inputs=inputs, postprocess=task.postprocess())
    if distributed.is_main():
        summary = {name: value for name, value in tested.result.summary().items() if value is not None}
        torch.save({"gradients": gradients, "summary": summary, "clips": tested.clips}, sys.argv[2])


if __name__ == "__main__":
    launch(main, load_cfg(sys.argv[1], sys.argv[3:]))
