"""ClipSample, ClipBatch, ClipMeta, Targets, UnreadableClip: what travels from data set to model, loss and post-processor."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor


@dataclass(frozen=True)
class ClipMeta:
    """Where a clip comes from, and how its input maps back to the original frame.

    video, timestamp: the key frame, as in BoxTable (whole seconds in AVA, frame number in frame-annotated sets)
    region:           xyxy of the part of the original frame that the input shows, in [0, 1] of that frame; padding on
                      the right or bottom makes it reach past 1, and a mirrored clip has x1 > x2
    repeated_frames:  how many frames repeat the first or last one because the clip reaches past the end of the video
    """

    video: str
    timestamp: int
    region: tuple[float, float, float, float]
    repeated_frames: int = 0

    def __str__(self) -> str:
        return f"{self.video} at {self.timestamp}"


@dataclass(frozen=True)
class Targets:
    """The P people of a batch, clip after clip.

    boxes:           (P, 4) float32 cxcywh in [0, 1] of the input
    actions:         (P, C) float32, 1 where the person does the action; a row of zeros is a person of the background
    people_per_clip: B counts that sum to P
    """

    boxes: Tensor
    actions: Tensor
    people_per_clip: tuple[int, ...]

    @property
    def clip_index(self) -> Tensor:
        """(P,) int64: the clip each person is in."""
        counts = torch.tensor(self.people_per_clip, dtype=torch.int64, device=self.boxes.device)
        return torch.repeat_interleave(counts, output_size=len(self.boxes))

    def to(self, device: torch.device, non_blocking: bool = False) -> "Targets":
        return replace(
            self,
            boxes=self.boxes.to(device, non_blocking=non_blocking),
            actions=self.actions.to(device, non_blocking=non_blocking),
        )


@dataclass(frozen=True)
class ClipSample:
    """One clip. clip: (3, T, H, W) uint8 RGB; boxes (n, 4) cxcywh in [0, 1] of the input; actions (n, C) float32 0/1."""

    clip: Tensor
    boxes: Tensor
    actions: Tensor
    meta: ClipMeta


@dataclass(frozen=True)
class UnreadableClip:
    """A key frame whose pixels could not be read, and why; the file and the second are in `reason`."""

    video: str
    timestamp: int
    reason: str


@dataclass(frozen=True)
class ClipBatch:
    """B clips. clips: (B, 3, T, H, W), uint8 RGB as loaded, or normalised float after `normalized`; meta on the CPU."""

    clips: Tensor
    targets: Targets
    meta: tuple[ClipMeta, ...]
    unreadable: tuple[UnreadableClip, ...] = ()

    def __len__(self) -> int:
        return len(self.meta)

    def to(self, device: torch.device, non_blocking: bool = False) -> "ClipBatch":
        return replace(
            self,
            clips=self.clips.to(device, non_blocking=non_blocking),
            targets=self.targets.to(device, non_blocking),
        )

    def normalized(self, mean: Tensor, std: Tensor) -> "ClipBatch":
        """The batch with float32 clips (pixel / 255 - mean) / std; mean and std are (3,), RGB, in [0, 1]."""
        shape = (1, 3, 1, 1, 1)
        scale = (1 / (255 * std)).view(shape)
        return replace(self, clips=self.clips.float().mul_(scale).sub_((mean / std).view(shape)))
