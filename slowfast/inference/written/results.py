"""What was predicted of one video, and the files that can be made of it."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from slowfast.inference.streams.clip_stream import SkippedMoment
from slowfast.inference.tracking.spans import action_spans
from slowfast.inference.written import records
from slowfast.inference.written.records import Record
from slowfast.structures.annotations.box_table import BoxTable, exact_times
from slowfast.structures.outputs.moment import ActionClass, ActionSpan, ClipClasses, Moment
from slowfast.utils.ava.tables import write_detections_csv
from slowfast.utils.files import open_whole, write_text

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, repr=False)
class DetectionResult:
    """source: path of the video; every: seconds between key frames; seconds: of the video; classes: those asked for;
    frame_seconds: nominal duration of a frame"""

    source: str
    moments: tuple[Moment, ...]
    classes: tuple[ActionClass, ...]
    every: float
    seconds: float
    skipped: tuple[SkippedMoment, ...] = ()
    tracked: bool = False
    frame_seconds: float = 0.04

    def __repr__(self) -> str:
        """One line; `lines` and `to_table` give all of it."""
        people = sum(len(moment.people) for moment in self.moments)
        return f"DetectionResult({self.source}: {len(self.moments)} moments, {people} people, {self.seconds:.1f} s)"

    @cached_property
    def actions(self) -> tuple[ActionSpan, ...]:
        """From when to when each tracked person does what."""
        return action_spans(self.moments)

    def lines(self) -> Iterator[Record]:
        """The records of a `.jsonl`, in order."""
        yield records.header(
            Path(self.source).name, kind="detections", every=self.every, tracked=self.tracked, classes=self.classes
        )
        told = [*map(records.of_moment, self.moments), *map(records.of_skipped, self.skipped)]
        yield from sorted(told, key=lambda record: record["time"])
        yield from map(records.of_span, self.actions)
        yield records.end(self.seconds, told=len(self.moments), skipped=len(self.skipped))

    def to_jsonl(self, path: str | Path) -> None:
        """A record a line; see docs/PREDICT.md."""
        _write_lines(self.lines(), path)

    def to_json(self, path: str | Path) -> None:
        """The same records as one JSON list."""
        write_text(json.dumps(list(self.lines()), ensure_ascii=False, allow_nan=False) + "\n", path)

    def to_csv(self, path: str | Path) -> None:
        """Detections in AVA's format: video (the file's name without its ending), second, box, action id, score.

        Where a key frame lies between whole seconds, its time has a fraction, to the thousandth.
        """
        write_detections_csv(self.to_table(), path)

    def to_table(self) -> BoxTable:
        """A row per person and action of each key frame."""
        rows = [
            (moment.time, person.box, action.id, action.score)
            for moment in self.moments
            for person in moment.people
            for action in person.actions
        ]
        seconds, boxes, ids, scores = zip(*rows, strict=True) if rows else ((), (), (), ())
        return BoxTable(
            videos=(Path(self.source).stem,),
            video=np.zeros(len(rows), dtype=np.int32),
            timestamp=exact_times(np.array(seconds, dtype=np.float64)),
            boxes=np.array(boxes, dtype=np.float32).reshape(-1, 4),
            label=np.array(ids, dtype=np.int32),
            score=np.array(scores, dtype=np.float32),
        )

    def to_dataframe(self) -> "pd.DataFrame":
        """A row per person and action: time, track, x1, y1, x2, y2 in [0, 1], person_score, action_id, action, score."""
        import pandas as pd

        columns = ("time", "track", "x1", "y1", "x2", "y2", "person_score", "action_id", "action", "score")
        rows = [
            (moment.time, person.track, *person.box, person.score, action.id, action.name, action.score)
            for moment in self.moments
            for person in moment.people
            for action in person.actions
        ]
        return pd.DataFrame(rows, columns=list(columns))

    def to_video(self, path: str | Path) -> int:
        """The video with its people drawn on every frame, in MP4; returns the number of frames. See `draw_video`."""
        from slowfast.inference.written.drawn_video import draw_video

        return draw_video(self, path)

    def to_html(self, path: str | Path, *, video: str | Path | None = None) -> None:
        """A page that plays the video with its people and a timeline. See `write_player`.

        video: the file to play; None for the source
        """
        from slowfast.inference.written.player import write_player

        write_player(self, path, video=self.source if video is None else video)


@dataclass(frozen=True)
class ClassificationResult:
    """What the stretches of a video show. every: seconds of one; None for the whole video as one"""

    source: str
    clips: tuple[ClipClasses, ...]
    classes: tuple[ActionClass, ...]
    every: float | None
    seconds: float

    def lines(self) -> Iterator[Record]:
        """The records of a `.jsonl`, in order."""
        every = self.seconds if self.every is None else self.every
        yield records.header(
            Path(self.source).name, kind="classification", every=every, tracked=False, classes=self.classes
        )
        yield from map(records.of_clip, self.clips)
        yield records.end(self.seconds, told=len(self.clips), skipped=0)

    def to_jsonl(self, path: str | Path) -> None:
        """A record a line; see docs/PREDICT.md."""
        _write_lines(self.lines(), path)

    def to_json(self, path: str | Path) -> None:
        """The same records as one JSON list."""
        write_text(json.dumps(list(self.lines()), ensure_ascii=False, allow_nan=False) + "\n", path)

    def to_csv(self, path: str | Path) -> None:
        """video, start, end, class id, class, score: a row per class that is told."""
        with open_whole(path) as file:
            self.to_dataframe().to_csv(file, index=False, lineterminator="\n", float_format="%.6f")

    def to_dataframe(self) -> "pd.DataFrame":
        """A row per stretch and class: video, start, end, class_id, class, score."""
        import pandas as pd

        name = Path(self.source).stem
        rows = [
            (name, clip.start, clip.end, told.id, told.name, told.score) for clip in self.clips for told in clip.classes
        ]
        return pd.DataFrame(rows, columns=["video", "start", "end", "class_id", "class", "score"])

    def to_video(self, path: str | Path) -> int:
        """The video with the likeliest classes written on it, in MP4; returns the number of frames."""
        from slowfast.inference.written.drawn_video import draw_video

        return draw_video(self, path)

    def to_html(self, path: str | Path, *, video: str | Path | None = None) -> None:
        """As DetectionResult.to_html."""
        from slowfast.inference.written.player import write_player

        write_player(self, path, video=self.source if video is None else video)


Result = DetectionResult | ClassificationResult


def _write_lines(lines: Iterator[Record] | Sequence[Record], path: str | Path) -> None:
    with open_whole(path) as file:
        file.writelines(line_of(record) for record in lines)


def line_of(record: Record) -> str:
    """A record as a line of text."""
    return json.dumps(record, ensure_ascii=False, allow_nan=False) + "\n"
