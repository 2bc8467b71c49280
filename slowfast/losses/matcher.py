"""Bipartite matching of candidate tokens to the people of each clip (DETR, Carion et al. 2020, equation 1).

Legend: B clips, N candidates, P people of the whole batch, C classes. Row p of a cost is one person against the N
candidates of that person's own clip, so no padding is needed and people of other clips never appear.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor, nn

from slowfast.losses.terms import action_cost
from slowfast.structures.boxes import cxcywh_to_xyxy, generalized_iou
from slowfast.structures.outputs.predictions import Predictions
from slowfast.structures.targets import People


@dataclass(frozen=True)
class Matches:
    """M matched pairs of a batch, on the device of the predictions.

    clip, token: (M,) int64, the candidate: predictions.boxes[clip, token]
    person:      (M,) int64, row of the targets
    unmatched:   people left over because their clip has more people than candidates
    """

    clip: Tensor
    token: Tensor
    person: Tensor
    unmatched: int


class HungarianMatcher(nn.Module):
    """One candidate for every person, at the lowest total cost.

    cost = actor_cost * -p_actor + l1_cost * |box - box*|_1 + giou_cost * -GIoU [+ action_cost * action term]

    Costs are computed in float32 whatever the autocast type, for the whole batch at once, and copied to the host once.
    When a clip has more people than candidates, as many people as there are candidates are matched.
    """

    def __init__(self, *, actor_cost: float, l1_cost: float, giou_cost: float, action_cost: float = 0.0) -> None:
        super().__init__()
        weights = {"actor": actor_cost, "l1": l1_cost, "giou": giou_cost, "action": action_cost}
        if not any(weights.values()):
            raise ValueError(
                "all matching costs are 0, so nothing could be matched (MATCHER.ACTOR, BOX_L1, BOX_GIOU, ACTION)"
            )
        self.weights = weights

    @torch.no_grad()
    @torch.autocast("cuda", enabled=False)
    @torch.autocast("cpu", enabled=False)
    def cost_terms(self, predictions: Predictions, targets: People) -> dict[str, Tensor]:
        """The unweighted terms in use, each (P, N) float32."""
        clip = targets.clip_index
        boxes = predictions.boxes.float()[clip]
        wanted = targets.boxes.float()[:, None]
        terms = {
            "actor": lambda: -predictions.actor_probability[clip],
            "l1": lambda: (boxes - wanted).abs().sum(-1),
            "giou": lambda: -generalized_iou(cxcywh_to_xyxy(boxes), cxcywh_to_xyxy(wanted)),
            "action": lambda: action_cost(predictions.action_logits.float(), clip, targets.actions),
        }
        return {name: terms[name]() for name, weight in self.weights.items() if weight}

    @torch.no_grad()
    def forward(self, predictions: Predictions, targets: People, *, clip_names: Sequence[str] = ()) -> Matches:
        """Match B clips. `clip_names` (B), where they are given, name the clips in an error.

        Raises FloatingPointError naming the term, the clip and the count when a cost is NaN or infinite.
        """
        device = predictions.boxes.device
        if len(targets.boxes) == 0:
            nothing = torch.zeros(0, dtype=torch.int64, device=device)
            return Matches(nothing, nothing, nothing, unmatched=0)
        terms = self.cost_terms(predictions, targets)
        cost = sum(self.weights[name] * term for name, term in terms.items()).cpu()  # the one copy to the host
        if not torch.isfinite(cost).all():
            raise FloatingPointError(_describe_bad_cost(terms, targets.people_per_clip, clip_names))

        clip, token, person = assign(cost, targets.people_per_clip).to(device, non_blocking=True)
        return Matches(clip, token, person, unmatched=len(targets) - len(person))


def assign(cost: Tensor, people_per_clip: Sequence[int]) -> Tensor:
    """The cheapest pairs of each clip, (3, M) int64: clip, candidate, person. cost (P, N), finite, on the host."""
    clips, tokens, people, start = [], [], [], 0
    for clip, rows in enumerate(cost.split(list(people_per_clip))):
        person, token = linear_sum_assignment(rows.numpy())
        clips.append(torch.full((len(token),), clip, dtype=torch.int64))
        tokens.append(torch.from_numpy(token))
        people.append(torch.from_numpy(person) + start)
        start += len(rows)
    return torch.stack([torch.cat(clips), torch.cat(tokens), torch.cat(people)])


def _describe_bad_cost(terms: dict[str, Tensor], people_per_clip: Sequence[int], clip_names: Sequence[str]) -> str:
    lines = []
    for name, term in terms.items():
        bad_rows = (~torch.isfinite(term)).sum(1).cpu()
        start = 0
        for clip, count in enumerate(people_per_clip):
            bad = int(bad_rows[start : start + count].sum())
            start += count
            if bad:
                label = clip_names[clip] if clip_names else f"clip {clip} of the batch"
                lines.append(f"  - {name}: {bad} of {count * term.shape[1]} values in {label}")
    return (
        "matching cost is NaN or infinite:\n"
        + "\n".join(lines)
        + "\nThe network's outputs or the annotated boxes are not finite; lower SOLVER.BASE_LR, set SOLVER.CLIP_GRAD_L2NORM,"
        " or check the boxes of the clips named here."
    )
