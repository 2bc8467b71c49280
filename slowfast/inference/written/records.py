"""The lines of a `.jsonl` of predictions, as dicts. What they mean is in docs/PREDICT.md and predictions.schema.json there.

A change that a reader could trip over raises the number in SCHEMA.
"""

from collections.abc import Sequence
from typing import Any

from slowfast.inference.streams.clip_stream import SkippedMoment
from slowfast.structures.outputs.moment import ActionClass, ActionScore, ActionSpan, ClipClasses, Moment, Person
from slowfast.video.live.source import LiveCounts

SCHEMA = "bmvit-predictions/1"
Record = dict[str, Any]


def header(
    video: str, *, kind: str, every: float, tracked: bool, classes: Sequence[ActionClass], started: str | None = None
) -> Record:
    """The first line. kind: "detections" or "classification"; started: of a live source, when, as ISO 8601 in UTC."""
    named = [{"id": action.id, "name": action.name} for action in classes]
    live = {} if started is None else {"started": started}
    return {
        "type": "video",
        "schema": SCHEMA,
        "video": video,
        "kind": kind,
        "every": every,
        "tracked": tracked,
        "classes": named,
        **live,
    }


def of_moment(moment: Moment, *, latency: float | None = None) -> Record:
    """latency: of a live source, seconds from when the key frame came to when this was told."""
    height, width = moment.frame_size
    people = [_person(person) for person in moment.people]
    record = {"type": "moment", "time": _second(moment.time), "width": width, "height": height, "people": people}
    return record if latency is None else {**record, "latency": round(latency, 3)}


def _person(person: Person) -> Record:
    return {
        "box": [round(value, 6) for value in person.box],
        "box_pixels": [round(value, 2) for value in person.box_pixels],
        "score": round(person.score, 6),
        "track": person.track,
        "actions": _actions(person.actions),
    }


def _actions(actions: Sequence[ActionScore]) -> list[Record]:
    return [{"id": action.id, "name": action.name, "score": round(action.score, 6)} for action in actions]


def _second(second: float) -> float:
    return round(second, 6)


def of_skipped(skipped: SkippedMoment) -> Record:
    return {"type": "skipped", "time": _second(skipped.time), "reason": skipped.reason}


def of_span(span: ActionSpan) -> Record:
    return {
        "type": "action",
        "track": span.track,
        **_actions([span.action])[0],
        "start": _second(span.start),
        "end": _second(span.end),
    }


def of_clip(clip: ClipClasses) -> Record:
    return {
        "type": "clip",
        "start": _second(clip.start),
        "end": _second(clip.end),
        "views": clip.views,
        "classes": _actions(clip.classes),
    }


def end(seconds: float, *, told: int, skipped: int, live: LiveCounts | None = None) -> Record:
    """The last line, which only a video that was read to its end has. told: moments, or clips; live: of a live source."""
    record = {"type": "end", "seconds": _second(seconds), "told": told, "skipped": skipped}
    return record if live is None else {**record, "frames": vars(live)}
