"""The Hungarian loss of BMViT: match, then compare (DETR, equation 2, with multi-label actions)."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn

from slowfast.layers.precision import full_precision
from slowfast.losses.criterion import Losses
from slowfast.losses.matcher import HungarianMatcher, Matches
from slowfast.losses.terms import binary_cross_entropy
from slowfast.structures.boxes import cxcywh_to_xyxy, generalized_iou
from slowfast.structures.outputs.predictions import Predictions
from slowfast.structures.targets import Counts, People

LOSS_TERMS = ("actor", "box_l1", "box_giou", "action")
ElementLoss = Callable[[Tensor, Tensor], Tensor]
UNMATCHED = "people were matched to nothing: their clips have more people than candidates (BMVIT.BOX_TOKENS)"


class SetCriterion(nn.Module):
    """Losses of a set of predictions against the people of its clips.

    actor:    every token: is it a matched actor? Weighted mean over the tokens, unmatched ones weigh `no_actor_weight`;
              with `focal_actor` the focal loss summed over tokens, per person
    box_l1:   L1 distance of matched boxes (cxcywh in [0, 1] of the input), summed over coordinates, per person
    box_giou: 1 - GIoU of matched boxes, per person
    action:   multi-label loss of the matched tokens, mean over classes, per person; with action_tokens="all" also of
              the unmatched tokens against no action at all, which then weigh `no_actor_weight`

    "Per person" divides by `per.people`: the people of the global batch divided by the number of processes, so that
    the mean of the gradients over processes is the gradient of the global batch. It may be below 1 (one person, two
    processes) and is not rounded up, or that would not hold; a step without people divides by its clips instead.

    no_actor_weight: None means 10 / N, at most 1 (0.04 for 256 candidates): candidates x weight stays near 10
    """

    def __init__(
        self,
        matcher: HungarianMatcher,
        *,
        weights: Mapping[str, float],
        no_actor_weight: float | None = None,
        focal_actor: ElementLoss | None = None,
        action_loss: ElementLoss = binary_cross_entropy,
        action_tokens: str = "matched",
    ) -> None:
        super().__init__()
        unknown = sorted(set(weights) - set(LOSS_TERMS))
        if unknown:
            raise ValueError(f"unknown loss terms {unknown}; known: {sorted(LOSS_TERMS)} (LOSS.* in the config)")
        if action_tokens not in ("matched", "all"):
            raise ValueError(
                f"action tokens of the loss must be 'matched' or 'all', got {action_tokens!r} (LOSS.ACTION_TOKENS)"
            )
        self.matcher = matcher
        self.weights = {name: float(weights.get(name, 0.0)) for name in LOSS_TERMS}
        self.no_actor_weight = no_actor_weight
        self.focal_actor, self.action_loss, self.action_tokens = focal_actor, action_loss, action_tokens

    def forward(self, predictions: Predictions, targets: People, *, per: Counts, names: Sequence[str] = ()) -> Losses:
        """Losses of B clips; terms "aux_*" are those of earlier blocks (deep supervision), summed, and weigh as much."""
        notes: Counter[str] = Counter()
        with full_precision(predictions.boxes.device):
            terms = self._terms(predictions, targets, per, names, notes)
            for earlier in predictions.auxiliary:
                for name, value in self._terms(earlier, targets, per, names, notes).items():
                    terms[f"aux_{name}"] = terms.get(f"aux_{name}", 0.0) + value
            weighted = [self.weights[name.removeprefix("aux_")] * value for name, value in terms.items()]
            total = sum(weighted[1:], start=weighted[0])
        return Losses(terms, total, notes)

    def _terms(
        self, predictions: Predictions, targets: People, per: Counts, names: Sequence[str], notes: Counter[str]
    ) -> dict[str, Tensor]:
        """The terms of one set of predictions by name; counts in `notes` who was left without a candidate."""
        matches = self.matcher(predictions, targets, clip_names=names)
        if matches.unmatched:
            notes[UNMATCHED] += matches.unmatched
        per_person = per.people or per.clips or 1.0
        boxes = predictions.boxes.float()[matches.clip, matches.token]
        wanted = targets.boxes.float()[matches.person]
        giou = generalized_iou(cxcywh_to_xyxy(boxes), cxcywh_to_xyxy(wanted))
        return {
            "actor": self._actor(predictions, matches, per, per_person),
            "box_l1": (boxes - wanted).abs().sum() / per_person,
            "box_giou": (1 - giou).sum() / per_person,
            "action": self._action(predictions, targets, matches) / per_person,
        }

    def _unmatched_weight(self, candidates: int) -> float:
        return min(1.0, 10 / candidates) if self.no_actor_weight is None else self.no_actor_weight

    def _actor(self, predictions: Predictions, matches: Matches, per: Counts, per_person: float) -> Tensor:
        margin = predictions.actor_margin
        is_actor = torch.zeros_like(margin)
        is_actor[matches.clip, matches.token] = 1.0
        if self.focal_actor is not None:
            return self.focal_actor(margin, is_actor).sum() / per_person
        candidates = margin.shape[1]
        unmatched = self._unmatched_weight(candidates)
        weight = is_actor + (1 - is_actor) * unmatched
        total = per.people + unmatched * max(per.clips * candidates - per.people, 0.0)
        # Nothing weighs anything when no clip of the step could be read, or no one is there and unmatched tokens weigh 0.
        return (binary_cross_entropy(margin, is_actor) * weight).sum() / (total or 1.0)

    def _action(self, predictions: Predictions, targets: People, matches: Matches) -> Tensor:
        logits = predictions.action_logits.float()
        if self.action_tokens == "matched":
            return self.action_loss(logits[matches.clip, matches.token], targets.actions[matches.person]).mean(-1).sum()
        wanted = torch.zeros_like(logits)
        wanted[matches.clip, matches.token] = targets.actions[matches.person]
        weight = torch.full_like(logits[..., 0], self._unmatched_weight(logits.shape[1]))
        weight[matches.clip, matches.token] = 1.0
        return (self.action_loss(logits, wanted).mean(-1) * weight).sum()
