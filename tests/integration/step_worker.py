"""Run under torchrun by test_distributed.py: the first step's gradient and the evaluation of a toy set, to a file.

python -m torch.distributed.run --nproc_per_node N step_worker.py CONFIG OUT KEY VALUE ...
"""

import sys
from contextlib import suppress
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import torch
from fvcore.common.config import CfgNode

from slowfast.config import load_cfg
from slowfast.datasets.build import build_test_loader, build_train_loader, read_annotations
from slowfast.engine.launch import launch
from slowfast.engine.test import evaluate, make_evaluator, make_pipe
from slowfast.engine.train import TrainingRun
from slowfast.engine.train_one_epoch import train_one_epoch
from slowfast.models.build import build_postprocess
from slowfast.utils import distributed


class FirstStepTaken(Exception):
    """The gradients of the first step are there."""


class KeepGradients(torch.optim.SGD):
    """Takes no step, so that the gradients of the first one stay to be looked at."""

    def step(self, closure: object = None) -> None:
        raise FirstStepTaken


def main(cfg: CfgNode, device: torch.device) -> None:
    train_set, test_set = read_annotations(cfg, "train"), read_annotations(cfg, "test")
    run = TrainingRun(cfg, device, train_set, test_set)
    run.resume()
    rank, size = distributed.rank(), distributed.world_size()
    with suppress(FirstStepTaken):
        train_one_epoch(
            run.parallel,
            run.criterion,
            build_train_loader(cfg, train_set, rank=rank, world_size=size),
            optimizer=KeepGradients([{"params": run.model.parameters(), "base_lr": 0.0, "name": "all"}], lr=0.0),
            schedule=run.schedule,
            pipe=make_pipe(cfg, device),
            epoch=0,
            steps=1,
            accumulate=cfg.TRAIN.GRAD_ACCUM_STEPS,
        )
    gradients = {name: parameter.grad.clone() for name, parameter in run.model.named_parameters()}
    report = evaluate(
        run.model,
        build_test_loader(cfg, train_set, rank=rank, world_size=size),
        make_evaluator(cfg, train_set),
        postprocess=build_postprocess(cfg),
        pipe=make_pipe(cfg, device),
    )
    if distributed.is_main():
        summary = {name: value for name, value in report.frame_map.summary().items() if value is not None}
        torch.save({"gradients": gradients, "summary": summary, "clips": report.clips}, sys.argv[2])


if __name__ == "__main__":
    launch(main, load_cfg(sys.argv[1], sys.argv[3:]))
