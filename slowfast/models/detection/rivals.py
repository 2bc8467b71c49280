"""Candidates that claim the same person: counted inside the network, so that one of them learns to win.

A learned counterpart of NMS, trained by the bipartite loss (as GossipNet, Hosang et al. 2017, and relation networks, Hu et
al. 2018). It is no part of the paper, which relies on the loss alone.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from slowfast.layers.precision import full_precision
from slowfast.structures.boxes import cxcywh_to_xyxy

_FEATURES = 5  # of a pair of candidates
_FIRST = 8.0


class CandidateRivals(nn.Module):
    """Actor logits (B, N, 1 or 2) and boxes (B, N, 4) cxcywh -> actor logits of the same shape, in float32.

    For every pair of candidates a small MLP sees how their boxes overlap and how much likelier the other one is, and says
    for each of `kinds` kinds whether the other is a rival. Each candidate counts its rivals of each kind; a weighted sum of
    the logarithms of 1 + count is added to its logit.

    The first kind starts as NMS would count: likelier ones that overlap by half or more; they take `_FIRST` off at the
    start. The weights of the other kinds start at 0. In short trainings little of this moves (docs/LEDGER.md, entry 2): it
    then works as a soft NMS inside the network, with which the rest of it learns.
    """

    def __init__(self, kinds: int, *, hidden: int = 16) -> None:
        super().__init__()
        self.pair = nn.Sequential(nn.Linear(_FEATURES, hidden), nn.ReLU(), nn.Linear(hidden, kinds))
        self.weigh = nn.Linear(kinds, 1, bias=False)
        nn.init.zeros_(self.weigh.weight)
        with torch.no_grad():
            first, last = self._layers()
            first.weight[0] = torch.tensor([0.0, 0.0, 0.0, 0.0, 1.0])  # overlap of one that is likelier
            first.bias[0] = 0.0
            last.weight[0] = 0.0
            last.weight[0, 0], last.bias[0] = 20.0, -10.0
            self.weigh.weight[0, 0] = -_FIRST

    def _layers(self) -> tuple[nn.Linear, nn.Linear]:
        first, last = self.pair[0], self.pair[2]
        assert isinstance(first, nn.Linear) and isinstance(last, nn.Linear)
        return first, last

    def forward(self, actor_logits: Tensor, boxes: Tensor) -> Tensor:
        with full_precision(boxes.device):
            logits = actor_logits.float()
            margin = logits[..., 0] if logits.shape[-1] == 1 else logits[..., 0] - logits[..., 1]
            if boxes.is_cpu and torch.is_grad_enabled():  # clip by clip what backward needs stays in the CPU's cache
                parts = zip(margin.split(1), boxes.split(1), strict=True)
                count = torch.cat([self.count(*part) for part in parts])
            else:
                count = self.count(margin, boxes)
            change = self.weigh(torch.log1p(count))
        return logits + change if logits.shape[-1] == 1 else logits + torch.cat([change, -change], dim=-1) / 2

    def count(self, margin: Tensor, boxes: Tensor) -> Tensor:
        """margin (B, N), boxes (B, N, 4) cxcywh -> (B, N, kinds), how many rivals of each kind each candidate has.

        `self.pair` with the pairs in the last dimension, where a matrix product with so few channels is fast.
        """
        batch, candidates = margin.shape
        first, last = self._layers()
        x = pair_features(margin, boxes).permute(3, 0, 1, 2).flatten(1)
        x = F.relu(torch.addmm(first.bias[:, None], first.weight, x))
        x = torch.addmm(last.bias[:, None], last.weight, x).sigmoid()
        others = 1 - torch.eye(candidates, device=margin.device)
        return (x.view(-1, batch, candidates, candidates) * others).sum(3).permute(1, 2, 0)


def pair_features(margin: Tensor, boxes: Tensor) -> Tensor:
    """margin (B, N), boxes (B, N, 4) cxcywh -> (B, N, N, 5): of candidate i and another one j, IoU, how much likelier j is
    (tanh of the difference of logits, and of four times that), and IoU times each. Boxes are taken as they are: no gradient
    flows into them.
    """
    overlap = _overlaps(cxcywh_to_xyxy(boxes.detach().float()))
    ahead = margin[:, None, :] - margin[:, :, None]
    soft, sharp = torch.tanh(ahead), torch.tanh(4 * ahead)
    planes = torch.stack([overlap, soft, sharp, overlap * F.relu(soft), overlap * F.relu(sharp)])
    return planes.permute(1, 2, 3, 0)


def _overlaps(boxes: Tensor) -> Tensor:
    """(B, N, 4) xyxy -> (B, N, N) IoU; 0 where neither box has an area."""
    low = torch.maximum(boxes[:, :, None, :2], boxes[:, None, :, :2])
    high = torch.minimum(boxes[:, :, None, 2:], boxes[:, None, :, 2:])
    both = (high - low).clamp(min=0).prod(-1)
    area = (boxes[..., 2:] - boxes[..., :2]).prod(-1)
    return both / (area[:, :, None] + area[:, None, :] - both).clamp(min=1e-9)
