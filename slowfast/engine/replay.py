"""A training step again, outside of its run: the same clips with the same augmentation, and weights from a file."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import torch
from fvcore.common.config import CfgNode

from slowfast.engine.run import build_inputs
from slowfast.engine.train_one_epoch import agreed
from slowfast.models.build import build_model
from slowfast.structures.tensors import tensors_in
from slowfast.tasks.build import build_task
from slowfast.utils.seed import seed_step
from slowfast.weights.load import load_weights


@dataclass(frozen=True)
class Replayed:
    """A micro-batch: its clips, how many numbers of each output are not finite, its losses, and whose gradient is not.

    error: what the criterion said where there are no losses
    """

    clips: tuple[str, ...]
    outputs: dict[str, int]
    losses: dict[str, float]
    gradients: tuple[str, ...]
    error: str = ""


def replay(cfg: CfgNode, weights: Path, epoch: int, step: int, device: torch.device) -> Iterator[Replayed]:
    """The micro-batches of `step` (from 0) of `epoch` (from 0), on one process whatever the run had.

    The clips are those of the run; drop path and dropout draw as its main process did, so with several processes the
    others' draws differ. Raises ValueError or FileNotFoundError for a configuration or weights that cannot be used.
    """
    task = build_task(cfg)
    model = build_model(task.cfg).to(device).train()
    load_weights(model, weights, prefer="raw")
    inputs, criterion, loader = build_inputs(task, device), task.criterion(), task.train_loader()
    if step >= loader.steps:
        raise ValueError(f"an epoch of this run has {loader.steps} steps, and step {step + 1} was asked for")
    loader.set_epoch(epoch, step)
    batches = list(islice(iter(loader), task.cfg.TRAIN.GRAD_ACCUM_STEPS))
    per, _ = agreed(batches, ())
    seed_step(task.cfg.RNG_SEED, epoch, step, 0)
    predict = inputs.predictor(model)
    for batch in batches:
        batch = inputs.prepare(batch.to(device))
        names = tuple(str(meta) for meta in batch.meta)
        model.zero_grad(set_to_none=True)
        predictions = predict(batch)
        outputs = {name or "logits": int((~torch.isfinite(value)).sum()) for name, value in tensors_in(predictions)}
        try:
            losses = criterion(predictions, batch.targets, per=per, names=names)
        except FloatingPointError as error:
            yield Replayed(names, outputs, {}, (), str(error))
            continue
        losses.total.backward()
        bad = [
            name
            for name, parameter in model.named_parameters()
            if parameter.grad is not None and not torch.isfinite(parameter.grad).all()
        ]
        terms = {name: float(value) for name, value in losses.terms.items()}
        yield Replayed(names, outputs, terms | {"total": float(losses.total)}, tuple(bad))
