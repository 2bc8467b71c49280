"""Which output tokens predict people, and which tokens tell what each does (BMViT's token selection)."""

import torch
from torch import Tensor, nn

BOX_TOKENS = ("central_pair", "central", "all", "temporal_mean")
ACTION_TOKENS = ("temporal_mean", "same", "central")


class TokenSelect(nn.Module):
    """tokens (B, T, H, W, C) -> candidates for box and actor (B, N, C), and for actions (B, N, C), place by place.

    box_tokens:    "central_pair": mean of the two central slices (the one central slice when T is odd), N = H W
                   "central": slice T // 2, which holds the key frame; "temporal_mean": mean over time, N = H W
                   "all": every token, N = T H W
    action_tokens: "temporal_mean": mean over time at the same place; "central": slice T // 2 at the same place;
                   "same": the very token that predicts the box
    """

    def __init__(self, *, box_tokens: str, action_tokens: str) -> None:
        super().__init__()
        if box_tokens not in BOX_TOKENS:
            raise ValueError(f"box tokens {box_tokens!r} unknown; choose from {BOX_TOKENS} (BMVIT.BOX_TOKENS)")
        if action_tokens not in ACTION_TOKENS:
            raise ValueError(
                f"action tokens {action_tokens!r} unknown; choose from {ACTION_TOKENS} (BMVIT.ACTION_TOKENS)"
            )
        self.box_tokens, self.action_tokens = box_tokens, action_tokens

    def forward(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        slices = tokens.shape[1]
        if self.box_tokens == "all":
            boxes = tokens
        elif self.box_tokens == "temporal_mean":
            boxes = tokens.mean(1, keepdim=True)
        elif self.box_tokens == "central" or slices % 2:
            boxes = tokens[:, slices // 2 : slices // 2 + 1]
        else:
            boxes = tokens[:, slices // 2 - 1 : slices // 2 + 1].mean(1, keepdim=True)

        if self.action_tokens == "same":
            actions = boxes
        elif self.action_tokens == "temporal_mean":
            actions = tokens.mean(1, keepdim=True)
        else:
            actions = tokens[:, slices // 2 : slices // 2 + 1]
        return boxes.flatten(1, 3), actions.expand_as(boxes).flatten(1, 3)


def candidate_centres(grid: tuple[int, int, int], repeat: int, device: torch.device) -> Tensor:
    """(repeat * H * W, 2) centres (x, y) in [0, 1] of the H x W cells in raster order, `repeat` times over."""
    _, height, width = grid
    ys = (torch.arange(height, device=device) + 0.5) / height
    xs = (torch.arange(width, device=device) + 0.5) / width
    centres = torch.stack(torch.meshgrid(xs, ys, indexing="xy"), dim=-1).reshape(-1, 2)
    return centres.repeat(repeat, 1)
