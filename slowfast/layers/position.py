"""Absolute position embeddings of MViTv1 and of image models; MViTv2 for video has none."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from slowfast.layers.token_grid import Size3, size3, volume


def resize_grid_embedding(table: Tensor, from_grid: Size3, to_grid: Size3) -> Tensor:
    """(1, T H W, C) laid out on `from_grid` -> (1, T' H' W', C), trilinear; the same tensor when the grids agree."""
    if from_grid == to_grid:
        return table
    on_grid = table.transpose(1, 2).unflatten(2, from_grid)
    return F.interpolate(on_grid, size=to_grid, mode="trilinear", align_corners=False).flatten(2).transpose(1, 2)


class SeparablePositionEmbedding(nn.Module):
    """Learned embedding, spatial (H W) plus temporal (T), plus one for the class token (MViT, section 4.1).

    The tables keep their published names: pos_embed_spatial (1, HW, C), pos_embed_temporal (1, T, C), pos_embed_class.
    They live in the backbone itself, so this module only adds them: x (B, [1 +] THW, C) -> the same shape.
    """

    def __init__(self, dim: int, *, grid: Size3, class_token: bool) -> None:
        super().__init__()
        self.grid = size3(grid)
        self.spatial = nn.Parameter(torch.zeros(1, grid[1] * grid[2], dim))
        self.temporal = nn.Parameter(torch.zeros(1, grid[0], dim))
        self.class_position = nn.Parameter(torch.zeros(1, 1, dim)) if class_token else None
        for table in self.parameters():
            nn.init.trunc_normal_(table, std=0.02)

    def forward(self, x: Tensor, grid: Size3) -> Tensor:
        spatial = resize_grid_embedding(self.spatial, (1, *self.grid[1:]), (1, *grid[1:]))
        temporal = resize_grid_embedding(self.temporal, (self.grid[0], 1, 1), (grid[0], 1, 1))
        table = (temporal[:, :, None] + spatial[:, None]).flatten(1, 2)
        if self.class_position is not None:
            table = torch.cat([self.class_position, table], dim=1)
        return x + table


class JointPositionEmbedding(nn.Module):
    """One learned embedding for the class token and every grid position. x (B, [1 +] THW, C) -> the same shape."""

    def __init__(self, dim: int, *, grid: Size3, class_token: bool) -> None:
        super().__init__()
        self.grid, self.class_token = size3(grid), class_token
        self.table = nn.Parameter(torch.zeros(1, volume(self.grid) + class_token, dim))
        nn.init.trunc_normal_(self.table, std=0.02)

    def forward(self, x: Tensor, grid: Size3) -> Tensor:
        first, rest = self.table[:, : int(self.class_token)], self.table[:, int(self.class_token) :]
        return x + torch.cat([first, resize_grid_embedding(rest, self.grid, grid)], dim=1)
