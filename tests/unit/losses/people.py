"""Small predictions and targets for the tests of matching and losses."""

from collections.abc import Sequence

import torch

from slowfast.structures.boxes import xyxy_to_cxcywh
from slowfast.structures.outputs.predictions import Predictions
from slowfast.structures.targets import People


def random_cxcywh(*shape: int, generator: torch.Generator) -> torch.Tensor:
    corners = torch.rand(*shape, 2, 2, generator=generator)
    return xyxy_to_cxcywh(torch.cat([corners.amin(-2), corners.amax(-2)], dim=-1))


def random_predictions(clips: int, candidates: int, *, classes: int = 3, logits: int = 1, seed: int = 0) -> Predictions:
    generator = torch.Generator().manual_seed(seed)
    return Predictions(
        torch.randn(clips, candidates, logits, generator=generator),
        random_cxcywh(clips, candidates, generator=generator),
        torch.randn(clips, candidates, classes, generator=generator),
    )


def random_targets(counts: Sequence[int], *, classes: int = 3, seed: int = 100) -> People:
    generator = torch.Generator().manual_seed(seed)
    people = sum(counts)
    actions = (torch.rand(people, classes, generator=generator) < 0.5).float()
    return People(random_cxcywh(people, generator=generator), actions, tuple(counts))
