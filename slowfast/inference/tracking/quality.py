"""How good tracks are: frame-mAP, video-mAP, identity switches and IDF1 of what a detector found in annotated videos."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np

from slowfast.evaluation.frames.frame_map import frame_map
from slowfast.evaluation.tracks.identity import IdentityScores, identity_scores
from slowfast.evaluation.tubes.linking import LinkRules, link_tubes
from slowfast.evaluation.tubes.overlap import tube_nms
from slowfast.evaluation.tubes.video_map import video_map
from slowfast.inference.tracking.tracks import Tracker, TrackRules
from slowfast.inference.tracking.truth import TruePerson, TrueTracks
from slowfast.structures.annotations.box_table import NO_LABEL, BoxTable
from slowfast.structures.annotations.label_map import LabelMap
from slowfast.structures.annotations.tube import Tube
from slowfast.structures.outputs.moment import Box, Moment

# People who are not tracked are linked by the evaluator, from key frame to key frame, as far as a track remembers.
LINKING = LinkRules(max_gap=TrackRules().memory, min_length=1)
TUBE_IOUS = ("0.2", "0.5")

# video -> its key frames, each with who is annotated there
Scored = Mapping[str, Sequence[tuple[Moment, tuple[TruePerson, ...]]]]


@dataclass(frozen=True)
class TrackQuality:
    """frame_map, video_map: mAP at IoU 0.5, and at each of TUBE_IOUS; identity: None where people were not tracked"""

    frame_map: float
    video_map: tuple[float, ...]
    identity: IdentityScores | None

    def __str__(self) -> str:
        cells = f"{self.frame_map:>10.4f}" + "".join(f"{value:>14.4f}" for value in self.video_map)
        found = self.identity
        return cells + (f"{'-':>10}{'-':>8}" if found is None else f"{found.switches:>10}{found.idf1:>8.3f}")


HEADINGS = (
    f"{'frame-mAP':>10}" + "".join(f"{'video-mAP@' + iou:>14}" for iou in TUBE_IOUS) + f"{'switches':>10}{'IDF1':>8}"
)


def track_videos(found: Mapping[str, Sequence[Moment]], rules: TrackRules) -> dict[str, list[Moment]]:
    """What `--track` makes of the key frames of videos, each with a tracker of its own."""
    tracked = {}
    for video, moments in found.items():
        tracker = Tracker(rules)
        tracked[video] = [tracker(moment) for moment in moments]
    return tracked


def track_quality(
    found: Mapping[str, Sequence[Moment]],
    truth: Mapping[str, TrueTracks],
    label_map: LabelMap,
    *,
    score: float,
    iou_threshold: float = 0.5,
) -> TrackQuality:
    """Key frames of videos against their annotated tracks; all of `truth` that is found is scored.

    score:         people below it do not count for switches and IDF1; the mAPs take all, as they rank by score
    iou_threshold: of a person and an annotated one, for frame-mAP, switches and IDF1

    Raises ValueError where no key frame is at an annotated time.
    """
    scored: dict[str, list[tuple[Moment, tuple[TruePerson, ...]]]] = {}
    for video, moments in found.items():
        pairs = ((moment, truth[video].at(moment.time)) for moment in moments)
        scored[video] = [(moment, people) for moment, people in pairs if people is not None]
    if not any(scored.values()):
        raise ValueError("no key frame is at a time that the tracks tell; choose another --every")
    tracked = any(p.track is not None for moments in found.values() for moment in moments for p in moment.people)
    detections = _table(scored, of_truth=False)
    frames = frame_map(
        _table(scored, of_truth=True), detections, label_map, protocol="uncapped", iou_threshold=iou_threshold
    )
    tubes = _unrepeated(_tubes(scored, _found_in)) if tracked else link_tubes(detections, LINKING)
    videos = video_map(_tubes(scored, _true_in), tubes, label_map, videos=scored)
    return TrackQuality(
        frames.mAP,
        tuple(float(np.nanmean(videos.ap[iou])) for iou in TUBE_IOUS),
        _identity(scored, score, iou_threshold) if tracked else None,
    )


def _identity(scored: Scored, score: float, iou_threshold: float) -> IdentityScores:
    total = IdentityScores()
    for shown in scored.values():
        persons = [{person.person: person.box for person in people} for _, people in shown]
        tracks = [
            {p.track: p.box for p in moment.people if p.track is not None and p.score >= score} for moment, _ in shown
        ]
        total += identity_scores(persons, tracks, iou_threshold=iou_threshold)
    return total


def _table(scored: Scored, *, of_truth: bool) -> BoxTable:
    """Frames are numbered from 1 among the scored key frames of a video."""
    rows: list[tuple[int, int, Box, int, float]] = []
    nowhere = (float("nan"),) * 4
    for number, shown in enumerate(scored.values()):
        for frame, (moment, people) in enumerate(shown, start=1):
            if of_truth:
                rows += [(number, frame, p.box, action, 1.0) for p in people for action in p.actions]
                rows += [] if people else [(number, frame, nowhere, NO_LABEL, 1.0)]
            else:
                rows += [(number, frame, p.box, a.id, a.score) for p in moment.people for a in p.actions]
    video, frames, boxes, labels, scores = zip(*rows, strict=True) if rows else ((),) * 5
    return BoxTable(
        tuple(scored),
        np.array(video, dtype=np.int32),
        np.array(frames, dtype=np.int32),
        np.array(boxes, dtype=np.float64).reshape(-1, 4),
        np.array(labels, dtype=np.int32),
        None if of_truth else np.array(scores, dtype=np.float64),
    )


# (person or track, action id, box, score) of one key frame
_Row = tuple[int, int, Box, float]


def _true_in(moment: Moment, people: tuple[TruePerson, ...]) -> Iterator[_Row]:
    return ((p.person, action, p.box, 1.0) for p in people for action in p.actions)


def _found_in(moment: Moment, people: tuple[TruePerson, ...]) -> Iterator[_Row]:
    return ((p.track, a.id, p.box, a.score) for p in moment.people if p.track is not None for a in p.actions)


def _unrepeated(tubes: Iterable[Tube]) -> list[Tube]:
    """Without those that repeat a better one of their video and class, as the evaluator's linking leaves its tubes."""
    groups: dict[tuple[str, int], list[Tube]] = {}
    for tube in tubes:
        groups.setdefault((tube.video, tube.label), []).append(tube)
    return list(chain.from_iterable(tube_nms(group, LINKING.tube_nms_iou) for group in groups.values()))


def _tubes(scored: Scored, rows_of: Callable[[Moment, tuple[TruePerson, ...]], Iterator[_Row]]) -> Iterator[Tube]:
    """One tube for each action of each person or track; its score is the mean over its key frames, gaps are filled."""
    for video, shown in scored.items():
        parts: dict[tuple[int, int], list[tuple[int, Box, float]]] = {}
        for frame, (moment, people) in enumerate(shown, start=1):
            for who, action, box, score in rows_of(moment, people):
                parts.setdefault((who, action), []).append((frame, box, score))
        for (_, action), part in parts.items():
            at, boxes, scores = (np.array(column) for column in zip(*part, strict=True))
            frames = np.arange(at[0], at[-1] + 1)
            filled = np.stack([np.interp(frames, at, side) for side in boxes.T], axis=1)
            yield Tube(
                video, action, frames.astype(np.int32), filled, float(scores.mean()), np.interp(frames, at, scores)
            )
