"""Pixels for the gallery of a report: clips of chosen key frames with what was annotated and what was found."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from fvcore.common.config import CfgNode

from slowfast.datasets.build import build_clips
from slowfast.datasets.clips.key_frame_clips import SecondClock
from slowfast.datasets.split import KeyFrameSplit
from slowfast.evaluation.diagnosis.key_frame_verdicts import KeyFrameVerdict
from slowfast.report.detection.cards import Card, Shot
from slowfast.structures.annotations.box_table import NO_LABEL, BoxTable
from slowfast.video.source import ClipReadError
from slowfast.visualization.between import KeyBoxes, between_key_frames
from slowfast.visualization.draw import DrawnClip, FrameBoxes

DRAW_ABOVE = 0.3  # actions with at least this score are drawn
DRAWN_ACTIONS = 3  # of a box, at most


class ReportGallery:
    """Reads the clips of the test split, in the order of frames that was tested."""

    def __init__(self, cfg: CfgNode, split: KeyFrameSplit) -> None:
        self._clips = build_clips(cfg, "test", split)
        self._annotated = split.annotated

    def cards(self, verdicts: Sequence[Sequence[KeyFrameVerdict]], found: Sequence[tuple[str, BoxTable]]) -> list[Card]:
        """A card for each entry of `verdicts`, which holds one verdict for each run of `found` (name, detections)."""
        wanted = {(v.video, v.timestamp) for entry in verdicts for v in entry}
        tables = [(name, table.on(wanted)) for name, table in found]
        return [
            Card(self._title(entry[0].video, entry[0].timestamp), tuple(map(self._shot, entry, tables)))
            for entry in verdicts
        ]

    def _title(self, video: str, timestamp: float) -> str:
        unit = "second" if isinstance(self._clips.clock, SecondClock) else "frame"
        return f"{video}, {unit} {timestamp}"

    def _shot(self, verdict: KeyFrameVerdict, found: tuple[str, BoxTable]) -> Shot:
        name, table = found
        clip, problem = None, ""
        try:
            clip = self.drawn(verdict.video, verdict.timestamp, table)
        except ClipReadError as error:
            problem = str(error)
        told = (verdict.error, verdict.people, verdict.found, verdict.missed, verdict.false)
        return Shot(name, clip, *told, problem=problem)

    def drawn(self, video: str, timestamp: float, table: BoxTable, *, every_frame: bool = False) -> DrawnClip:
        """The clip of one key frame with its people and what `table` found there. Raises ClipReadError.

        every_frame: the other frames have boxes, too, interpolated between the key frames that the clip reaches
        """
        clips = self._clips
        frames = clips.clock.read(clips.pixels, video, timestamp, clips.shape).frames
        names = self._annotated.label_map.names
        rows = table.on([(video, timestamp)])
        boxes, labels = _strongest(rows, [names[c] for c in self._annotated.label_map.to_index(rows.label)])
        clip = DrawnClip(
            np.asarray(frames),
            len(frames) // 2,
            self._title(video, timestamp),
            boxes,
            labels,
            *self._annotated_people(video, timestamp),
        )
        return replace(clip, between=self._between(video, timestamp, table)) if every_frame else clip

    def _between(self, video: str, timestamp: float, table: BoxTable) -> list[FrameBoxes]:
        """Boxes for each frame of a clip, from what was found on its key frame and its neighbours."""
        clips, label_map = self._clips, self._annotated.label_map
        step = clips.shape.sampling_rate
        per_frame = step / clips.clock.fps if isinstance(clips.clock, SecondClock) else float(step)
        moments = timestamp + (np.arange(clips.shape.num_frames) - clips.shape.num_frames // 2) * per_frame
        tested = clips.key_frames
        mine = tested.timestamp[np.array(tested.videos, dtype=object)[tested.video] == video]
        # The nearest key frames on both sides count, too, where they are no further away than a clip is long.
        length = per_frame * clips.shape.num_frames
        earlier, later = mine[mine <= moments[0]], mine[mine >= moments[-1]]
        low = max(earlier.max(initial=0), moments[0] - length)
        high = min(float(later.min()) if len(later) else np.inf, moments[-1] + length)
        keys = []
        for at in np.unique(mine[(mine >= low) & (mine <= high)]).tolist():
            rows = table.on([(video, at)])
            found = _strongest(rows, [label_map.names[c] for c in label_map.to_index(rows.label)])
            keys.append(KeyBoxes(at, FrameBoxes(*found)))
        return between_key_frames(keys, moments, reach=length / 2)

    def _annotated_people(self, video: str, timestamp: float) -> tuple[np.ndarray, list[list[str]]]:
        """(m, 4) boxes and what each person does: of the ground truth, as the boxes of the clip may be given ones."""
        label_map = self._annotated.label_map
        rows = self._annotated.groundtruth.on([(video, timestamp)])
        rows = rows.rows(np.isfinite(rows.boxes).all(axis=1))
        boxes, person = np.unique(rows.boxes, axis=0, return_inverse=True)
        class_index = np.where(rows.label == NO_LABEL, -1, label_map.to_index(rows.label))
        does = [sorted(set(class_index[person.ravel() == p].tolist()) - {-1}) for p in range(len(boxes))]
        return boxes.reshape(-1, 4), [[label_map.names[c] for c in classes] for classes in does]


def _strongest(rows: BoxTable, names: Sequence[str]) -> tuple[np.ndarray, list[list[tuple[str, float]]]]:
    """The boxes of one key frame with an action worth drawing, and their best actions."""
    strong = np.flatnonzero(rows.scores >= DRAW_ABOVE)
    boxes, person = np.unique(rows.boxes[strong], axis=0, return_inverse=True)
    person = person.ravel()
    labels = []
    for p in range(len(boxes)):
        mine = strong[person == p]
        best = mine[np.argsort(-rows.scores[mine], kind="stable")][:DRAWN_ACTIONS]
        labels.append([(names[r], float(rows.scores[r])) for r in best])
    return boxes.reshape(-1, 4), labels
