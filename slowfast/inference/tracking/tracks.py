"""Who is who from key frame to key frame: association by IoU in two steps, as ByteTrack (arXiv 2110.06864).

First the people whose score is high are matched to all tracks, by the Hungarian method on the IoU with the box that a
track is expected at (its last box, moved on as it moved before); then those whose score is low to the tracks that are
left and were seen on the key frame before. What is high and left begins a new track; what is low and left is dropped.
One that overlaps a person of a track by `duplicate` is that person found twice, and dropped too.
A track that is not seen for `memory` key frames has ended. Scores of a track are smoothed over its key frames.

Differences from ByteTrack: no Kalman filter, as key frames are a second apart and not a frame; and scores are smoothed.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import linear_sum_assignment

from slowfast.evaluation.frames.matching import box_iou
from slowfast.structures.outputs.moment import Box, Moment, Person


@dataclass(frozen=True)
class TrackRules:
    """high, low:   people of at least `high` begin tracks; those from `low` to it only continue one
    iou, low_iou:   least overlap of a match in the first and in the second step
    duplicate:      IoU with a person of a track from which on nobody new is there
    memory:         key frames in a row that a track may miss
    smoothing:      share of the new scores in those of the track; 1 for no smoothing
    """

    high: float = 0.5
    low: float = 0.1
    iou: float = 0.3
    low_iou: float = 0.5
    duplicate: float = 0.7
    memory: int = 3
    smoothing: float = 0.8

    def __post_init__(self) -> None:
        if not 0 <= self.low <= self.high <= 1:
            raise ValueError(f"a tracker needs 0 <= low <= high <= 1, got low {self.low} and high {self.high}")
        if not 0 < self.smoothing <= 1 or self.memory < 0:
            raise ValueError(
                f"a tracker smooths by more than 0 and at most 1 and remembers 0 key frames or more, got {self.smoothing} "
                f"and {self.memory}"
            )


@dataclass
class _Track:
    number: int
    person: Person  # as last seen, scores smoothed
    time: float
    missed: int = 0
    velocity: tuple[float, float] = (0.0, 0.0)  # of the centre, a second

    def expected(self, time: float) -> Box:
        x, y = (v * (time - self.time) for v in self.velocity)
        x1, y1, x2, y2 = self.person.box
        return (x1 + x, y1 + y, x2 + x, y2 + y)

    def see(self, person: Person, time: float, smoothing: float) -> Person:
        """The person with the number and the smoothed scores of this track."""
        old, new = _centre(self.person.box), _centre(person.box)
        passed = time - self.time
        self.velocity = ((new[0] - old[0]) / passed, (new[1] - old[1]) / passed)
        self.person, self.time, self.missed = _smoothed(self.person, person, smoothing), time, 0
        return self.person


class Tracker:
    """Give it the moments of one video in order; it numbers the people of each, from 1."""

    def __init__(self, rules: TrackRules | None = None) -> None:
        self.rules = rules or TrackRules()
        self._tracks: list[_Track] = []
        self._begun = 0
        self._time = -np.inf

    def __call__(self, moment: Moment) -> Moment:
        """The moment with its people numbered, their scores smoothed, those of no track left out.

        Raises ValueError for a moment that is not later than the one before.
        """
        if moment.time <= self._time:
            raise ValueError(f"a tracker is given moments in order, got {moment.time} after {self._time}")
        self._time, rules = moment.time, self.rules
        high = [p for p in moment.people if p.score >= rules.high]
        low = [p for p in moment.people if rules.low <= p.score < rules.high]
        tracks, seen = self._tracks, list[Person]()
        fresh: list[Person] = []
        for people, least, candidates in ((high, rules.iou, tracks), (low, rules.low_iou, None)):
            if candidates is None:  # those just missed by the first step, of the key frame before
                candidates = [t for t in tracks if t.time != moment.time and t.missed == 0]
            expected = [track.expected(moment.time) for track in candidates]
            matched = match([p.box for p in people], expected, least)
            for i, k in matched:
                seen.append(candidates[k].see(people[i], moment.time, rules.smoothing))
            if people is high:
                taken = {i for i, _ in matched}
                fresh = [p for i, p in enumerate(people) if i not in taken]
        for track in tracks:
            track.missed += track.time != moment.time
        self._tracks = [track for track in tracks if track.missed <= rules.memory]
        for person in fresh:
            if not match([person.box], [other.box for other in seen], rules.duplicate):
                seen.append(self._begin(person, moment.time))
        return replace(moment, people=tuple(sorted(seen, key=lambda person: -person.score)))

    def _begin(self, person: Person, time: float) -> Person:
        self._begun += 1
        numbered = replace(person, track=self._begun)
        self._tracks.append(_Track(self._begun, numbered, time))
        return numbered


def match(boxes: Sequence[Box], others: Sequence[Box], least: float) -> list[tuple[int, int]]:
    """(i, k) pairs of boxes and others, each once: the highest sum of IoU, of pairs that reach `least`."""
    if not boxes or not others:
        return []
    a, b = np.asarray(boxes, dtype=np.float64), np.asarray(others, dtype=np.float64)
    overlap = box_iou(np.repeat(a, len(b), axis=0), np.tile(b, (len(a), 1))).reshape(len(a), len(b))
    # A pair that does not count must not decide who gets whom.
    allowed = np.where(overlap >= least, overlap, 0.0)
    rows, columns = linear_sum_assignment(allowed, maximize=True)
    return [(int(i), int(k)) for i, k in zip(rows, columns, strict=True) if overlap[i, k] >= least]


def _centre(box: Box) -> tuple[float, float]:
    return ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)


def _smoothed(old: Person, new: Person, share: float) -> Person:
    """The new person with scores between the track's and its own, actions likeliest first. An action not told is 0."""

    def mix(before: float, now: float) -> float:
        return share * now + (1 - share) * before

    before = {action.id: action.score for action in old.actions}
    after = [replace(action, score=mix(before.pop(action.id, 0.0), action.score)) for action in new.actions]
    after += [replace(action, score=mix(action.score, 0.0)) for action in old.actions if action.id in before]
    actions = tuple(sorted(after, key=lambda action: -action.score))
    return replace(new, score=mix(old.score, new.score), actions=actions, track=old.track)
