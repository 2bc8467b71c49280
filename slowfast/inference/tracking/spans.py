"""What happens between key frames: boxes on the way from one to the next, and when actions start and end."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace

from slowfast.inference.tracking.tracks import match
from slowfast.structures.outputs.moment import ActionSpan, Box, Moment, Person

LINK_IOU = 0.2  # of boxes on successive key frames that are drawn as one person where people are not tracked
BRIDGED = 1  # key frames in a row without an action that do not end it


@dataclass(frozen=True)
class DrawnPerson:
    """person: of the key frame that is nearest in time; box: where it is drawn; interpolated: not found here, but on the
    way from one key frame to the next"""

    person: Person
    box: Box
    interpolated: bool


class BetweenKeyFrames:
    """People at any time of a video from those of its key frames.

    Between two key frames a person of both (see `link_people`) moves in a straight line; one of a single key frame stays
    where it is for half of `every`. On a key frame (to `tolerance` seconds) all is as found.
    """

    def __init__(self, moments: Sequence[Moment], *, every: float, tolerance: float = 1e-6) -> None:
        self.moments, self.every, self.tolerance = moments, every, tolerance
        self._times = [moment.time for moment in moments]
        self._links = link_people(moments, every=every)

    def at(self, time: float) -> list[DrawnPerson]:
        after = bisect_right(self._times, time + self.tolerance)
        if after and abs(time - self._times[after - 1]) <= self.tolerance:
            return [DrawnPerson(person, person.box, False) for person in self.moments[after - 1].people]
        before, following = self._people(after - 1), self._people(after)
        drawn = []
        for number in before.keys() & following.keys():
            old, new = before.pop(number), following.pop(number)
            share = (time - self._times[after - 1]) / (self._times[after] - self._times[after - 1])
            x1, y1, x2, y2 = (a + share * (b - a) for a, b in zip(old.box, new.box, strict=True))
            drawn.append(DrawnPerson(old if share < 0.5 else new, (x1, y1, x2, y2), True))
        for index, alone in ((after - 1, before), (after, following)):
            if alone and abs(time - self._times[index]) <= self.every / 2:
                drawn += [DrawnPerson(person, person.box, True) for person in alone.values()]
        return drawn

    def _people(self, index: int) -> dict[int, Person]:
        """Those of a key frame by their link; nobody where there is no such key frame."""
        if not 0 <= index < len(self.moments):
            return {}
        return dict(zip(self._links[index], self.moments[index].people, strict=True))


def link_people(moments: Sequence[Moment], *, every: float) -> list[list[int]]:
    """A number for each person of each moment; the same on successive key frames for who is drawn as one person.

    It is the track where people are tracked. Else boxes that overlap by LINK_IOU are linked, unless a key frame between
    them was skipped.
    """
    if any(person.track is not None for moment in moments for person in moment.people):
        return [[person.track or 0 for person in moment.people] for moment in moments]
    links: list[list[int]] = []
    begun = 0
    for i, moment in enumerate(moments):
        mine = [0] * len(moment.people)
        if i and moment.time - moments[i - 1].time <= 1.5 * every:
            old = [person.box for person in moments[i - 1].people]
            for k, j in match([person.box for person in moment.people], old, LINK_IOU):
                mine[k] = links[-1][j]
        for k, number in enumerate(mine):
            if not number:
                begun += 1
                mine[k] = begun
        links.append(mine)
    return links


def action_spans(moments: Sequence[Moment]) -> tuple[ActionSpan, ...]:
    """When each tracked person starts and ends each action, by start; empty where people are not tracked. See ActionSpans."""
    spans = ActionSpans()
    done = [span for moment in moments for span in spans.see(moment)]
    return tuple(sorted([*done, *spans.rest()], key=_order))


class ActionSpans:
    """Give it the moments of one video in order; it tells the spans that are over. Memory does not grow with the video.

    A span goes from the first to the last key frame that tells the action; a gap of one key frame does not end it.
    """

    def __init__(self) -> None:
        self._open: dict[tuple[int, int], tuple[ActionSpan, int]] = {}
        self._number = -1

    def see(self, moment: Moment) -> list[ActionSpan]:
        """The spans that this moment shows to be over, by start."""
        self._number += 1
        over = [key for key, (_, last) in self._open.items() if self._number - last - 1 > BRIDGED]
        done = [self._open.pop(key)[0] for key in over]
        for person in moment.people:
            for action in person.actions if person.track is not None else ():
                assert person.track is not None
                key = (person.track, action.id)
                span, _ = self._open.get(key, (ActionSpan(person.track, action, moment.time, moment.time), 0))
                best = max(span.action, action, key=lambda told: told.score)
                self._open[key] = (replace(span, action=best, end=moment.time), self._number)
        return sorted(done, key=_order)

    def rest(self) -> list[ActionSpan]:
        """Those that go on to the last moment seen, by start."""
        return sorted((span for span, _ in self._open.values()), key=_order)


def _order(span: ActionSpan) -> tuple[float, int, int]:
    return (span.start, span.track, span.action.id)
