"""Fixed views of a video: the ways in which a network with a frozen image network is shown it, drawn once."""

import hashlib
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from slowfast.datasets.augment.colours import ColourFactors
from slowfast.datasets.clips import transforms as T
from slowfast.datasets.clips.presets import DetectionPreset
from slowfast.structures.boxes import xyxy_to_cxcywh
from slowfast.utils.seed import generator_for

PLAIN = 0  # the view of a test
_COLOURS = 2  # count up when the same factors give other colours


@dataclass(frozen=True)
class VideoView:
    """clip: (3, n, h, w) uint8 RGB, mirrored where the view is; region: as in ClipMeta, x1 > x2 where it is mirrored;
    colours: of the view, still to be changed in all of its frames; None for no change."""

    clip: Tensor
    region: T.Region
    colours: ColourFactors | None = None


class Views:
    """View 0 shows a video as a test does, the others as `augmented` draws it for (seed, view, video).

    A crop keeps what its preset promises of all people of the video (`boxes`), not of one key frame only.
    """

    def __init__(self, plain: DetectionPreset, augmented: DetectionPreset, *, seed: int) -> None:
        self.plain, self.augmented, self.seed = plain, augmented, seed

    @property
    def identity(self) -> dict[str, object]:
        """What the pixels of a view depend on, beside the video and the number of the view."""
        augmentation = self.augmented.augmentation
        return {
            "plain": [*self.plain.size, self.plain.keep_aspect],
            "augmented": [*self.augmented.size, self.augmented.keep_aspect, str(self.augmented.augmentation)],
            "seed": self.seed,
            **({"colours": _COLOURS} if augmentation is not None and augmentation.colour else {}),
        }

    def show(
        self, view: int, video: str, frames: np.ndarray, boxes: np.ndarray, *, pixel_aspect: float = 1.0
    ) -> VideoView:
        """frames (n, H, W, 3) uint8 RGB of `video`, boxes (P, 4) xyxy in [0, 1] of all its people on all key frames."""
        name = int.from_bytes(hashlib.sha256(video.encode()).digest()[:4], "big")
        generator = generator_for(self.seed, view, name)
        preset = self.plain if view == PLAIN else self.augmented
        swaps = () if preset.augmentation is None else preset.augmentation.swap_actions
        classes = 1 + max((index for pair in swaps for index in pair), default=0)  # what they do is asked per key frame
        nothing = np.zeros((len(boxes), classes))
        made = preset(frames, boxes, nothing, generator, pixel_aspect=pixel_aspect)
        return VideoView(made.clip.flip(-1) if made.flipped else made.clip, made.region, made.colours)


def people_in_view(
    boxes: np.ndarray, actions: np.ndarray, region: T.Region, *, min_visible: float, swaps: tuple[tuple[int, int], ...]
) -> tuple[Tensor, Tensor]:
    """People of a key frame, boxes (n, 4) xyxy in [0, 1] of the frame and actions (n, C), as a view of `region` shows them.

    Returns boxes (m, 4) cxcywh in [0, 1] of the input and actions (m, C) float32; those of whom less than `min_visible` is
    left are gone, and a mirrored view exchanges the actions of `swaps`.
    """
    left, top, right, bottom = region
    mirrored = left > right
    upright = (right, top, left, bottom) if mirrored else region
    people = torch.as_tensor(boxes, dtype=torch.float32).reshape(-1, 4)
    people, keep = T.boxes_in_region(people, upright, min_visible=min_visible)
    does = torch.as_tensor(actions, dtype=torch.float32)[keep]
    if mirrored:
        people, _ = T.mirror(people, upright)
        for a, b in swaps:
            does[:, [a, b]] = does[:, [b, a]]
    return xyxy_to_cxcywh(people), does
