"""How well what is hidden of clips is predicted: the result of a masked pre-training."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from slowfast.structures.clip import Meta
from slowfast.structures.outputs.masked import MaskedPredictions
from slowfast.structures.outputs.result import Headline


@dataclass(frozen=True)
class Reconstruction:
    """The error of D blocks that predict.

    mse:      of each block, the mean over hidden tokens and their numbers
    variance: of what they should predict, about the mean of each number over all hidden tokens
    clips, tokens: how many clips, and how many hidden tokens of the last block
    """

    mse: tuple[float, ...]
    variance: tuple[float, ...]
    clips: int
    tokens: int

    @property
    def explained(self) -> float:
        """1 - mse / variance, the mean over blocks: 1 is perfect, 0 is what the mean of everything hidden gives."""
        parts = zip(self.mse, self.variance, strict=True)
        return float(np.mean([1 - mse / variance if variance else 0.0 for mse, variance in parts]))

    @property
    def headline(self) -> Headline:
        return Headline("explained", self.explained)

    def summary(self) -> dict[str, float | None]:
        parts = {f"mse/{number}": mse for number, mse in enumerate(self.mse)} if len(self.mse) > 1 else {}
        return {"explained": self.explained, "loss": sum(self.mse), **parts}

    def report(self) -> dict[str, Any]:
        return {
            **self.summary(),
            "mse": list(self.mse),
            "variance": list(self.variance),
            "pretraining_clips": self.clips,
            "hidden_tokens": self.tokens,
        }

    def table(self) -> str:
        lines = [f"{self.clips} clips, {self.tokens} hidden tokens", "block     mse   variance  explained"]
        for number, (mse, variance) in enumerate(zip(self.mse, self.variance, strict=True)):
            lines.append(f"{number:>5} {mse:>9.5f} {variance:>9.5f} {1 - mse / variance if variance else 0.0:>9.4f}")
        return "\n".join(lines)


def sums_of_clips(predictions: MaskedPredictions) -> list[np.ndarray]:
    """For each block that predicts, (B, 3 + K) float64: hidden tokens, squared error, sum of squares, K sums of what
    was wanted. Sums, so that clips can be put together in any order."""
    found = zip(predictions.values, predictions.wanted, predictions.hidden, strict=True)
    return [_sums(values, wanted, hidden) for values, wanted, hidden in found]


def _sums(values: Tensor, wanted: Tensor, hidden: Tensor) -> np.ndarray:
    weight = hidden.flatten(1)[..., None].double()
    wanted = wanted.flatten(1, 3).double()
    error = ((values.flatten(1, 3).double() - wanted).square() * weight).sum((1, 2))
    columns = [weight.sum(1)[:, 0], error, (wanted.square() * weight).sum((1, 2))]
    sums = np.stack([column.cpu().numpy() for column in columns], axis=1)
    return np.concatenate([sums, (wanted * weight).sum(1).cpu().numpy()], axis=1)


class ReconstructionEvaluator:
    """Adds up the clips of a run, on any number of processes. The order of clips changes rounding only."""

    def __init__(self) -> None:
        self._sums: list[tuple[tuple, list[np.ndarray]]] = []

    def process(self, found: Sequence[np.ndarray], metas: Sequence[Meta]) -> None:
        """found: what `sums_of_clips` gave; metas name the clips."""
        for clip, meta in enumerate(metas):
            self._sums.append((meta.key, [sums[clip] for sums in found]))

    def evaluate(self, gather: Callable[[Any], list[Any]] | None = None) -> Reconstruction:
        """Raises ValueError where there was no clip, nothing was hidden, or a clip was processed twice."""
        pieces = self._sums if gather is None else [piece for share in gather(self._sums) for piece in share]
        if not pieces:
            raise ValueError("no clip was processed: there is nothing to evaluate")
        if len({key for key, _ in pieces}) != len(pieces):
            raise ValueError("a clip was processed more than once; a sampler for evaluation must not pad or repeat")
        pieces = sorted(pieces, key=lambda piece: piece[0])  # the same numbers whatever process had which clips
        totals = [np.sum([sums[block] for _, sums in pieces], axis=0) for block in range(len(pieces[0][1]))]
        if not totals[0][0]:
            raise ValueError("nothing was hidden of any clip: there is nothing to evaluate (AUG.MASK_RATIO)")
        mse, variance = [], []
        for count, error, squares, *sums in totals:
            mse.append(float(error / count / len(sums)))
            variance.append(float((squares - np.square(sums).sum() / count) / count / len(sums)))
        return Reconstruction(tuple(mse), tuple(variance), len(pieces), int(totals[-1][0]))
