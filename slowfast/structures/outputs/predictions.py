"""Predictions (what a detector returns, in train and eval) and Detections (what is left after post-processing)."""

from dataclasses import dataclass

from torch import Tensor

from slowfast.structures.boxes import cxcywh_to_xyxy


@dataclass(frozen=True)
class Predictions:
    """One set of N candidate people per clip; B clips, C action classes.

    actor_logits:  (B, N, 1) sigmoid logit, or (B, N, 2) softmax logits (actor, no actor)
    boxes:         (B, N, 4) cxcywh in [0, 1] of the input, float32
    action_logits: (B, N, C) multi-label sigmoid logits, in label-map index order
    auxiliary:     the same from earlier blocks, in training with deep supervision; else empty
    """

    actor_logits: Tensor
    boxes: Tensor
    action_logits: Tensor
    auxiliary: tuple["Predictions", ...] = ()

    @property
    def actor_margin(self) -> Tensor:
        """(B, N) float32 logit of "this token is an actor"; a 2-way softmax equals the sigmoid of its logits' difference."""
        logits = self.actor_logits.float()
        return logits[..., 0] if logits.shape[-1] == 1 else logits[..., 0] - logits[..., 1]

    @property
    def actor_probability(self) -> Tensor:
        """(B, N) float32 probability that the token is an actor."""
        return self.actor_margin.sigmoid()

    @property
    def candidates(self) -> "Candidates":
        """The same people with probabilities in place of logits, float32."""
        actor = self.actor_probability
        scores = self.action_logits.float().sigmoid() * actor[..., None]
        return Candidates(cxcywh_to_xyxy(self.boxes.float()), actor, scores)


@dataclass(frozen=True)
class Candidates:
    """N candidate people per clip as other programs are told of them, and as an exported network gives them.

    boxes:  (B, N, 4) float32 xyxy in [0, 1] of the input
    actor:  (B, N) float32, probability that the box holds an actor
    scores: (B, N, C) float32, action probability times actor probability
    """

    boxes: Tensor
    actor: Tensor
    scores: Tensor


@dataclass(frozen=True)
class Detections:
    """D people found in a batch of clips, on the CPU.

    clip_index: (D,) int64, position of the clip in its batch
    boxes:      (D, 4) float32 xyxy in [0, 1] of the ORIGINAL frame
    actor:      (D,) float32, probability that the box holds an actor
    scores:     (D, C) float32, action probability times actor probability
    token:      (D,) int64, the candidate of its clip that claimed the person, in the order of Predictions; None where
                people are given and not found
    """

    clip_index: Tensor
    boxes: Tensor
    actor: Tensor
    scores: Tensor
    token: Tensor | None = None
