"""One seed for everything random."""

import random

import numpy as np
import torch


def seed_everything(seed: int) -> None:
    """Seed Python, numpy and torch (CPU and every GPU)."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


def seed_step(seed: int, epoch: int, step: int, rank: int) -> None:
    """Seed everything for one training step: it draws the same whatever was drawn before, so a run that goes on within
    an epoch repeats a straight one."""
    seed_everything(int(np.random.SeedSequence((seed, epoch, step, rank)).generate_state(1, np.uint64)[0] >> 1))


def generator_for(*parts: int) -> torch.Generator:
    """A generator that depends on nothing but `parts`: the same for any number of processes or workers."""
    return torch.Generator().manual_seed(int(np.random.SeedSequence(parts).generate_state(1, np.uint64)[0]))
