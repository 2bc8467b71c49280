"""The training clips of a classifier: labels and pixels in, one or several augmented clips of a video out."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from slowfast.datasets.augment.batch import LabelBatchAugmentation
from slowfast.datasets.augment.classification_preset import LabelInput, LabelPreset
from slowfast.datasets.augment.colours import ClipColours
from slowfast.datasets.augment.draws import GeneratorDraws
from slowfast.datasets.augment.mixup import neighbour_partners
from slowfast.datasets.clips.video_sampling import ClipSampling, read_clips
from slowfast.structures.annotations.labelled_videos import LabelledVideos
from slowfast.structures.clip import ClipBatch, UnreadableClip, ViewMeta
from slowfast.structures.targets import Labels
from slowfast.utils.seed import generator_for
from slowfast.video.source import ClipReadError, VideoLength, VideoSource

_TIME = 1  # the last part of the seed of what is drawn in time, apart from what is drawn in the picture


@dataclass(frozen=True)
class LabelledSample:
    """The clips of one video.

    inputs: one for each repeat
    labels: (repeats,) int64, or (repeats, C) float32 of 0 and 1
    metas:  a ViewMeta each, whose view is the number of the repeat
    """

    inputs: tuple[LabelInput, ...]
    labels: Tensor
    metas: tuple[ViewMeta, ...]


class LabelledClips(Dataset):
    """Clips of V videos. Indexed by (index, epoch): (seed, epoch, index, repeat) decides all that is drawn.

    repeats:     augmented clips of a video, from one decoding (repeated augmentation)
    sample_once: they show the same frames; else each has its own
    jitter_fps:  frames per second, at most, that are added to those that the sampling counts
    strict:      raise ClipReadError for a video that cannot be read; else an UnreadableClip takes its place, and whoever
                 consumes it counts and shows it. No other video ever stands in
    """

    def __init__(
        self,
        videos: LabelledVideos,
        pixels: VideoSource,
        *,
        sampling: ClipSampling,
        preset: LabelPreset,
        repeats: int = 1,
        sample_once: bool = True,
        jitter_fps: float = 0.0,
        strict: bool = False,
        seed: int = 0,
    ) -> None:
        if repeats < 1:
            raise ValueError(f"a video gives 1 clip or more, got {repeats} (AUG.NUM_SAMPLE)")
        self.videos, self.pixels, self.sampling, self.preset = videos, pixels, sampling, preset
        self.repeats, self.sample_once, self.jitter_fps = repeats, sample_once, jitter_fps
        self.strict, self.seed = strict, seed

    def __len__(self) -> int:
        return len(self.videos.names)

    def name_of(self, index: int) -> str:
        """The video, for messages."""
        return self.videos.names[index]

    def __getitem__(self, item: tuple[int, int]) -> LabelledSample | UnreadableClip:
        index, epoch = item
        name = self.videos.names[index]
        try:
            length = self.pixels.length(name)
            drawn = [self._positions(length, epoch, index, repeat) for repeat in range(self._samples)]
            positions = np.stack([one for one, _ in drawn])
            frames, place = read_clips(self.pixels, name, positions, short_side=self.preset.short_side)
        except ClipReadError as error:
            if self.strict:
                raise
            return UnreadableClip(name, 0, str(error))
        inputs, labels, metas = [], [], []
        for repeat in range(self.repeats):
            own = repeat % self._samples
            generator = generator_for(self.seed, epoch, index, repeat)
            inputs.append(self.preset(_shown(frames, place[own]), generator))
            labels.append(self.videos.label_of(index, positions[own]))
            # Frames that repeat the last one are counted once where clips share them.
            metas.append(ViewMeta(name, repeat, drawn[own][1] if repeat < self._samples else 0))
        values = torch.as_tensor(np.stack(labels))
        return LabelledSample(tuple(inputs), values.float() if self.videos.multi_label else values, tuple(metas))

    @property
    def _samples(self) -> int:
        """How often frames are chosen in a video."""
        return 1 if self.sample_once else self.repeats

    def _positions(self, length: VideoLength, epoch: int, index: int, repeat: int) -> tuple[np.ndarray, int]:
        """The frames of a clip, and how many of them repeat the last one."""
        draws = GeneratorDraws(generator_for(self.seed, epoch, index, repeat, _TIME))
        fps = self.sampling.target_fps + draws.uniform(0, self.jitter_fps)
        return self.sampling.train(length, draws, target_fps=fps)


def _shown(frames: np.ndarray, place: np.ndarray) -> np.ndarray:
    """frames[place], without a copy where that is all of them in order."""
    return frames if np.array_equal(place, np.arange(len(frames))) else frames[place]


def collate_labelled(
    samples: Sequence[LabelledSample | UnreadableClip],
    *,
    blank_size: tuple[int, int, int],
    num_classes: int | None,
    pairs: bool = False,
) -> ClipBatch:
    """The clips of some videos, video after video -> ClipBatch. Videos that could not be read travel in `unreadable`.

    blank_size, num_classes: of the black clip that stands in where none could be read (see `collate`); num_classes is
                             None for labels of one class
    pairs: the clips will be mixed with those of the neighbour, see `neighbour_partners`
    """
    unreadable = tuple(s for s in samples if isinstance(s, UnreadableClip))
    read = [s for s in samples if isinstance(s, LabelledSample)]
    if not read:
        values = torch.zeros(1, dtype=torch.int64) if num_classes is None else torch.zeros(1, num_classes)
        return ClipBatch(torch.zeros(1, 3, *blank_size, dtype=torch.uint8), Labels(values), (), unreadable)
    inputs = [clip for sample in read for clip in sample.inputs]
    flipped = torch.tensor([clip.flipped for clip in inputs])
    counts = [len(sample.inputs) if isinstance(sample, LabelledSample) else 0 for sample in samples]
    augmentation = LabelBatchAugmentation(
        rectangles=torch.stack([clip.rectangles for clip in inputs]),
        seeds=torch.tensor([clip.erase_seed for clip in inputs]),
        partner=neighbour_partners(counts) if pairs else torch.arange(len(inputs)),
    )
    return ClipBatch(
        torch.stack([clip.clip for clip in inputs]),
        Labels(torch.cat([sample.labels for sample in read])),
        tuple(meta for sample in read for meta in sample.metas),
        unreadable,
        flipped if flipped.any() else None,
        augmentation,
        ClipColours.of(
            [clip.colours for clip in inputs], [(clip.clip.shape[-2], clip.clip.shape[-1]) for clip in inputs]
        ),
    )
