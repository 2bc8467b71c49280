"""ActionClassifier: what the stretches of a video show, each seen in the views of a test, from a checkpoint alone."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from slowfast.datasets.build import build_view_crops, clip_counts
from slowfast.datasets.clips.video_sampling import read_clips
from slowfast.datasets.clips.video_views import arrange
from slowfast.evaluation.build import ENSEMBLES
from slowfast.evaluation.videos.evaluator import ensemble_of
from slowfast.inference.build import CLASSIFIES, Loaded, build_video_sampling
from slowfast.inference.choose import Choice
from slowfast.inference.predictor import BATCH, Predictor
from slowfast.inference.streams.clip_stream import check_every
from slowfast.inference.written.results import ClassificationResult
from slowfast.structures.clip import ClipBatch, ViewMeta
from slowfast.structures.outputs.moment import ActionScore, ClipClasses
from slowfast.structures.targets import Labels
from slowfast.video.decoding.whole_video import WholeVideo
from slowfast.video.source import VideoLength


@dataclass(frozen=True)
class Stretch:
    """Positions `first` to `stop` (not included) of a video, shown from second `start` to `end`."""

    first: int
    stop: int
    start: float
    end: float


class ActionClassifier(Predictor):
    """A trained classifier, ready to predict. loaded, batch: as Predictor's"""

    task = CLASSIFIES
    instead = "finds people on key frames and does not classify clips; use ActionDetector"

    def __init__(self, loaded: Loaded, *, batch: int = BATCH) -> None:
        super().__init__(loaded, batch=batch)
        cfg = loaded.cfg
        self.sampling = build_video_sampling(cfg)
        self.crops = build_view_crops(cfg, self.sampling, cfg.TEST.NUM_SPATIAL_CROPS)
        self.num_clips = clip_counts(cfg)[-1]
        self.sampling.check_clips(self.num_clips)

    def stream(
        self,
        source: str | Path,
        *,
        every: float | None = None,
        top: int | None = None,
        score: float = 0.0,
        classes: Iterable[str] | None = None,
        on_read: Callable[[Stretch], None] | None = None,
    ) -> Iterator[ClipClasses]:
        """What each stretch of `every` seconds shows, as it is found; without `every` the whole video, as in a test.

        The views of a stretch are those that a test takes of a whole video, their scores taken together in its way. What
        is left at the end and shorter than half of `every` belongs to the stretch before it.
        top:     classes told of each, at most; score, classes: as ActionDetector.stream

        Raises ValueError for an argument that cannot be, at once; ClipReadError where the video cannot be read.
        """
        choice = Choice.of(self.classes, classes, score)
        if every is not None:
            check_every(every)
        if top is not None and top < 1:
            raise ValueError(f"--top is the classes told of a clip, at least 1, got {top}")
        return self._stream(WholeVideo(source), every, choice, top, on_read)

    def _stream(
        self,
        video: WholeVideo,
        every: float | None,
        choice: Choice,
        top: int | None,
        on_read: Callable[[Stretch], None] | None,
    ) -> Iterator[ClipClasses]:
        length = video.length
        for stretch in stretches(length, every):
            yield choice.of_clip(self._classify(video, length, stretch), top)
            if on_read is not None:
                on_read(stretch)

    def __call__(
        self,
        source: str | Path,
        *,
        every: float | None = None,
        top: int | None = 5,
        score: float = 0.0,
        classes: Iterable[str] | None = None,
    ) -> ClassificationResult:
        """All stretches of a video at once; arguments as `stream`."""
        clips = tuple(self.stream(source, every=every, top=top, score=score, classes=classes))
        chosen = Choice.of(self.classes, classes, score).classes
        return ClassificationResult(str(source), clips, chosen, every, clips[-1].end)

    @torch.no_grad()
    def _classify(self, video: WholeVideo, length: VideoLength, stretch: Stretch) -> ClipClasses:
        part = replace(length, times=length.times[stretch.first : stretch.stop] - length.times[stretch.first])
        positions, _ = self.sampling.test(part, self.num_clips)
        frames, place = read_clips(_Pixels(video), "", positions + stretch.first, short_side=self.crops.read_short_side)
        views = arrange(self.crops(frames), place)
        logits = np.concatenate([self._logits(piece) for piece in views.split(self.batch)]).astype(np.float64)
        cfg = self.loaded.cfg
        scores = ensemble_of(logits, ENSEMBLES[cfg.DATA.ENSEMBLE_METHOD], multi_label=cfg.DATA.MULTI_LABEL)
        order = np.argsort(-scores, kind="stable").tolist()
        told = tuple(ActionScore(self.classes[k].name, self.classes[k].id, float(scores[k])) for k in order)
        return ClipClasses(stretch.start, stretch.end, told, len(views))

    def _logits(self, views: torch.Tensor) -> np.ndarray:
        nothing = Labels(torch.zeros(len(views), dtype=torch.int64))
        batch = ClipBatch(views, nothing, tuple(ViewMeta("", i) for i in range(len(views))))
        logits: np.ndarray = self._predict(self.loaded.inputs.prepare(batch)).float().cpu().numpy()
        return logits


class _Pixels:
    """One video as a VideoSource that has no other."""

    def __init__(self, video: WholeVideo) -> None:
        self._video = video

    def length(self, video: str) -> VideoLength:
        return self._video.length

    def read_positions(self, video: str, positions: np.ndarray, *, short_side: int | None = None) -> np.ndarray:
        return self._video.read(positions, short_side=short_side)


def stretches(length: VideoLength, every: float | None) -> list[Stretch]:
    """A video in parts of `every` seconds, none without a frame; the whole of it for None."""
    end = float(length.times[-1] + 1 / length.fps)
    count = 1 if every is None else max(1, int(end / every + 0.5))
    starts = np.arange(count) * (0.0 if every is None else every)
    cuts = [*np.searchsorted(length.times, starts - 1e-6).tolist(), len(length)]
    ends = [*starts[1:].tolist(), end]
    parts = [Stretch(a, b, float(s), e) for a, b, s, e in zip(cuts[:-1], cuts[1:], starts, ends, strict=True)]
    return [part for part in parts if part.stop > part.first]
