"""What is exported: a network with all that is before and behind it, from uint8 clips to boxes and probabilities."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from slowfast.structures.outputs.predictions import Predictions

DETECTOR_OUTPUTS = ("boxes", "actor", "scores")
CLASSIFIER_OUTPUTS = ("probabilities", "logits")


class _Graph(nn.Module):
    """clips (B, 3, T, H, W) uint8 RGB, as decoded and resized. mean, std, bgr: as in `Inputs`"""

    scale: Tensor
    shift: Tensor

    def __init__(self, model: nn.Module, *, mean: Sequence[float], std: Sequence[float], bgr: bool) -> None:
        super().__init__()
        self.model, self.bgr = model, bgr
        spread, middle = torch.tensor(std, dtype=torch.float32), torch.tensor(mean, dtype=torch.float32)
        self.register_buffer("scale", (1 / (255 * spread)).view(1, 3, 1, 1, 1))
        self.register_buffer("shift", (middle / spread).view(1, 3, 1, 1, 1))

    def normalised(self, clips: Tensor) -> Tensor:
        """As ClipBatch.normalized does."""
        clips = clips.float() * self.scale - self.shift
        return clips.flip(1) if self.bgr else clips


class DetectorGraph(_Graph):
    """clips -> boxes (B, N, 4) xyxy in [0, 1] of the picture shown, actor (B, N) and scores (B, N, C).

    actor: probability that the box holds a person; scores: that of each action times it. Of all N candidates: who is
    likely enough is chosen by whoever reads them, and overlapping ones are left in.
    """

    outputs = DETECTOR_OUTPUTS

    def forward(self, clips: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        predictions = self.model(self.normalised(clips))
        assert isinstance(predictions, Predictions)
        return detector_outputs(predictions)


def detector_outputs(predictions: Predictions) -> tuple[Tensor, Tensor, Tensor]:
    """As `DetectorGraph` gives them."""
    found = predictions.candidates
    return found.boxes.clamp(0, 1), found.actor, found.scores


class ClassifierGraph(_Graph):
    """clips -> probabilities (B, C) and the logits (B, C) behind them, which an average over views may need.

    multi_label: several classes may be shown at once; each has a probability of its own
    """

    outputs = CLASSIFIER_OUTPUTS

    def __init__(
        self, model: nn.Module, *, mean: Sequence[float], std: Sequence[float], bgr: bool, multi_label: bool
    ) -> None:
        super().__init__(model, mean=mean, std=std, bgr=bgr)
        self.multi_label = multi_label

    def forward(self, clips: Tensor) -> tuple[Tensor, Tensor]:
        logits = self.model(self.normalised(clips)).float()
        return logits.sigmoid() if self.multi_label else logits.softmax(dim=-1), logits
