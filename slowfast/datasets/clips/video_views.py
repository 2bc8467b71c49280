"""The views of a video that a classifier is tested on: clips at fixed times, square crops at fixed places."""

import math
from collections.abc import Iterator
from operator import itemgetter

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from slowfast.datasets.augment.view_crops import ViewCrops
from slowfast.datasets.clips.clip_sampling import Order, check_order
from slowfast.datasets.clips.planes import to_planes
from slowfast.datasets.clips.video_sampling import ClipSampling, read_clips
from slowfast.structures.annotations.labelled_videos import LabelledVideos
from slowfast.structures.clip import ClipBatch, UnreadableClip, ViewMeta
from slowfast.structures.targets import Labels
from slowfast.video.source import ClipReadError, VideoSource


class VideoViews(Dataset):
    """One item per video: all of its views, from one decoding, as a ClipBatch (uint8, Labels, a ViewMeta each).

    View v is crop v % num_crops of clip v // num_crops. A video that cannot be read is a batch of nothing that names it
    in `unreadable`, as `collate` makes them.

    order: of the frames of a clip. "reversed" plays it backwards, "frozen" repeats its middle frame: controls that ask
           whether a model uses time
    Raises ValueError for several clips where a video has one.
    """

    def __init__(
        self,
        videos: LabelledVideos,
        pixels: VideoSource,
        *,
        sampling: ClipSampling,
        crops: ViewCrops,
        num_clips: int,
        order: Order = "forward",
        strict: bool = False,
    ) -> None:
        sampling.check_clips(num_clips)
        check_order(order)
        self.videos, self.pixels, self.strict = videos, pixels, strict
        self.sampling, self.crops, self.num_clips, self.order = sampling, crops, num_clips, order

    @property
    def num_views(self) -> int:
        """Of a video."""
        return self.num_clips * self.crops.num_crops

    def __len__(self) -> int:
        return len(self.videos.names)

    def __getitem__(self, index: int) -> ClipBatch:
        name = self.videos.names[index]
        try:
            positions, repeated = self.sampling.test(self.pixels.length(name), self.num_clips)
            frames, place = read_clips(
                self.pixels, name, in_order(positions, self.order), short_side=self.crops.read_short_side
            )
        except ClipReadError as error:
            if self.strict:
                raise
            blank = torch.zeros(1, 3, self.sampling.num_frames, *[self.crops.size] * 2, dtype=torch.uint8)
            return ClipBatch(blank, self._labels(index, 1), (), (UnreadableClip(name, 0, str(error)),))
        views, crops = arrange(self.crops(frames), place), self.crops.num_crops
        # The crops of a clip show the same frames: those that it repeats count once.
        metas = (ViewMeta(name, v, 0 if v % crops else int(repeated[v // crops])) for v in range(len(views)))
        return ClipBatch(views, self._labels(index, len(views)), tuple(metas))

    def _labels(self, index: int, count: int) -> Labels:
        """What the video shows, once for each of its views."""
        label = torch.as_tensor(self.videos.label_of(index))
        if self.videos.multi_label:
            label = label.float()
        return Labels(label.expand(count, *label.shape).contiguous())


def in_order(positions: np.ndarray, order: Order) -> np.ndarray:
    """(clips, T) positions as they are played."""
    match order:
        case "reversed":
            return positions[:, ::-1]
        case "frozen":
            middle = positions[:, positions.shape[1] // 2]
            return np.repeat(middle[:, None], positions.shape[1], axis=1)
    return positions


def arrange(crops: np.ndarray, place: np.ndarray) -> Tensor:
    """(crops, K, h, w, 3) frames, (clips, T) which of them each clip shows -> (clips * crops, 3, T, h, w)."""
    return torch.stack([to_planes(crop[clip]) for clip in place for crop in crops])


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
