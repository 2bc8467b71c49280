"""Local correlation: how much each place of a frame looks like the places around it in the frame before. It is the
matching step of optical flow (FlowNet's correlation layer, Dosovitskiy et al. 2015), without a weight.
"""

import torch
import torch.nn.functional as F
from torch import Tensor


def local_correlation(maps: Tensor, radius: int) -> Tensor:
    """maps (B, T, H, W, C) -> (B, T, H, W, (2 radius + 1)^2): cosines in [-1, 1] of each place with the places around it in
    the frame before, displacement by displacement (rows from -radius on, then columns).

    A place outside the map counts 0. The first frame has none before it and is compared with the next one; a clip of one
    frame with itself.
    """
    frames, height, width = maps.shape[1:4]
    cosine = F.normalize(maps.float(), dim=-1, eps=1e-6).flatten(2, 3)  # (B, T, HW, C)
    before = torch.cat([cosine[:, min(1, frames - 1)][:, None], cosine[:, :-1]], dim=1)
    places, inside = _window(height, width, radius, maps.device)
    everywhere = cosine @ before.transpose(2, 3)  # (B, T, HW, HW): one product of matrices, then what is near
    near = everywhere.gather(3, places.expand(*everywhere.shape[:2], -1, -1)) * inside
    return near.unflatten(2, (height, width)).to(maps.dtype)


def _window(height: int, width: int, radius: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """(HW, (2 radius + 1)^2) index of each place around each place, and 1 where it is inside the map, else 0."""
    offsets = torch.arange(-radius, radius + 1, device=device)
    rows = torch.arange(height, device=device)[:, None] + offsets  # (H, D)
    columns = torch.arange(width, device=device)[:, None] + offsets  # (W, D)
    inside_row, inside_column = (rows >= 0) & (rows < height), (columns >= 0) & (columns < width)
    place = rows.clamp(0, height - 1)[:, None, :, None] * width + columns.clamp(0, width - 1)[None, :, None, :]
    inside = inside_row[:, None, :, None] & inside_column[None, :, None, :]
    return place.reshape(height * width, -1), inside.reshape(height * width, -1).float()
