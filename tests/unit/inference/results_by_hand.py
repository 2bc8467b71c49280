"""Small results with everything in them, for tests of what is written."""

from pathlib import Path

from slowfast.inference.streams.clip_stream import SkippedMoment
from slowfast.inference.written.results import ClassificationResult, DetectionResult
from slowfast.structures.outputs.moment import ActionClass, ActionScore, ClipClasses, Moment, Person

NASTY = '</script><b onclick="x">&amp; "quoted" \u2028 wave'
CLASSES = (ActionClass(0, 1, "walk"), ActionClass(1, 7, NASTY))


def person(x: float, *scores: float, track: int | None = None) -> Person:
    box = (x, 0.25, x + 0.25, 0.75)
    pixels = (64 * box[0], 48 * box[1], 64 * box[2], 48 * box[3])
    actions = tuple(ActionScore(c.name, c.id, s) for c, s in zip(CLASSES, scores, strict=False))
    return Person(box, pixels, 0.9, actions, track)


def detections(source: str | Path = "clips/a <b>.mp4", *, track: bool = False) -> DetectionResult:
    one, two = (1, 2) if track else (None, None)
    moments = (
        Moment(0.0, (48, 64), (person(0.125, 0.5, 0.25, track=one),)),
        Moment(0.5, (48, 64), (person(0.25, 0.75, track=one), person(0.625, 0.5, track=two))),
        Moment(1.0, (48, 64), ()),
    )
    return DetectionResult(str(source), moments, CLASSES, 0.5, 2.0, (SkippedMoment(1.5, "it is damaged"),), track)


def classification(source: str | Path = "b.mp4") -> ClassificationResult:
    first = ClipClasses(0.0, 1.0, (ActionScore("walk", 1, 0.75), ActionScore(NASTY, 7, 0.25)), 3)
    second = ClipClasses(1.0, 1.5, (ActionScore("walk", 1, 0.5),), 3)
    return ClassificationResult(str(source), (first, second), CLASSES, 1.0, 1.5)
