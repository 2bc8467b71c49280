"""What is hidden of clips: masks in place of labels, drawn for each clip by its name, on whatever process it is."""

import zlib
from collections.abc import Iterable, Iterator, Sized
from dataclasses import replace

import torch

from slowfast.datasets.augment.masks import MaskShape
from slowfast.structures.clip import ClipBatch
from slowfast.structures.targets import Masked
from slowfast.utils.seed import generator_for

# The last part of a mask's seed, apart from that of everything else that is drawn for a clip.
_TRAINING, _TESTING = 3, 4


class Hiding:
    """Another mask for each clip in each epoch: (seed, epoch, name of the video, repeat) decide it.

    A `StepChange` of the training loader.
    """

    def __init__(self, shape: MaskShape, *, seed: int) -> None:
        self.shape, self.seed = shape, seed

    def __call__(self, batch: ClipBatch, epoch: int, step: int) -> ClipBatch:
        return hide(batch, self.shape, self.seed, epoch, last=_TRAINING)


class HiddenViews:
    """The clips of a test loader, each with the one mask that (seed, name of the video, view) decide."""

    def __init__(self, loader: Iterable[ClipBatch], shape: MaskShape, *, seed: int) -> None:
        self.loader, self.shape, self.seed = loader, shape, seed

    def __len__(self) -> int:
        assert isinstance(self.loader, Sized)
        return len(self.loader)

    def __iter__(self) -> Iterator[ClipBatch]:
        for batch in self.loader:
            yield hide(batch, self.shape, self.seed, 0, last=_TESTING)


def hide(batch: ClipBatch, shape: MaskShape, *seed: int, last: int) -> ClipBatch:
    """The batch with a mask for each clip as its targets; nothing is hidden of the stand-in for unreadable clips."""
    masks = []
    for meta in batch.meta:
        video, number = meta.key
        masks.append(shape.draw(generator_for(*seed, zlib.crc32(video.encode()), int(number), last)))
    cells = torch.stack(masks) if masks else torch.zeros(len(batch.clips), *shape.window, dtype=torch.bool)
    return replace(batch, targets=Masked(cells))
