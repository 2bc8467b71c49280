"""The data set of clips around key frames: annotations and pixels in, one ClipSample an index out."""

from dataclasses import dataclass

import numpy as np
from torch.utils.data import Dataset

from slowfast.datasets.annotations.people.key_frames import KeyFrames
from slowfast.datasets.clips.clip_sampling import Order, clip_offsets, clip_times
from slowfast.datasets.clips.presets import DetectionPreset
from slowfast.structures.annotations.box_table import BoxTable, plain_time
from slowfast.structures.clip import ClipMeta, ClipSample, UnreadableClip
from slowfast.utils.seed import generator_for
from slowfast.video.source import ClipPixels, ClipReadError, PixelSource


@dataclass(frozen=True)
class ClipShape:
    """T frames, `sampling_rate` frames apart, played in `order` ("reversed" and "frozen" are controls, see clip_sampling)."""

    num_frames: int
    sampling_rate: int
    order: Order = "forward"


@dataclass(frozen=True)
class SecondClock:
    """Timestamps are seconds (whole ones in AVA).

    fps:          frames per second that the sampling rate counts
    first_second: the timestamp that is shown at the start of a video file
    """

    fps: float
    first_second: int

    def read(self, pixels: PixelSource, video: str, timestamp: float, shape: ClipShape) -> ClipPixels:
        times = clip_times(
            timestamp - self.first_second,
            num_frames=shape.num_frames,
            sampling_rate=shape.sampling_rate,
            fps=self.fps,
            order=shape.order,
        )
        return pixels.read(video, times, center=shape.num_frames // 2)


@dataclass(frozen=True)
class FrameClock:
    """Timestamps are frame numbers (sets with every frame annotated); the sampling rate counts frames of the video."""

    def read(self, pixels: PixelSource, video: str, timestamp: float, shape: ClipShape) -> ClipPixels:
        numbers = int(timestamp) + clip_offsets(shape.num_frames, shape.sampling_rate, shape.order)
        return pixels.read_frames(video, numbers, center=shape.num_frames // 2)


class KeyFrameClips(Dataset):
    """Clips of K key frames. Indexed by k, or by (k, epoch) in training, where (seed, epoch, k) decides the augmentation.

    strict: raise ClipReadError for a clip that cannot be read; else an UnreadableClip with the reason takes its place,
            and whoever consumes it counts and shows it. No other clip ever stands in.
    """

    def __init__(
        self,
        key_frames: KeyFrames,
        pixels: PixelSource,
        *,
        clock: SecondClock | FrameClock,
        shape: ClipShape,
        preset: DetectionPreset,
        strict: bool = False,
        seed: int = 0,
    ) -> None:
        self.key_frames, self.pixels, self.clock = key_frames, pixels, clock
        self.shape, self.preset, self.strict, self.seed = shape, preset, strict, seed

    def __len__(self) -> int:
        return len(self.key_frames)

    def name_of(self, index: int) -> str:
        """The clip, for messages."""
        return f"{self.key_frames.video_name(index)} at {self.key_frames.timestamp[index]}"

    def __getitem__(self, item: int | tuple[int, int]) -> ClipSample | UnreadableClip:
        index, epoch = item if isinstance(item, tuple) else (item, 0)
        video, timestamp = self.key_frames.video_name(index), plain_time(self.key_frames.timestamp[index].item())
        try:
            read = self.clock.read(self.pixels, video, timestamp, self.shape)
        except ClipReadError as error:
            if self.strict:
                raise
            return UnreadableClip(video, timestamp, str(error))
        boxes, actions = self.key_frames.people(index)
        generator = generator_for(self.seed, epoch, index)
        made = self.preset(read.frames, boxes, actions, generator, pixel_aspect=read.pixel_aspect)
        meta = ClipMeta(video, timestamp, made.region, repeated_frames=read.clamped)
        return ClipSample(made.clip, made.boxes, made.actions, meta, made.flipped, made.colours)


def every_nth(key_frames: KeyFrames, step: int) -> KeyFrames:
    """Every `step`-th key frame of each video, from its first one on."""
    if step == 1:
        return key_frames
    starts = np.flatnonzero(np.diff(key_frames.video, prepend=-1))
    position = np.arange(len(key_frames)) - np.repeat(starts, np.diff(np.append(starts, len(key_frames))))
    return key_frames.subset(np.flatnonzero(position % step == 0))


def rows_on_key_frames(table: BoxTable, key_frames: KeyFrames) -> BoxTable:
    """The rows of `table` that lie on one of the key frames: the ground truth of what will be shown to the model."""
    return table.on(key_frames)
