"""AVA annotations as key frames: (video, second) -> people with boxes and multi-hot actions, in compact columns."""

from collections.abc import Collection
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from slowfast.structures.annotations.box_table import (
    NO_LABEL,
    BoxTable,
    codes_of_pairs,
    exact_times,
    key_frame_codes,
    split_codes,
)
from slowfast.structures.annotations.label_map import LabelMap
from slowfast.utils.processes.shared_arrays import for_workers, from_parent

BOX_TOLERANCE = 1e-3  # AVA writes three decimals: a rounded corner may stand this far outside the frame
_NAMED = 5  # how many offenders an error names


@dataclass(frozen=True)
class KeyFrames:
    """K key frames with P people on them, ordered by video name, then timestamp (a subset: as it was asked for).

    videos:       video names, sorted
    video:        (K,) int32, index into `videos`
    timestamp:    (K,), as in BoxTable
    first_person: (K + 1,) int32; people first_person[k] to first_person[k + 1] are on key frame k
    boxes:        (P, 4) float32 xyxy in [0, 1] of the original frame
    actions:      (P, C) uint8 multi-hot in label-map index order; a row of zeros is a person of the background
    """

    videos: tuple[str, ...]
    video: np.ndarray
    timestamp: np.ndarray
    first_person: np.ndarray
    boxes: np.ndarray
    actions: np.ndarray

    def __len__(self) -> int:
        return len(self.video)

    def __getstate__(self) -> dict[str, Any]:
        """Loader workers share the columns: at AVA's size a copy for each would be tens of megabytes, sent one by one."""
        columns = self.__dict__.get("_sent")
        if columns is None:
            columns = for_workers({field.name: getattr(self, field.name) for field in fields(self)[1:]})
            object.__setattr__(self, "_sent", columns)  # all workers are sent the same memory
        return {"videos": self.videos, **columns}

    def __setstate__(self, state: dict[str, Any]) -> None:
        columns = from_parent({name: value for name, value in state.items() if name != "videos"})
        self.__dict__.update({"videos": state["videos"], **columns})

    def video_name(self, k: int) -> str:
        return self.videos[self.video[k]]

    @property
    def used_videos(self) -> tuple[str, ...]:
        """The names in `videos` that have a key frame; in a subset some have none."""
        return tuple(self.videos[i] for i in np.unique(self.video))

    def people(self, k: int) -> tuple[np.ndarray, np.ndarray]:
        """(boxes (n, 4) float32 xyxy, actions (n, C) uint8) of key frame k; n may be 0."""
        rows = slice(self.first_person[k], self.first_person[k + 1])
        return self.boxes[rows], self.actions[rows]

    def subset(self, indices: np.ndarray) -> "KeyFrames":
        """The key frames at `indices` (integers), in that order; `videos` stays as it is."""
        indices = np.asarray(indices, dtype=np.int64)
        counts = np.diff(self.first_person)[indices]
        first = np.concatenate([[0], np.cumsum(counts)])
        # Person j of the new table is the (j - first[k])-th of its key frame in the old one.
        rows = np.arange(first[-1]) + np.repeat(self.first_person[indices] - first[:-1], counts)
        return KeyFrames(
            self.videos,
            self.video[indices],
            self.timestamp[indices],
            first.astype(np.int32),
            self.boxes[rows],
            self.actions[rows],
        )


@dataclass(frozen=True)
class KeyFrameReport:
    """What `build_key_frames` kept and dropped; `str()` is one line for the log."""

    videos: int
    key_frames: int
    people: int
    actions: int
    empty_key_frames: int
    background_people: int
    excluded_key_frames: int
    out_of_range_key_frames: int
    unknown_class_rows: int
    repeated_rows: int

    def __str__(self) -> str:
        line = (
            f"{self.key_frames} key frames of {self.videos} videos, {self.people} people with {self.actions} actions "
            f"({self.empty_key_frames} key frames without people, {self.background_people} people of the background)"
        )
        dropped = {
            "excluded key frames": self.excluded_key_frames,
            "key frames outside the valid seconds": self.out_of_range_key_frames,
            "rows of classes outside the label map": self.unknown_class_rows,
            "repeated rows": self.repeated_rows,
        }
        parts = [f"{count} {what}" for what, count in dropped.items() if count]
        return f"{line}; dropped {', '.join(parts) if parts else 'nothing'}"


def build_key_frames(
    table: BoxTable,
    label_map: LabelMap,
    *,
    exclusions: Collection[tuple[str, float]] = frozenset(),
    valid_seconds: tuple[float, float] | None = None,
    ignore_unknown: bool = False,
    source: str = "the annotation table",
) -> tuple[KeyFrames, KeyFrameReport]:
    """Group annotation rows into key frames and people.

    Rows of one (video, timestamp, box) are one person with several actions. A NO_LABEL row with a box is a person
    without an action, of the background; without one (NaN) it makes a key frame with nobody on it. Key frames of
    `exclusions` and outside `valid_seconds` (first, last: both inside) are dropped and counted.
    A class id that `label_map` does not hold is an error, or with `ignore_unknown` (training on a subset of the
    classes) drops the action and keeps the person, as background. `source` is the file that errors name.
    Raises ValueError also for boxes that are not finite, empty, inverted, or outside [0, 1] by more than 1e-3.
    """
    has_label = table.label != NO_LABEL
    has_person = has_people(table)
    _check_boxes(table, source)
    class_index = label_map.to_index(table.label)
    unknown = has_label & (class_index < 0)
    if unknown.any() and not ignore_unknown:
        raise ValueError(_unknown_message(table, unknown, label_map, source))

    names, key = _row_keys(table)
    frame_keys, frame_of_row = np.unique(key, return_inverse=True)
    excluded, out_of_range = _dropped_frames(frame_keys, names, exclusions, valid_seconds)
    keep_frame = ~(excluded | out_of_range)
    new_index = np.cumsum(keep_frame) - 1
    rows = np.flatnonzero(keep_frame[frame_of_row] & has_person)
    frame = new_index[frame_of_row[rows]]
    boxes, person, owner = _people(frame, table.boxes[rows])

    actions = np.zeros((len(boxes), label_map.num_classes), dtype=np.uint8)
    known = class_index[rows] >= 0
    actions[person[known], class_index[rows][known]] = 1
    kept_keys = frame_keys[keep_frame]
    counts = np.bincount(owner, minlength=len(kept_keys))
    rank, timestamp = split_codes(kept_keys)
    used, video = np.unique(rank, return_inverse=True)
    key_frames = KeyFrames(
        videos=tuple(names[i] for i in used),
        video=video.astype(np.int32),
        timestamp=exact_times(timestamp),
        first_person=np.concatenate([[0], np.cumsum(counts)]).astype(np.int32),
        boxes=boxes,
        actions=actions,
    )
    report = KeyFrameReport(
        videos=len(used),
        key_frames=len(kept_keys),
        people=len(boxes),
        actions=int(actions.sum()),
        empty_key_frames=int((counts == 0).sum()),
        background_people=int((actions.sum(axis=1) == 0).sum()),
        excluded_key_frames=int(excluded.sum()),
        out_of_range_key_frames=int(out_of_range.sum()),
        unknown_class_rows=int(unknown[rows].sum()),
        repeated_rows=int(known.sum()) - int(actions.sum()),
    )
    return key_frames, report


def _row_keys(table: BoxTable) -> tuple[list[str], np.ndarray]:
    """Sorted video names, and (R,) int64 `key_frame_codes` of their ranks: they sort by video name, then timestamp."""
    order = np.argsort(np.asarray(table.videos, dtype=object), kind="stable")
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    return [table.videos[i] for i in order], key_frame_codes(rank[table.video], table.timestamp)


def _people(frame: np.ndarray, boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(R,) key frame and (R, 4) box of each row -> (P, 4) float32 boxes, (R,) person of each row, (P,) key frames.

    People are ordered by key frame, then by box, so the order of rows in the file does not matter.
    """
    boxes = np.clip(boxes.astype(np.float32), 0, 1) + np.float32(0)  # + 0 turns -0.0 into 0.0
    # The bits of non-negative floats sort as the floats do: two fit one integer, and the sort has half the keys.
    bits = np.ascontiguousarray(boxes).view(np.uint32).astype(np.int64)
    left, right = (bits[:, 0] << 32) | bits[:, 1], (bits[:, 2] << 32) | bits[:, 3]
    order = np.lexsort((right, left, frame))
    starts = np.ones(len(order), dtype=bool)
    changes = [np.diff(column[order]) != 0 for column in (frame, left, right)]
    starts[1:] = changes[0] | changes[1] | changes[2]
    person = np.empty(len(order), dtype=np.int64)
    person[order] = np.cumsum(starts) - 1
    first_rows = order[starts]
    return boxes[first_rows], person, frame[first_rows]


def _dropped_frames(
    frame_keys: np.ndarray,
    names: list[str],
    exclusions: Collection[tuple[str, float]],
    valid_seconds: tuple[float, float] | None,
) -> tuple[np.ndarray, np.ndarray]:
    """(F,) sorted keys -> two (F,) masks: excluded, and outside the valid seconds (a key frame is counted once)."""
    rank = {name: i for i, name in enumerate(names)}
    pairs = [(rank[video], second) for video, second in exclusions if video in rank]
    excluded = np.isin(frame_keys, codes_of_pairs(pairs))
    out_of_range = np.zeros(len(frame_keys), dtype=bool)
    if valid_seconds is not None:
        _, second = split_codes(frame_keys)
        out_of_range = ~excluded & ((second < valid_seconds[0]) | (second > valid_seconds[1]))
    return excluded, out_of_range


def box_rules(table: BoxTable) -> list[tuple[str, np.ndarray, str]]:
    """What is wrong with the boxes of people: (kind, (R,) bool, rule) of each rule; a row may break several.

    Rows that only list their key frame break none. Kinds as in `RowError`, and "no area".
    """
    has_person = has_people(table)
    boxes = table.boxes
    clipped = np.clip(boxes, 0, 1)
    with np.errstate(invalid="ignore"):
        outside = ~(np.abs(boxes - clipped) <= BOX_TOLERANCE).all(axis=1)  # ~(<=) also catches NaN
        empty = ~((clipped[:, 2] > clipped[:, 0]) & (clipped[:, 3] > clipped[:, 1]))
    return [
        ("box outside", outside & has_person, "outside [0, 1]"),
        ("no area", empty & has_person, "empty or inverted (x2 > x1 and y2 > y1 must hold)"),
    ]


def has_people(table: BoxTable) -> np.ndarray:
    """(R,) bool: the row is a person, and not only the name of a key frame."""
    return (table.label != NO_LABEL) | ~np.isnan(table.boxes).all(axis=1)


def _check_boxes(table: BoxTable, source: str) -> None:
    if (table.timestamp < 0).any():
        row = int(np.flatnonzero(table.timestamp < 0)[0])
        video = table.videos[table.video[row]]
        raise ValueError(f"{source}: timestamps start at 0, got {table.timestamp[row]} in video {video!r}")
    for _, bad, rule in box_rules(table):
        rows = np.flatnonzero(bad)
        if len(rows):
            row = rows[0]
            box = ", ".join(f"{x:g}" for x in table.boxes[row])
            more = f", and {len(rows) - 1} more rows like it" if len(rows) > 1 else ""
            where = f"video {table.videos[table.video[row]]!r}, second {table.timestamp[row]}"
            raise ValueError(
                f"{source}: {where}: box ({box}) is {rule}; boxes are x1, y1, x2, y2 as fractions of the frame{more}"
            )


def _unknown_message(table: BoxTable, unknown: np.ndarray, label_map: LabelMap, source: str) -> str:
    ids = np.unique(table.label[unknown])
    more = f" and {len(ids) - _NAMED} more" if len(ids) > _NAMED else ""
    return (
        f"{source}: {int(unknown.sum())} rows have class ids {ids[:_NAMED].tolist()}{more}, which the label map of "
        f"{label_map.num_classes} classes (ids {min(label_map.ids)} to {max(label_map.ids)}) does not hold; "
        "give the label map of these annotations (AVA.TRAIN_LABEL_MAP_FILE, AVA.LABEL_MAP_FILE), or name the classes to "
        "train on (AVA.CLASSES), and the others count for nothing"
    )
