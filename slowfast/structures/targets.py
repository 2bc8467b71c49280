"""What a batch of clips should be answered with: People (who is where and does what), Labels (what a clip shows) or
Masked (what is hidden of it)."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import torch
from torch import Tensor

TensorMap = Callable[[Tensor], Tensor]


class Counts(NamedTuple):
    """How much there is to learn from, of a batch or (divided by the processes) of a whole step.

    people, clips: how many; masked: cells of clips that are hidden (`Masked`)
    """

    people: float
    clips: float
    masked: float = 0.0


@dataclass(frozen=True)
class People:
    """The P people of a batch, clip after clip.

    boxes:           (P, 4) float32 cxcywh in [0, 1] of the input
    actions:         (P, C) float32, 1 where the person does the action; a row of zeros is a person of the background
    people_per_clip: B counts that sum to P
    clip_index:      (P,) int64, the clip each person is in; made here from the counts, so that it is made on the host
                     and moves with the rest (a tensor made of host numbers on a GPU waits for all that the GPU has to do)
    """

    boxes: Tensor
    actions: Tensor
    people_per_clip: tuple[int, ...]
    clip_index: Tensor = field(default=None, repr=False)  # type: ignore[assignment]  # made in __post_init__

    def __post_init__(self) -> None:
        if self.clip_index is None:
            counts = torch.tensor(self.people_per_clip, dtype=torch.int64)
            index = torch.repeat_interleave(counts, output_size=len(self.boxes))
            object.__setattr__(self, "clip_index", index.to(self.boxes.device))

    def __len__(self) -> int:
        """P."""
        return len(self.boxes)

    def counts(self) -> Counts:
        return Counts(sum(self.people_per_clip), len(self.people_per_clip))

    def map(self, change: TensorMap) -> "People":
        """The same people with `change` applied to every tensor."""
        return replace(self, boxes=change(self.boxes), actions=change(self.actions), clip_index=change(self.clip_index))


@dataclass(frozen=True)
class Labels:
    """The classes of B clips.

    values: (B,) int64 class indices; or (B, C) float32, soft (a row sums to 1) or multi-hot (a clip has many labels)
    """

    values: Tensor

    def __len__(self) -> int:
        """B."""
        return len(self.values)

    def counts(self) -> Counts:
        """Nobody is annotated, so there are no people to divide by."""
        return Counts(0, len(self.values))

    def map(self, change: TensorMap) -> "Labels":
        return Labels(change(self.values))


@dataclass(frozen=True)
class Masked:
    """What is hidden of B clips, and so has to be told; what it looks like is computed from the clips on the device.

    cells:           (B, t, h, w) bool, True where hidden; each cell covers a whole number of tokens
    masked_per_clip: B counts of hidden cells, made here from `cells` on the host, so that nobody waits for a device
    """

    cells: Tensor
    masked_per_clip: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if len(self.masked_per_clip) != len(self.cells):
            object.__setattr__(self, "masked_per_clip", tuple(self.cells.flatten(1).sum(1).tolist()))

    def __len__(self) -> int:
        """B."""
        return len(self.cells)

    def counts(self) -> Counts:
        return Counts(0, len(self.cells), sum(self.masked_per_clip))

    def map(self, change: TensorMap) -> "Masked":
        """The same with `change` applied to the tensor; it must keep the clips."""
        return replace(self, cells=change(self.cells))
