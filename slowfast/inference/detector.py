"""ActionDetector: who is where and does what, of any video of any length, from a checkpoint alone."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from slowfast.datasets.clips.collate import collate
from slowfast.inference.build import DETECTS, Loaded, build_prepare, clip_offset_seconds
from slowfast.inference.choose import Choice
from slowfast.inference.explain.explainer import explain_moment
from slowfast.inference.predictor import BATCH, Predictor
from slowfast.inference.streams.clip_stream import ClipStream, SkippedMoment, StreamedClip
from slowfast.inference.streams.frame_reuse import FrameReuse, reuses_frames
from slowfast.inference.streams.live_clips import LiveClips
from slowfast.inference.tracking.tracks import Tracker, TrackRules
from slowfast.inference.written.results import DetectionResult
from slowfast.models.build import build_postprocess
from slowfast.structures.clip import ClipMeta, ClipSample
from slowfast.structures.outputs.explanation import Explanation
from slowfast.structures.outputs.moment import ActionScore, Moment, Person
from slowfast.structures.outputs.predictions import Detections, Predictions
from slowfast.video.live.address import live_address
from slowfast.video.live.source import LiveSource
from slowfast.video.stream import FileSource, Source


class ActionDetector(Predictor):
    """A trained detector, ready to predict. loaded, batch: as Predictor's

    for moment in ActionDetector.from_checkpoint("best.pyth").stream("video.mp4", every=0.5): ...
    """

    task = DETECTS
    instead = "classifies whole clips and finds no people; use ActionClassifier"

    def __init__(self, loaded: Loaded, *, batch: int = BATCH) -> None:
        super().__init__(loaded, batch=batch)
        self._reuse = FrameReuse(loaded.model, loaded.inputs) if reuses_frames(loaded.model) else None
        self._prepare = build_prepare(loaded.cfg)

    def clips(self, source: str | Path | Source, *, every: float = 1.0) -> ClipStream:
        """The clips around key frames, in one pass over the source; they count what was read."""
        cfg = self.loaded.cfg
        if isinstance(source, str) and live_address(source) is not None:
            source = LiveSource(source)
        shown = FileSource(source) if isinstance(source, str | Path) else source
        wanted: dict[str, Any] = {
            "every": every,
            "offsets": partial(clip_offset_seconds, cfg),
            "center": cfg.DATA.NUM_FRAMES // 2,
            "prepare": self._prepare,
        }
        return LiveClips(shown, **wanted) if isinstance(shown, LiveSource) else ClipStream(shown, **wanted)

    def stream(
        self,
        source: str | Path | Source,
        *,
        every: float = 1.0,
        score: float = 0.0,
        classes: Iterable[str] | None = None,
        track: bool | TrackRules = False,
        on_skip: Callable[[SkippedMoment], None] | None = None,
    ) -> Iterator[Moment]:
        """The people on key frames at 0, `every`, 2 * `every`, ... seconds, as they are found; memory stays as it is.

        score:   people and actions below it are left out
        classes: names of the actions to tell; None for all
        track:   number the people and smooth their scores; True for the rules that TrackRules has by default
        on_skip: told of each key frame that has no clip, and why

        Raises ValueError for an argument that cannot be, at once; ClipReadError where the source cannot be read.
        """
        choice = Choice.of(self.classes, classes, score)
        clips = self.clips(source, every=every)
        return self.moments(clips, choice, track=track, on_skip=on_skip)

    def moments(
        self,
        clips: Iterable[StreamedClip | SkippedMoment],
        choice: Choice,
        *,
        track: bool | TrackRules = False,
        on_skip: Callable[[SkippedMoment], None] | None = None,
        on_clip: Callable[[StreamedClip, int, Moment], None] | None = None,
    ) -> Iterator[Moment]:
        """As `stream`, of clips that somebody made.

        on_clip: told of each clip, its position in the batch that the network was just shown, and all people found there,
                 tracked but not chosen yet
        """
        rules = TrackRules() if track is True else track or None
        tracker = None if rules is None else Tracker(rules)
        threshold = self.loaded.cfg.TEST.ACTOR_THRESHOLD
        # Whom nobody is told of need not be described; `choice` drops them in any case.
        lowest = max(choice.score, threshold) if rules is None else min(rules.low, threshold)
        # Live, a clip does not wait for others to fill a batch.
        most = 1 if isinstance(clips, LiveClips) else self.batch
        for batch in _batches(clips, most, on_skip):
            for row, found in enumerate(self._moments_of(batch, lowest)):
                moment = found if tracker is None else tracker(found)
                if on_clip is not None:
                    on_clip(batch[row], row, moment)
                yield choice.of_moment(moment)

    def explain(
        self, source: str | Path | Source, time: float, *, score: float = 0.3, classes: Iterable[str] | None = None
    ) -> Explanation:
        """Why the people on the key frame at second `time` are told: the token of each, and what it looked at.

        The video is read from its start to there. Raises ValueError for a second that the video does not have, and for a
        model whose attention is not known; ClipReadError where the source cannot be read.
        """
        return explain_moment(self, source, time, score=score, classes=classes)

    def __call__(
        self,
        source: str | Path | Source,
        *,
        every: float = 1.0,
        score: float = 0.3,
        classes: Iterable[str] | None = None,
        track: bool | TrackRules = False,
    ) -> DetectionResult:
        """All moments of a source at once, with what can be written of them; arguments as `stream`."""
        skipped: list[SkippedMoment] = []
        clips = self.clips(source, every=every)
        choice = Choice.of(self.classes, classes, score)
        moments = list(self.moments(clips, choice, track=track, on_skip=skipped.append))
        return self.result(clips, moments, choice, skipped, tracked=track is not False)

    def result(
        self,
        clips: ClipStream,
        moments: Iterable[Moment],
        choice: Choice,
        skipped: Iterable[SkippedMoment],
        *,
        tracked: bool,
    ) -> DetectionResult:
        """What was found in clips that were read to their end."""
        return DetectionResult(
            clips.source.name,
            tuple(moments),
            choice.classes,
            clips.every,
            clips.seconds_read,
            tuple(skipped),
            tracked,
            clips.source.frame_seconds,
        )

    @torch.no_grad()
    def _moments_of(self, clips: list[StreamedClip], lowest: float) -> list[Moment]:
        metas = [ClipMeta("", i, clip.region, clip.repeated) for i, clip in enumerate(clips)]
        predictions = self._of_clips(clips, metas) if self._reuse is None else self._reuse(clips)
        postprocess = build_postprocess(self.loaded.cfg)
        postprocess.actor_threshold = lowest
        # Clips of one video have one size: nothing was padded, and the regions are still those of the clips.
        found = postprocess(predictions, metas)
        return [
            self._moment(clip, found.boxes[rows], found.actor[rows], found.scores[rows], _tokens(found, rows))
            for i, clip in enumerate(clips)
            for rows in [found.clip_index == i]
        ]

    def _of_clips(self, clips: list[StreamedClip], metas: list[ClipMeta]) -> Predictions:
        no_boxes, no_actions = torch.zeros(0, 4), torch.zeros(0, len(self.classes))
        samples = [ClipSample(clip.clip, no_boxes, no_actions, meta) for clip, meta in zip(clips, metas, strict=True)]
        size = (self.loaded.cfg.DATA.NUM_FRAMES, *clips[0].clip.shape[-2:])
        batch = self.loaded.inputs.prepare(collate(samples, blank_size=size, num_classes=len(self.classes)))
        return self._predict(batch)

    def _moment(
        self, clip: StreamedClip, boxes: Tensor, actor: Tensor, scores: Tensor, tokens: list[int | None]
    ) -> Moment:
        height, width = clip.frame_size
        people = []
        values, order = scores.sort(dim=1, descending=True, stable=True)
        for box, score, row, classes, token in zip(
            boxes.tolist(), actor.tolist(), values.tolist(), order.tolist(), tokens, strict=True
        ):
            x1, y1, x2, y2 = box
            actions = tuple(
                ActionScore(self.classes[k].name, self.classes[k].id, value)
                for k, value in zip(classes, row, strict=True)
            )
            pixels = (x1 * width, y1 * height, x2 * width, y2 * height)
            people.append(Person((x1, y1, x2, y2), pixels, score, actions, token=token))
        return Moment(clip.time, clip.frame_size, tuple(people))


def _tokens(found: Detections, rows: Tensor) -> list[int | None]:
    if found.token is None:
        return [None] * int(rows.sum())
    return [int(token) for token in found.token[rows]]


def _batches(
    clips: Iterable[StreamedClip | SkippedMoment], most: int, on_skip: Callable[[SkippedMoment], None] | None
) -> Iterator[list[StreamedClip]]:
    """Clips in batches of `most`; moments without one are told to `on_skip`."""

    def readable() -> Iterator[StreamedClip]:
        for clip in clips:
            if isinstance(clip, StreamedClip):
                yield clip
            elif on_skip is not None:
                on_skip(clip)

    upcoming = readable()
    while batch := list(islice(upcoming, most)):
        yield batch
