"""The views of a video that a classifier is tested on: clips spread over its time, square crops along its long side."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from operator import itemgetter

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms.v2 import functional as F

from slowfast.structures.clip import ClipBatch, UnreadableClip, ViewMeta
from slowfast.structures.labelled_videos import LabelledVideos
from slowfast.structures.targets import Labels
from slowfast.video.frames import FrameFolders
from slowfast.video.reader import VideoFiles, read_all
from slowfast.video.source import ClipReadError

CENTRE_MARGIN = 8 / 7  # short side of a frame whose centre is cropped: 256 for 224, as PySlowFast's


@dataclass(frozen=True)
class ViewShape:
    """num_clips x num_crops views of num_frames frames.

    A clip spans num_frames * sampling_rate frames at `fps`, whatever the rate of the video, and its frames are spread
    evenly from the first to the last of these (PySlowFast: 16 x 4 are 16 of 64 frames, 4.2 apart). The clips start
    evenly between the first moment and the last at which one fits; one clip is in the middle. View v is crop
    v % num_crops of clip v // num_crops.

    whole_video: instead, the one clip is the middle frames of num_frames equal parts of the video (SSv2)
    """

    num_frames: int
    sampling_rate: int
    fps: float
    size: int
    num_clips: int
    num_crops: int
    whole_video: bool = False

    def __post_init__(self) -> None:
        if self.whole_video and self.num_clips != 1:
            raise ValueError(
                f"a clip of the whole video is one clip, and TEST.NUM_ENSEMBLE_VIEWS is {self.num_clips}; set it to 1"
            )

    @property
    def num_views(self) -> int:
        return self.num_clips * self.num_crops

    def clip_times(self, duration: float) -> np.ndarray:
        """(num_clips, T) seconds since the start of a video of `duration` seconds; past its end if it is too short."""
        if self.whole_video:
            return (np.arange(self.num_frames)[None] + 0.5) / self.num_frames * duration
        span = self.num_frames * self.sampling_rate / self.fps
        room = max(duration - span, 0.0)
        starts = np.linspace(0, room, self.num_clips) if self.num_clips > 1 else np.array([room / 2])
        return starts[:, None] + np.linspace(0, span - 1 / self.fps, self.num_frames)

    def clip_positions(self, video_frames: int) -> np.ndarray:
        """(num_clips, T) positions from 0 among the frames of a video, for videos that are folders of frames.

        The frames of a clip are `sampling_rate` apart and starts are rounded, as PySlowFast samples Charades; past the
        end if the video is too short.
        """
        span = (self.num_frames - 1) * self.sampling_rate + 1
        room = max(video_frames - span, 0)
        starts = np.linspace(0, room, self.num_clips) if self.num_clips > 1 else np.array([room / 2])
        return starts.round().astype(np.int64)[:, None] + self.sampling_rate * np.arange(self.num_frames)

    def short_side(self) -> int:
        return self.size if self.num_crops > 1 else round(self.size * CENTRE_MARGIN)


class VideoViews(Dataset):
    """One item per video: all of its views, from one decoding, as a ClipBatch (uint8, Labels, a ViewMeta each).

    A video that cannot be read is a batch of nothing that names it in `unreadable`, as `collate` makes them.

    pixels: video files, or folders of extracted frames
    """

    def __init__(
        self, videos: LabelledVideos, pixels: VideoFiles | FrameFolders, *, shape: ViewShape, strict: bool = False
    ) -> None:
        self.videos, self.pixels, self.shape, self.strict = videos, pixels, shape, strict

    def __len__(self) -> int:
        return len(self.videos.names)

    def __getitem__(self, index: int) -> ClipBatch:
        name = self.videos.names[index]
        try:
            frames, shown, repeated = self._read(name)
        except ClipReadError as error:
            if self.strict:
                raise
            blank = torch.zeros(1, 3, self.shape.num_frames, self.shape.size, self.shape.size, dtype=torch.uint8)
            return ClipBatch(blank, self._labels(index, 1), (), (UnreadableClip(name, 0, str(error)),))
        views, crops = crop_views(frames, shown, self.shape), self.shape.num_crops
        # The crops of a clip show the same frames: those that it repeats count once.
        metas = (ViewMeta(name, v, 0 if v % crops else int(repeated[v // crops])) for v in range(len(views)))
        return ClipBatch(views, self._labels(index, len(views)), tuple(metas))

    def _labels(self, index: int, count: int) -> Labels:
        """What the video shows, once for each of its views."""
        label = torch.as_tensor(self.videos.labels[index])
        if self.videos.multi_label:
            label = label.float()
        return Labels(label.expand(count, *label.shape).contiguous())

    def _read(self, name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Frames (N, H, W, 3), which of them each clip shows (clips, T), and how many each repeats (clips,)."""
        if isinstance(self.pixels, FrameFolders):
            first, last = self.pixels.span(name)
            numbers = first + self.shape.clip_positions(last - first + 1)
            used, place = np.unique(numbers, return_inverse=True)
            read = self.pixels.read_frames(name, used, center=0)
            return read.frames, place.reshape(numbers.shape), (numbers > last).sum(axis=1)
        frames, times = read_all(self.pixels.path(name), threads=self.pixels.threads)
        frame_seconds = float(np.diff(times).mean()) if len(times) > 1 else 1 / self.shape.fps
        asked = self.shape.clip_times(float(times[-1] - times[0]) + frame_seconds) + times[0]
        # Asked times are starts of frames at `fps`, of which the nearest is meant, or the middles of parts of a video.
        tolerance = 1e-6 if self.shape.whole_video else frame_seconds / 2
        shown = np.searchsorted(times, asked + tolerance, side="right") - 1
        repeated = (asked >= times[-1] + frame_seconds).sum(axis=1)
        used, place = np.unique(shown.clip(0), return_inverse=True)
        return frames[used], place.reshape(shown.shape), repeated


class Chunks:
    """Iterates over the batches of `loader` in pieces of at most `most` clips, as equal as can be.

    per_item: clips of one batch of the loader
    """

    def __init__(self, loader: DataLoader, *, most: int, per_item: int) -> None:
        self.loader, self.most, self.per_item = loader, most, per_item

    def __len__(self) -> int:
        return len(self.loader) * math.ceil(self.per_item / self.most)

    def __iter__(self) -> Iterator[ClipBatch]:
        for batch in self.loader:
            yield from _pieces(batch, self.most)


def _pieces(batch: ClipBatch, most: int) -> Iterator[ClipBatch]:
    """A batch of labelled clips in pieces; one without clips as it is."""
    if len(batch) <= most:
        yield batch
        return
    start = 0
    for clips in batch.clips.chunk(math.ceil(len(batch) / most)):
        rows = slice(start, start + len(clips))
        yield ClipBatch(clips, batch.targets.map(itemgetter(rows)), batch.meta[rows])
        start += len(clips)


def crop_views(frames: np.ndarray, shown: np.ndarray, shape: ViewShape) -> Tensor:
    """(N, H, W, 3) uint8 frames, (clips, T) which of them each clip shows -> (V, 3, T, size, size), see ViewShape."""
    crops = square_crops(frames, short_side=shape.short_side(), size=shape.size, count=shape.num_crops)
    clips = crops[:, shown]  # (crops, clips, T, 3, size, size)
    views = clips.permute(1, 0, 3, 2, 4, 5).reshape(-1, 3, *clips.shape[2:3], *clips.shape[4:])
    return views.contiguous()


def square_crops(frames: np.ndarray, *, short_side: int, size: int, count: int) -> Tensor:
    """(N, H, W, 3) uint8 -> (count, N, 3, size, size): scaled to the short side, cut at evenly spread places."""
    pixels = torch.from_numpy(np.ascontiguousarray(frames)).permute(0, 3, 1, 2)
    height, width = pixels.shape[-2:]
    scale = short_side / min(height, width)
    height, width = max(round(height * scale), size), max(round(width * scale), size)
    pixels = F.resize(pixels, [height, width], antialias=True)
    top, left = height - size, width - size
    if count == 1:
        places = [(top // 2, left // 2)]
    elif width >= height:
        places = [(top // 2, round(left * i / (count - 1))) for i in range(count)]
    else:
        places = [(round(top * i / (count - 1)), left // 2) for i in range(count)]
    return torch.stack([pixels[..., y : y + size, x : x + size] for y, x in places])
