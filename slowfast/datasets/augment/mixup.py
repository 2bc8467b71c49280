"""Mixup (arXiv 1710.09412) and cutmix (arXiv 1905.04899) of a batch of clips, and smoothed targets, as PySlowFast's mixup.py.

One draw is for a whole batch. Who is mixed with whom is given: PySlowFast reverses the batch of a process, which makes
results depend on the number of processes; `neighbour_partners` does not.
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from slowfast.datasets.augment.draws import GeneratorDraws, draw_seed

Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class Mix:
    """What was drawn for a batch.

    lam: how much of a clip's own target stays
    box: (y0, y1, x0, x1) of "cutmix": what a clip takes from its partner, in all frames
    """

    kind: Literal["none", "mixup", "cutmix"]
    lam: float = 1.0
    box: Box | None = None


@dataclass(frozen=True)
class Mixup:
    """
    alpha:              of the Beta(alpha, alpha) that mixup's lambda is drawn from; 0 for no mixup
    cutmix_alpha:       the same for cutmix
    probability:        that a batch is mixed
    switch_probability: that a batch that is mixed is cut, where there are both
    smoothing:          as in `smooth_targets`, also of batches that are not mixed
    """

    num_classes: int
    alpha: float = 0.8
    cutmix_alpha: float = 1.0
    probability: float = 1.0
    switch_probability: float = 0.5
    smoothing: float = 0.1

    def __post_init__(self) -> None:
        for key, value in (("MIXUP.ALPHA", self.alpha), ("MIXUP.CUTMIX_ALPHA", self.cutmix_alpha)):
            if not 0 <= value < math.inf:
                raise ValueError(f"the parameter of a Beta distribution must be 0 (off) or more, got {value} ({key})")
        if not self.alpha and not self.cutmix_alpha:
            raise ValueError(
                "alpha and cutmix_alpha are both 0, so there is nothing to mix with: raise MIXUP.ALPHA or "
                "MIXUP.CUTMIX_ALPHA, or set MIXUP.ENABLE False"
            )
        for key, value in (("MIXUP.PROB", self.probability), ("MIXUP.SWITCH_PROB", self.switch_probability)):
            if not 0 <= value <= 1:
                raise ValueError(f"a probability must be in [0, 1], got {value} ({key})")
        _check_smoothing(self.smoothing)

    def draw(self, generator: torch.Generator, height: int, width: int) -> Mix:
        """What happens to a batch of height x width clips. As many numbers are drawn whatever comes out."""
        draws = GeneratorDraws(generator)
        mixes = draws.uniform(0, 1) < self.probability
        cuts = draws.uniform(0, 1) < self.switch_probability if self.alpha and self.cutmix_alpha else not self.alpha
        alpha = self.cutmix_alpha if cuts else self.alpha
        lam = float(np.random.default_rng(draw_seed(generator)).beta(alpha, alpha))
        centre = draws.randint(0, height - 1), draws.randint(0, width - 1)
        if not mixes:
            return Mix("none")
        return cutmix_of(lam, centre, height=height, width=width) if cuts else Mix("mixup", lam)

    def apply(self, clips: Tensor, labels: Tensor, mix: Mix, partner: Tensor) -> tuple[Tensor, Tensor]:
        """Mix each clip with its partner.

        clips:   (B, 3, T, H, W) float; changed in place and returned
        labels:  (B,) int64 class indices
        partner: (B,) int64, on the device of the clips: clip b is mixed with clip partner[b] as it was
        Returns the clips and their targets (B, num_classes) float32, of which a row sums to 1.
        """
        targets = smooth_targets(labels, num_classes=self.num_classes, smoothing=self.smoothing)
        if mix.kind == "none":
            return clips, targets
        if mix.kind == "mixup":
            others = clips[partner].mul_(1 - mix.lam)
            clips.mul_(mix.lam).add_(others)
        elif mix.box is not None:
            y0, y1, x0, x1 = mix.box
            part = clips[..., y0:y1, x0:x1]
            part.copy_(part[partner])
        return clips, targets * mix.lam + targets[partner] * (1 - mix.lam)


def cutmix_of(lam: float, centre: tuple[int, int], *, height: int, width: int) -> Mix:
    """A box of about 1 - lam of the area around `centre` (y, x), clipped to the clip; lam becomes what it really leaves."""
    y0, y1 = _cut(centre[0], int(height * math.sqrt(1 - lam)), height)
    x0, x1 = _cut(centre[1], int(width * math.sqrt(1 - lam)), width)
    return Mix("cutmix", 1 - (y1 - y0) * (x1 - x0) / (height * width), (y0, y1, x0, x1))


def _cut(centre: int, length: int, side: int) -> tuple[int, int]:
    return max(centre - length // 2, 0), min(centre + length // 2, side)


def smooth_targets(labels: Tensor, *, num_classes: int, smoothing: float) -> Tensor:
    """(B,) class indices -> (B, num_classes) float32: `smoothing` is spread over all classes, also the right one.

    The right class has 1 - smoothing + smoothing / num_classes, every other smoothing / num_classes.
    """
    _check_smoothing(smoothing)
    if labels.ndim != 1 or labels.is_floating_point():
        raise ValueError(
            f"labels must be (B,) class indices to be smoothed or mixed, got {tuple(labels.shape)} {labels.dtype}; "
            "for clips with many labels set MIXUP.ENABLE False"
        )
    off = smoothing / num_classes
    targets = torch.full((len(labels), num_classes), off, device=labels.device)
    return targets.scatter_(1, labels[:, None], 1 - smoothing + off)


def _check_smoothing(smoothing: float) -> None:
    if not 0 <= smoothing < 1:
        raise ValueError(f"label smoothing must be in [0, 1), got {smoothing} (MIXUP.LABEL_SMOOTH_VALUE)")


def neighbour_partners(clips_of_videos: Sequence[int]) -> Tensor:
    """(B,) int64: whom each clip of a batch is mixed with.

    clips_of_videos: how many clips the video at each place has, 0 where it could not be read. Clips stand video after
    video (a1 a2 b1 b2 ...). Clip r of the video at place v meets clip r of the one at v XOR 1: places 2k and 2k + 1 stay
    together however a batch is divided among processes, and two clips of one video are never mixed. Where one of the
    two could not be read the clips of the other are their own partners, and stay as they are.
    """
    if len(clips_of_videos) % 2:
        raise ValueError(
            f"{len(clips_of_videos)} videos cannot be mixed in pairs: the number of videos of a batch on each process must "
            "be even (change TRAIN.BATCH_SIZE, or set MIXUP.ENABLE False)"
        )
    starts = [0, *itertools.accumulate(clips_of_videos)]
    partners: list[int] = []
    for place, clips in enumerate(clips_of_videos):
        other = place ^ 1 if clips_of_videos[place ^ 1] else place
        partners += range(starts[other], starts[other] + clips)
    return torch.tensor(partners, dtype=torch.int64)
