"""ClipSample, ClipBatch and what names their clips: what travels from data set to model, loss and post-processor."""

from dataclasses import dataclass, replace
from typing import Protocol

import torch
from torch import Tensor

from slowfast.structures.targets import Counts, Labels, Masked, People, TensorMap


@dataclass(frozen=True)
class ClipMeta:
    """Where a clip comes from, and how its input maps back to the original frame.

    video, timestamp: the key frame, as in BoxTable (seconds, or the frame number in frame-annotated sets), an int if whole
    region:           xyxy of the part of the original frame that the input shows, in [0, 1] of that frame; padding on
                      the right or bottom makes it reach past 1, and a mirrored clip has x1 > x2
    repeated_frames:  how many frames repeat the first or last one because the clip reaches past the end of the video
    """

    video: str
    timestamp: float
    region: tuple[float, float, float, float]
    repeated_frames: int = 0

    @property
    def key(self) -> tuple[str, float]:
        return (self.video, self.timestamp)

    def __str__(self) -> str:
        return f"{self.video} at {self.timestamp}"


@dataclass(frozen=True)
class ViewMeta:
    """Which view of a video a clip is.

    video: name of the video, as its list gives it
    view:  number of the view, spatial crop + crops * temporal clip
    repeated_frames: as in ClipMeta
    """

    video: str
    view: int
    repeated_frames: int = 0

    @property
    def key(self) -> tuple[str, int]:
        return (self.video, self.view)

    def __str__(self) -> str:
        return f"view {self.view} of {self.video}"


Meta = ClipMeta | ViewMeta


@dataclass(frozen=True)
class ClipSample:
    """One clip.

    clip:    (3, T, H, W) uint8 RGB; or (F, T, h, w) float16, features of its frames, where the image network is frozen
    boxes:   (n, 4) cxcywh in [0, 1] of the input
    actions: (n, C) float32 0/1
    flipped: boxes, actions and meta are those of the mirrored clip, and the pixels still have to be mirrored; that is
             done for the whole batch on the device (ClipBatch.mirrored). Whoever shows a sample shows `mirrored_clip`.
    colours: factors of brightness, contrast and saturation, which are still to be changed there, too; None for no change
    """

    clip: Tensor
    boxes: Tensor
    actions: Tensor
    meta: ClipMeta
    flipped: bool = False
    colours: tuple[float, float, float] | None = None

    @property
    def mirrored_clip(self) -> Tensor:
        """(3, T, H, W) uint8 RGB: the pixels that belong to the boxes, in the colours of the video."""
        return self.clip.flip(-1) if self.flipped else self.clip


@dataclass(frozen=True)
class UnreadableClip:
    """A key frame whose pixels could not be read, and why; the file and the second are in `reason`."""

    video: str
    timestamp: float
    reason: str


class ColourChange(Protocol):
    """What training does to the colours of a whole batch on the device (`datasets/augment/colours.py`)."""

    def __call__(self, clips: Tensor) -> Tensor:
        """clips (B, 3, T, H, W) float32 RGB from 0 to 255, mirrored where they are to be; may be changed in place."""
        ...

    def map(self, change: TensorMap) -> "ColourChange":
        """The same with `change` applied to the tensors that belong on the device."""
        ...


class BatchAugmentation(Protocol):
    """What training does to a whole batch where its clips are floats, on the device (`datasets/augment/batch.py`)."""

    def __call__(self, batch: "ClipBatch") -> "ClipBatch":
        """Change the normalised clips, which may be changed in place, and their targets."""
        ...

    def map(self, change: TensorMap) -> "BatchAugmentation":
        """The same with `change` applied to the tensors that belong on the device."""
        ...


def scale_and_shift(mean: Tensor, std: Tensor) -> tuple[Tensor, Tensor]:
    """mean and std (3,) in [0, 1] -> two (1, 3, 1, 1, 1): pixel * scale - shift is (pixel / 255 - mean) / std."""
    shape = (1, 3, 1, 1, 1)
    return (1 / (255 * std)).view(shape), (mean / std).view(shape)


@dataclass(frozen=True)
class ClipBatch:
    """B clips with what they should be answered with.

    clips:   (B, 3, T, H, W), uint8 RGB as loaded, or normalised float after `normalized` (the model may do that itself);
             or (B, F, T, h, w) float16, features of frames
    meta:    what names each clip: its `key` is (video, timestamp) or (video, view)
    flipped: (B,) bool, clips whose pixels still have to be mirrored (see ClipSample); None when there are none
    augmentation: what is still to be done to them once they are normalised; None for nothing
    colours: what is still to be done to their colours once they are mirrored and floats; None for nothing
    """

    clips: Tensor
    targets: People | Labels | Masked
    meta: tuple[Meta, ...]
    unreadable: tuple[UnreadableClip, ...] = ()
    flipped: Tensor | None = None
    augmentation: BatchAugmentation | None = None
    colours: ColourChange | None = None

    def __len__(self) -> int:
        return len(self.meta)

    def counts(self) -> Counts:
        """What the batch brings to its step: nothing when none of its clips could be read (see `collate`)."""
        return self.targets.counts() if len(self) else Counts(0, 0)

    def map(self, change: TensorMap) -> "ClipBatch":
        """The same batch with `change` applied to every tensor."""
        flipped = None if self.flipped is None else change(self.flipped)
        augmentation = None if self.augmentation is None else self.augmentation.map(change)
        colours = None if self.colours is None else self.colours.map(change)
        return replace(
            self,
            clips=change(self.clips),
            targets=self.targets.map(change),
            flipped=flipped,
            augmentation=augmentation,
            colours=colours,
        )

    def to(self, device: torch.device, non_blocking: bool = False) -> "ClipBatch":
        return self.map(lambda tensor: tensor.to(device, non_blocking=non_blocking))

    def pin_memory(self) -> "ClipBatch":
        """The batch in page-locked host memory. A DataLoader with pin_memory calls this; it would skip a type without."""
        return self.map(lambda tensor: tensor.pin_memory())

    def mirrored(self) -> "ClipBatch":
        """The batch with the pixels of its `flipped` clips mirrored left to right, and none left to mirror."""
        if self.flipped is None:
            return self
        choose = self.flipped.view(-1, 1, 1, 1, 1)
        return replace(self, clips=torch.where(choose, self.clips.flip(-1), self.clips), flipped=None)

    def normalized(self, mean: Tensor, std: Tensor) -> "ClipBatch":
        """The batch with float32 clips (pixel / 255 - mean) / std; mean and std are (3,), RGB, in [0, 1].

        Before that their `colours` are changed, and none are left to change. Mirrored clips have to be mirrored by then.
        Features of frames stay as they are.
        """
        if self.clips.is_floating_point():
            return self
        scale, shift = scale_and_shift(mean, std)
        pixels = self.clips.float()
        if self.colours is not None:
            pixels = self.colours(pixels)
        return replace(self, clips=pixels.mul_(scale).sub_(shift), colours=None)

    def augmented(self) -> "ClipBatch":
        """The batch after its `augmentation`, with none left to do. The clips are normalised and may change in place."""
        return self if self.augmentation is None else replace(self.augmentation(self), augmentation=None)
