"""What prediction gives back: who is where and does what at a moment of a video, or what a stretch of it shows."""

from dataclasses import dataclass

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class ActionClass:
    """id: as the label map writes it, from 1 for detectors; index: of the model's output."""

    index: int
    id: int
    name: str


@dataclass(frozen=True)
class ActionScore:
    """An action and how likely it is: for a person the probability of the action times that of the person."""

    name: str
    id: int
    score: float


@dataclass(frozen=True)
class Person:
    """One person on a key frame.

    box:        xyxy in [0, 1] of the original frame
    box_pixels: the same in pixels of it
    score:      probability that the box holds a person
    actions:    likeliest first
    track:      number of the track, from 1; None where people are not tracked
    token:      number of the model's candidate that claimed the person, from 0; None where it is not known
    """

    box: Box
    box_pixels: Box
    score: float
    actions: tuple[ActionScore, ...]
    track: int | None = None
    token: int | None = None


@dataclass(frozen=True)
class Moment:
    """A key frame.

    time:       seconds since the start of the video
    frame_size: (height, width) of the original frame in pixels
    people:     likeliest first
    """

    time: float
    frame_size: tuple[int, int]
    people: tuple[Person, ...]


@dataclass(frozen=True)
class ActionSpan:
    """From the first to the last key frame on which a person of a track does an action; score: the highest between."""

    track: int
    action: ActionScore
    start: float
    end: float


@dataclass(frozen=True)
class ClipClasses:
    """What a stretch of a video shows, from second `start` to `end`; classes: likeliest first."""

    start: float
    end: float
    classes: tuple[ActionScore, ...]
    views: int
