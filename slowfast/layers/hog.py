"""Histograms of oriented gradients, which MaskFeat predicts in place of pixels (Wei et al. 2022, section 3.2)."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from slowfast.layers.precision import full_precision

BINS = 9
CELL = 8


@torch.no_grad()
def hog(images: Tensor, *, bins: int = BINS, cell: int = CELL) -> Tensor:
    """images (N, C, H, W) float -> (N, C, bins, H / cell, W / cell) float32: of each channel by itself, as PySlowFast's.

    gradient:  Sobel's 3 x 3 filters (differences of neighbours two apart, weighted 1, 2, 1 across), edges reflected
    angle:     unsigned, atan2(horizontal, vertical gradient) modulo 180 degrees: 0 is a change from top to bottom
    histogram: each pixel gives its magnitude to one bin of 180 / bins degrees; a cell sums its cell x cell pixels
    norm:      the bins of a cell are divided by their L2 norm, so that a factor on the image changes nothing; a cell
               without any gradient is zeros

    Differences are taken before they are weighted: flat areas then have a gradient of exactly zero, not of rounding
    errors that the norm would blow up. Raises ValueError where cells do not divide the image.
    """
    height, width = images.shape[-2:]
    if height % cell or width % cell:
        raise ValueError(
            f"an image of {height} x {width} pixels has no whole cells of {cell} pixels: DATA.TRAIN_CROP_SIZE and "
            f"DATA.TEST_CROP_SIZE must be multiples of {cell}"
        )
    with full_precision(images.device):
        padded = F.pad(images.float(), (1, 1, 1, 1), mode="reflect")
        across = _weighted(padded[..., :-2] - padded[..., 2:], -2)
        down = _weighted(padded[..., :-2, :] - padded[..., 2:, :], -1)
        magnitude = (across.square() + down.square()).sqrt()
        # Both signs turned where they must be, so that no rounding decides between the first bin and the last.
        turn = (across < 0) | ((across == 0) & (down < 0))
        sign = 1 - 2 * turn.float()
        angle = torch.atan2(across * sign + 0.0, down * sign)  # + 0.0: a zero of negative sign would be 180 degrees
        index = (angle * (bins / math.pi)).floor().clamp(max=bins - 1)
        # One bin after another: all at once would take `bins` times the memory of the images.
        cells = [F.avg_pool2d(magnitude * (index == number), cell) for number in range(bins)]
        return F.normalize(torch.stack(cells, dim=2), dim=2)


def _weighted(differences: Tensor, dim: int) -> Tensor:
    """1, 2, 1 along `dim`, which gets shorter by two."""
    size = differences.shape[dim] - 2
    first, middle, last = (differences.narrow(dim, start, size) for start in range(3))
    return first + 2 * middle + last
