"""The three heads of BMViT: box, actor and actions, each an MLP on one candidate token."""

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from slowfast.layers.precision import full_precision
from slowfast.models.detection.rivals import CandidateRivals
from slowfast.models.detection.token_select import candidate_centres
from slowfast.structures.outputs.predictions import Predictions

ACTION_SCORES = ("sigmoid", "softmax")


def make_mlp(dim_in: int, *, hidden: int, dim_out: int, depth: int) -> nn.Sequential:
    """`depth` linear layers with ReLU between them: (..., dim_in) -> (..., dim_out)."""
    widths = [dim_in] + [hidden] * (depth - 1) + [dim_out]
    layers: list[nn.Module] = []
    for index, (a, b) in enumerate(pairwise(widths)):
        layers += [nn.Linear(a, b)] if index == depth - 1 else [nn.Linear(a, b), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers)


def _linear(layer: nn.Module) -> nn.Linear:
    assert isinstance(layer, nn.Linear)
    return layer


class BMViTHeads(nn.Module):
    """Candidate tokens -> Predictions (BMViT, figure 1).

    box_prior:      add the candidate's own place, as logits, before the sigmoid: its cell's centre for (cx, cy) and
                    `prior_size` for (w, h). The head then learns offsets from where it stands (OWL-ViT does the same).
    prior_size:     (w, h) in [0, 1] of the input; None means one cell of the token grid
    actor_logits:   1 (sigmoid) or 2 (softmax of actor, no actor)
    action_prior:   probability every action starts from
    dropout:        of the tokens, in training
    rivals:         kinds of rivals that candidates count (`CandidateRivals`); 0 for none
    action_scores:  "sigmoid": a person may do several things; "softmax": exactly one, so that the sigmoids of the logits
                    returned are the probabilities of a softmax and sum to 1
    """

    def __init__(
        self,
        dim: int,
        *,
        num_classes: int,
        hidden: int,
        depth: int,
        actor_logits: int,
        box_prior: bool,
        prior_size: Sequence[float] | None,
        action_prior: float = 0.1,
        dropout: float = 0.0,
        rivals: int = 0,
        action_scores: str = "sigmoid",
    ) -> None:
        super().__init__()
        if actor_logits not in (1, 2):
            raise ValueError(f"actor logits must be 1 or 2, got {actor_logits} (BMVIT.ACTOR_LOGITS)")
        self.box_prior = box_prior
        self.prior_size = None if prior_size is None else tuple(prior_size)
        self.box = make_mlp(dim, hidden=hidden, dim_out=4, depth=depth)
        self.actor = make_mlp(dim, hidden=hidden, dim_out=actor_logits, depth=depth)
        self.action = make_mlp(dim, hidden=hidden, dim_out=num_classes, depth=depth)
        if action_scores not in ACTION_SCORES:
            raise ValueError(
                f"action scores {action_scores!r} unknown; choose from {ACTION_SCORES} (BMVIT.ACTION_SCORES)"
            )
        self.dropout, self.one_action = nn.Dropout(dropout), action_scores == "softmax"
        self.rivals = CandidateRivals(rivals) if rivals else None
        nn.init.constant_(_linear(self.action[-1]).bias, -math.log(1 / action_prior - 1))
        if box_prior:  # start exactly at the prior
            nn.init.zeros_(_linear(self.box[-1]).weight)
            nn.init.zeros_(_linear(self.box[-1]).bias)

    def prior_logits(self, grid: tuple[int, int, int], candidates: int, device: torch.device) -> Tensor:
        """(candidates, 4) float32 logits of the prior boxes, cxcywh."""
        _, height, width = grid
        centres = candidate_centres(grid, candidates // (height * width), device)
        size = self.prior_size or (1 / width, 1 / height)
        # Filled on the device: numbers copied from the host would make it wait for all that the device has to do.
        prior = torch.cat([centres, *(torch.full_like(centres[:, :1], side) for side in size)], dim=1)
        return torch.logit(prior, eps=1e-4)

    def forward(self, box_tokens: Tensor, action_tokens: Tensor, grid: tuple[int, int, int]) -> Predictions:
        """box_tokens and action_tokens (B, N, C) from a (T, H, W) grid -> Predictions of N candidates."""
        box_tokens, action_tokens = self.dropout(box_tokens), self.dropout(action_tokens)
        with full_precision(box_tokens.device):  # a bf16 logit is too coarse for a box
            box_logits = self.box(box_tokens.to(_linear(self.box[0]).weight.dtype))
        if self.box_prior:
            box_logits = box_logits + self.prior_logits(grid, box_tokens.shape[1], box_tokens.device)
        boxes, actor, action = box_logits.float().sigmoid(), self.actor(box_tokens), self.action(action_tokens)
        if self.rivals is not None:
            actor = self.rivals(actor, boxes)
        return Predictions(actor, boxes, log_odds_of_softmax(action) if self.one_action else action)


def log_odds_of_softmax(logits: Tensor) -> Tensor:
    """(..., C) logits of a softmax -> (..., C) float32 log p / (1 - p): their sigmoids are the softmax's probabilities."""
    logits = logits.float()
    itself = torch.eye(logits.shape[-1], dtype=torch.bool, device=logits.device)
    others = logits[..., None, :].masked_fill(itself, float("-inf")).logsumexp(-1)
    return logits - others
