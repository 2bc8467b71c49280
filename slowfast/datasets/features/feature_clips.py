"""The data set of clips whose frames are given as features, and the making of these features."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from slowfast.datasets.annotations.people.key_frames import KeyFrames
from slowfast.datasets.clips.clip_sampling import clip_offsets
from slowfast.datasets.clips.key_frame_clips import ClipShape
from slowfast.datasets.features.store import FeatureStore, VideoFeatures
from slowfast.datasets.features.views import PLAIN, VideoView, Views, people_in_view
from slowfast.structures.clip import ClipMeta, ClipSample, UnreadableClip
from slowfast.utils.seed import generator_for
from slowfast.video.source import ClipReadError, PixelSource

# A view of a video, n frames -> the features of its frames, (n, F, h', w').
MakeFeatures = Callable[[VideoView], Tensor]


@dataclass(frozen=True)
class FeatureReport:
    """made: views of videos whose features were made now; reused: those that were there; failed: what cannot be read."""

    made: int
    reused: int
    failed: tuple[ClipReadError, ...]

    @classmethod
    def of_all(cls, reports: Sequence["FeatureReport"]) -> "FeatureReport":
        """One report of several, each on other videos."""
        failed = sorted((error for report in reports for error in report.failed), key=str)
        return cls(sum(r.made for r in reports), sum(r.reused for r in reports), tuple(failed))

    def __str__(self) -> str:
        line = f"features of {self.made} views of videos made, {self.reused} found, {len(self.failed)} cannot be read"
        return line + "".join(f"\n  {error}" for error in self.failed)


class FeatureClips(Dataset):
    """As KeyFrameClips, with features of frames in place of pixels: `clip` of a sample is (F, T, h', w') float16.

    Indexed by k, which shows the plain view, or by (k, epoch) in training, where (seed, epoch, k) decides which of `views`
    is shown. Timestamps are frame numbers.
    """

    def __init__(
        self,
        key_frames: KeyFrames,
        pixels: PixelSource,
        store: FeatureStore,
        *,
        shape: ClipShape,
        presets: Views,
        views: int,
        min_visible: float = 0.0,
        swaps: tuple[tuple[int, int], ...] = (),
        strict: bool = False,
        seed: int = 0,
    ) -> None:
        self.key_frames, self.pixels, self.store = key_frames, pixels, store
        self.presets, self.views, self.strict, self.seed = presets, views, strict, seed
        self.min_visible, self.swaps = min_visible, swaps
        self.offsets = clip_offsets(shape.num_frames, shape.sampling_rate, shape.order)

    def __len__(self) -> int:
        return len(self.key_frames)

    def __getitem__(self, item: int | tuple[int, int]) -> ClipSample | UnreadableClip:
        index, view = (item, PLAIN) if not isinstance(item, tuple) else (item[0], self._view(*item))
        video, timestamp = self.key_frames.video_name(index), int(self.key_frames.timestamp[index])
        entry = self.store.load(video, view)
        if entry is None:
            reason = f"no features of view {view} of {video}: the video cannot be read, as was said when they were made"
            if self.strict:
                raise ClipReadError(video, timestamp, reason, "frame")
            return UnreadableClip(video, timestamp, reason)
        features, repeated = entry.of(timestamp + self.offsets)
        boxes, actions = self.key_frames.people(index)
        people, does = people_in_view(
            boxes, actions, entry.region, min_visible=0.0 if view == PLAIN else self.min_visible, swaps=self.swaps
        )
        clip = torch.from_numpy(np.ascontiguousarray(features)).transpose(0, 1).contiguous()
        return ClipSample(clip, people, does, ClipMeta(video, timestamp, entry.region, repeated_frames=repeated))

    def _view(self, index: int, epoch: int) -> int:
        return int(torch.randint(self.views, (), generator=generator_for(self.seed, epoch, index)))

    def make(self, features_of: MakeFeatures, *, share: slice = slice(None)) -> Iterator[str | ClipReadError]:
        """Make the features that the store lacks, for every view of the videos of `share` that have a key frame.

        Gives "made" or "reused" for each view, or why a video cannot be read.
        """
        for number in np.unique(self.key_frames.video)[share]:
            video = self.key_frames.videos[number]
            rows = np.flatnonzero(self.key_frames.video == number)
            stamps = self.key_frames.timestamp[rows].astype(np.int64)
            wanted = np.unique(stamps[:, None] + self.offsets)
            boxes = np.concatenate([self.key_frames.people(int(row))[0] for row in rows])
            for view in range(self.views):
                yield self._make_view(features_of, video, view, wanted, int(stamps[0]), boxes)

    def _make_view(
        self, features_of: MakeFeatures, video: str, view: int, wanted: np.ndarray, key: int, boxes: np.ndarray
    ) -> str | ClipReadError:
        entry = self.store.load(video, view)
        if entry is not None and np.isin(wanted, entry.numbers).all():
            return "reused"
        if entry is not None:
            wanted = np.union1d(wanted, entry.numbers)
        try:
            read = self.pixels.read_frames(video, wanted, center=int(np.searchsorted(wanted, key)))
        except ClipReadError as error:
            if self.strict:
                raise
            return error
        early = int((wanted < 1).sum())
        late = read.clamped - early
        first, last = 1, int(wanted[len(wanted) - late - 1])
        row = np.arange(len(wanted))
        row[:early] = early if early and wanted[early] == 1 else 0  # all of them show the first frame
        row[len(wanted) - late :] = len(wanted) - 1  # and these the last one
        kept, row = np.unique(row, return_inverse=True)
        shown = self.presets.show(view, video, read.frames[kept], boxes, pixel_aspect=read.pixel_aspect)
        features = features_of(shown).to(torch.float16).cpu().numpy()
        self.store.write(video, view, VideoFeatures(wanted, row, features, shown.region, first, last))
        return "made"


def count(outcomes: Sequence[str | ClipReadError]) -> FeatureReport:
    """What `FeatureClips.make` gave, in numbers."""
    failed = sorted((o for o in outcomes if isinstance(o, ClipReadError)), key=str)
    return FeatureReport(outcomes.count("made"), outcomes.count("reused"), tuple(failed))
