"""slowfast.utils.seed: the same again, and never the same for two different things."""

import random

import numpy as np
import pytest
import torch

from slowfast.utils.seed import generator_for, seed_everything


def draw() -> tuple[float, float, float]:
    return random.random(), np.random.rand(), torch.rand(()).item()


@pytest.mark.parametrize("seed", [0, 7, 10_007 * 1_009 * 500])
def test_every_source_is_seeded(seed):
    seed_everything(seed)
    first = draw()
    assert draw() != first
    seed_everything(seed)
    assert draw() == first
    seed_everything(seed + 1)
    assert all(a != b for a, b in zip(draw(), first, strict=True))


def test_generators_depend_on_their_parts_and_nothing_else():
    def number(*parts: int) -> int:
        return torch.randint(1 << 62, (), generator=generator_for(*parts)).item()

    seen = {number(seed, epoch, index) for seed in range(6) for epoch in range(6) for index in range(6)}
    assert len(seen) == 6**3  # (1, 2) and (2, 1) differ, and so do (1, 23) and (12, 3)
    seed_everything(3)
    first = number(1, 2, 3)
    torch.rand(5)
    assert number(1, 2, 3) == first
