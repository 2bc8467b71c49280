"""Annotated tracks: who is where and does what on the frames of videos, from a CSV.

    video,second,x1,y1,x2,y2,action_id,person_id    a person; one line for each of their actions; an empty action: none
    video,second                                    a frame that shows nobody

The columns are those of AVA's annotations, with seconds that may have a fraction. Boxes are xyxy in [0, 1] of the frame.
The toy data set has such files (`toy_val_tracks.csv`).
"""

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from slowfast.structures.outputs.moment import Box
from slowfast.utils.text import open_text


@dataclass(frozen=True)
class TruePerson:
    """A person on a frame. person: their number in this video; actions: ids as the label map writes them"""

    person: int
    box: Box
    actions: tuple[int, ...]


@dataclass(frozen=True)
class TrueTracks:
    """One video. times: (N,) seconds, ascending; people: of each of these frames"""

    times: np.ndarray
    people: tuple[tuple[TruePerson, ...], ...]

    def at(self, time: float) -> tuple[TruePerson, ...] | None:
        """Who is on the frame nearest in time; None where none is within half the usual distance of two frames."""
        nearest = int(np.abs(self.times - time).argmin())
        reach = float(np.median(np.diff(self.times))) / 2 if len(self.times) > 1 else 0.0
        return self.people[nearest] if abs(self.times[nearest] - time) <= reach + 1e-6 else None


def read_tracks_csv(path: str | Path) -> dict[str, TrueTracks]:
    """Video -> its annotated tracks. Raises FileNotFoundError, or ValueError that names the line."""
    frames: dict[str, dict[float, dict[int, TruePerson]]] = {}
    with open_text(path) as file:
        for number, row in enumerate(csv.reader(file), start=1):
            if not row or (number == 1 and not _is_number(row[1] if len(row) > 1 else "")):
                continue
            try:
                _take(row, frames)
            except ValueError as error:
                raise ValueError(
                    f"{path}, line {number}: {error}; expected video,second,x1,y1,x2,y2,action,person or video,second"
                ) from None
    if not any(people for video in frames.values() for people in video.values()):
        raise ValueError(f"{path} names nobody: there is nothing to compare tracks with")
    return {
        video: TrueTracks(np.array(sorted(shown)), tuple(tuple(shown[time].values()) for time in sorted(shown)))
        for video, shown in frames.items()
    }


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _take(row: list[str], frames: dict[str, dict[float, dict[int, TruePerson]]]) -> None:
    if len(row) not in (2, 8):
        raise ValueError(f"it has {len(row)} columns")
    people = frames.setdefault(row[0], {}).setdefault(float(row[1]), {})
    if len(row) == 2:
        return
    x1, y1, x2, y2 = (float(value) for value in row[2:6])
    if not (0 <= x1 < x2 <= 1 and 0 <= y1 < y2 <= 1):
        raise ValueError(f"the box {', '.join(row[2:6])} is not xyxy in [0, 1] of the frame")
    person, action = int(row[7]), (int(row[6]),) if row[6] else ()
    known = people.get(person, TruePerson(person, (x1, y1, x2, y2), ()))
    if known.box != (x1, y1, x2, y2):
        raise ValueError(f"person {person} has two boxes on one frame")
    people[person] = TruePerson(person, known.box, known.actions + action)
