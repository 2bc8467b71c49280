"""RandAugment (arXiv 1909.13719) as PySlowFast trains with it: what a name in AUG.AA_TYPE means, and what is drawn for a clip.

"rand-m7-n4-mstd0.5-inc1": magnitude 7 of 10 with a standard deviation of 0.5, 4 operations, the increasing set.
Source: slowfast/datasets/rand_augment.py of PySlowFast, which has it from timm.
"""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from slowfast.datasets.augment.operations import VIDEO_FILL, Colour, apply_op

Draw = tuple[str, float | None]

MAX_LEVEL = 10.0
APPLY_PROBABILITY = 0.5  # of each operation drawn: n4 is two operations on average

_UNSIGNED: dict[str, Callable[[float], float | None]] = {
    "AutoContrast": lambda level: None,
    "Equalize": lambda level: None,
    "Invert": lambda level: None,
    "Posterize": lambda level: int(level / MAX_LEVEL * 4),
    "PosterizeIncreasing": lambda level: 4 - int(level / MAX_LEVEL * 4),
    "Solarize": lambda level: int(level / MAX_LEVEL * 256),
    "SolarizeIncreasing": lambda level: 256 - int(level / MAX_LEVEL * 256),
    "SolarizeAdd": lambda level: int(level / MAX_LEVEL * 110),
    **{name: lambda level: level / MAX_LEVEL * 1.8 + 0.1 for name in ("Color", "Contrast", "Brightness", "Sharpness")},
}
# Operations whose magnitude goes either way: rest position, and how far from it magnitude 10 goes.
_SIGNED: dict[str, tuple[float, float]] = {
    "Rotate": (0.0, 30.0),
    "ColorIncreasing": (1.0, 0.9),
    "ContrastIncreasing": (1.0, 0.9),
    "BrightnessIncreasing": (1.0, 0.9),
    "SharpnessIncreasing": (1.0, 0.9),
    "ShearX": (0.0, 0.3),
    "ShearY": (0.0, 0.3),
    "TranslateXRel": (0.0, 0.45),
    "TranslateYRel": (0.0, 0.45),
}

# fmt: off
OPERATIONS = (
    "AutoContrast", "Equalize", "Invert", "Rotate", "Posterize", "Solarize", "SolarizeAdd", "Color", "Contrast", "Brightness",
    "Sharpness", "ShearX", "ShearY", "TranslateXRel", "TranslateYRel",
)
# fmt: on
_HAS_INCREASING = ("Posterize", "Solarize", "Color", "Contrast", "Brightness", "Sharpness")
INCREASING_OPERATIONS = tuple(f"{name}Increasing" if name in _HAS_INCREASING else name for name in OPERATIONS)
# How often each of OPERATIONS is drawn with "w0".
_WEIGHTS = (0.025, 0.005, 0.0, 0.3, 0.0, 0.005, 0.005, 0.025, 0.005, 0.005, 0.025, 0.2, 0.2, 0.1, 0.1)


@dataclass(frozen=True)
class RandAugment:
    """What is drawn for a clip.

    magnitude:     mean of the magnitude of an operation, 0 to 10
    num_ops:       how many operations are drawn; each is then applied with probability 0.5
    magnitude_std: standard deviation of the magnitude, which is clipped to 0 to 10
    increasing:    the set in which a greater magnitude is always a greater change
    weighted:      "w0": draw by timm's weights, mostly geometric operations, and none twice
    """

    magnitude: float = MAX_LEVEL
    num_ops: int = 2
    magnitude_std: float = 0.0
    increasing: bool = False
    weighted: bool = False

    @property
    def operations(self) -> tuple[str, ...]:
        return INCREASING_OPERATIONS if self.increasing else OPERATIONS

    def draw(self, generator: torch.Generator) -> list[Draw]:
        """(operation, argument) of those that are applied to a clip, in order; all its frames get the same.

        As many numbers are drawn whatever comes out, so that what follows in the generator does not depend on it.
        """
        chosen = self._choose(generator)
        applied = torch.rand(self.num_ops, generator=generator).tolist()
        deviations = torch.randn(self.num_ops, generator=generator, dtype=torch.float64).tolist()
        signs = torch.rand(self.num_ops, generator=generator).tolist()
        draws: list[Draw] = []
        for index, apply, deviation, sign in zip(chosen, applied, deviations, signs, strict=True):
            if apply < APPLY_PROBABILITY:
                name = self.operations[index]
                level = self.magnitude + self.magnitude_std * deviation
                draws.append((name, argument_of(name, level, negative=sign < 0.5)))
        return draws

    def _choose(self, generator: torch.Generator) -> list[int]:
        if self.weighted:
            weights = torch.tensor(_WEIGHTS, dtype=torch.float64)
            return torch.multinomial(weights, self.num_ops, generator=generator).tolist()
        return torch.randint(len(OPERATIONS), (self.num_ops,), generator=generator).tolist()

    def __call__(
        self,
        frames: np.ndarray,
        generator: torch.Generator,
        *,
        fill: Colour = VIDEO_FILL,
        interpolation: str = "bicubic",
    ) -> np.ndarray:
        """(T, H, W, 3) uint8 RGB -> the same, changed; the frames given stay as they are."""
        for name, argument in self.draw(generator):
            frames = apply_op(frames, name, argument, fill=fill, interpolation=interpolation)
        return frames


def argument_of(name: str, level: float, *, negative: bool) -> float | None:
    """What operation `name` is told at a magnitude, clipped to 0 to 10; `negative` matters where it goes either way."""
    level = min(max(level, 0.0), MAX_LEVEL)
    if name in _UNSIGNED:
        return _UNSIGNED[name](level)
    rest, reach = _SIGNED[name]
    change = level / MAX_LEVEL * reach
    return rest - change if negative else rest + change


_FIELDS: dict[str, tuple[str, Callable[[str], float | int], str]] = {
    "m": ("magnitude", int, "the magnitude, a whole number from 0 to 10"),
    "n": ("num_ops", int, "how many operations are drawn, a whole number from 1"),
    "mstd": ("magnitude_std", float, "the standard deviation of the magnitude, a number from 0"),
    "inc": ("increasing", int, "a number, which switches the increasing set on"),
    "w": ("weighted", int, "the set of weights, of which there is only 0"),
}


def parse_rand_augment(text: str) -> RandAugment:
    """ "rand-m7-n4-mstd0.5-inc1" -> RandAugment; parts may be missing or in another order.

    As in PySlowFast, "inc" with any number switches the increasing set on, "inc0" too; leave it out for the other set.
    Unlike there, a part that means nothing, or is there twice, is an error.
    """
    variant, *parts = text.split("-")
    if variant != "rand":
        raise _error(text, variant, "the name must begin with 'rand'")
    found: dict[str, float | bool] = {}
    for part in parts:
        split = re.fullmatch(r"([a-z]+)(\d.*)?", part)
        if split is None or split[1] not in _FIELDS:
            raise _error(text, part, f"a part is one of {', '.join(_FIELDS)} and a number")
        field, number, meaning = _FIELDS[split[1]]
        if field in found:
            raise _error(text, part, "a part may be there once")
        try:
            value = number(split[2] or "")
        except ValueError:
            raise _error(text, part, f"it is {meaning}") from None
        if not _is_allowed(field, value):
            raise _error(text, part, f"it is {meaning}")
        found[field] = field in ("increasing", "weighted") or value
    policy = RandAugment(**found)  # type: ignore[arg-type]  # each field by its own parser
    possible = sum(weight > 0 for weight in _WEIGHTS)
    if policy.weighted and policy.num_ops > possible:
        raise _error(text, f"n{policy.num_ops}", f"with weights no operation is drawn twice, and there are {possible}")
    return policy


def _is_allowed(field: str, value: float) -> bool:
    ranges = {"magnitude": (0, MAX_LEVEL), "num_ops": (1, math.inf), "weighted": (0, 0)}
    low, high = ranges.get(field, (0, math.inf))
    return math.isfinite(value) and low <= value <= high


def _error(text: str, part: str, rule: str) -> ValueError:
    return ValueError(f"{part!r} in {text!r}: {rule} (AUG.AA_TYPE)")
