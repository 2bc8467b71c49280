"""What every criterion is called with and gives back; the train loop knows no other."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from torch import Tensor

from slowfast.structures.targets import Counts


@dataclass(frozen=True)
class Losses:
    """The losses of a batch.

    terms: by name, unweighted, float32 scalars: what is logged
    total: their weighted sum, the scalar to minimise
    notes: sentence -> count, for the log: what happened in this batch that a user should know
    """

    terms: Mapping[str, Tensor]
    total: Tensor
    notes: Mapping[str, int] = field(default_factory=dict)

    def silenced(self) -> "Losses":
        """The same with every loss times 0: the stand-in for clips that could not be read teaches nothing."""
        return replace(self, terms={name: 0 * value for name, value in self.terms.items()}, total=0 * self.total)


class Criterion(Protocol):
    """Predictions of a model and the targets of its batch -> Losses."""

    def __call__(self, predictions: Any, targets: Any, *, per: Counts, names: Sequence[str] = ()) -> Losses:
        """per: people and clips of the whole step, divided by the number of processes: what sums are divided by, so
        that neither accumulation nor the number of processes changes the gradient. names: of the clips, for errors."""
