"""Where random numbers come from. Formulas take a `Draws`, so that a test can feed them the numbers of another stream."""

from typing import Protocol

import torch


class Draws(Protocol):
    """What Python's `random.Random` also is."""

    def uniform(self, a: float, b: float) -> float:
        """A number between a and b."""
        ...

    def randint(self, a: int, b: int) -> int:
        """A whole number from a to b, both included."""
        ...


class GeneratorDraws:
    """The Draws of a torch.Generator."""

    def __init__(self, generator: torch.Generator) -> None:
        self.generator = generator

    def uniform(self, a: float, b: float) -> float:
        return a + (b - a) * torch.rand((), generator=self.generator, dtype=torch.float64).item()

    def randint(self, a: int, b: int) -> int:
        return int(torch.randint(a, b + 1, (), generator=self.generator))


def draw_seed(generator: torch.Generator) -> int:
    """A seed for another generator."""
    return GeneratorDraws(generator).randint(0, 2**63 - 2)
