"""Samples -> ClipBatch. Clips of different sizes are padded at the right and the bottom, and their boxes follow.

A clip that has yet to be mirrored is padded at the left, so that its padding is at the right in the end.
"""

from collections.abc import Sequence
from dataclasses import replace

import torch

from slowfast.datasets.augment.colours import ClipColours, ColourFactors
from slowfast.structures.clip import ClipBatch, ClipMeta, ClipSample, UnreadableClip
from slowfast.structures.targets import People


def collate(
    samples: Sequence[ClipSample | UnreadableClip], *, blank_size: tuple[int, int, int], num_classes: int
) -> ClipBatch:
    """B samples of the same length T -> ClipBatch. Clips that could not be read travel by name in `unreadable`.

    When none could be read, `len(batch)` is 0 and `clips` holds one black clip of `blank_size` (T, H, W) without
    people: in training every process has to take part in the step, and the loop multiplies this clip's loss by 0.
    """
    unreadable = tuple(s for s in samples if isinstance(s, UnreadableClip))
    read = [s for s in samples if isinstance(s, ClipSample)]
    if not read:
        nobody = People(torch.zeros(0, 4), torch.zeros(0, num_classes), (0,))
        return ClipBatch(torch.zeros(1, 3, *blank_size, dtype=torch.uint8), nobody, (), unreadable)
    height = max(s.clip.shape[2] for s in read)
    width = max(s.clip.shape[3] for s in read)
    drawn = [None if s.colours is None else ColourFactors(*s.colours) for s in read]
    colours = ClipColours.of(drawn, [(s.clip.shape[2], s.clip.shape[3]) for s in read])
    read = [_pad(s, height, width) for s in read]
    targets = People(
        torch.cat([s.boxes for s in read]),
        torch.cat([s.actions for s in read]),
        tuple(len(s.boxes) for s in read),
    )
    flipped = torch.tensor([s.flipped for s in read]) if any(s.flipped for s in read) else None
    clips = torch.stack([s.clip for s in read])
    return ClipBatch(clips, targets, tuple(s.meta for s in read), unreadable, flipped, colours=colours)


def _pad(sample: ClipSample, height: int, width: int) -> ClipSample:
    _, _, h, w = sample.clip.shape
    if (h, w) == (height, width):
        return sample
    left, right = (width - w, 0) if sample.flipped else (0, width - w)
    clip = torch.nn.functional.pad(sample.clip, (left, right, 0, height - h))
    boxes = sample.boxes * sample.boxes.new_tensor([w / width, h / height] * 2)
    return replace(sample, clip=clip, boxes=boxes, meta=_widen(sample.meta, width / w, height / h))


def _widen(meta: ClipMeta, x_factor: float, y_factor: float) -> ClipMeta:
    x1, y1, x2, y2 = meta.region
    return replace(meta, region=(x1, y1, x1 + (x2 - x1) * x_factor, y1 + (y2 - y1) * y_factor))
