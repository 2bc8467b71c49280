"""AVA frame-mAP: mean over classes of the average precision of boxes on key frames. Numpy only, no torch.

Both protocols match and integrate as the official ActivityNet evaluator does; they differ in which detections count:
    official   the 50 best (box, class) rows of each key frame, chosen after classes outside the label map are dropped
    uncapped   all rows, as most papers of this field do
Key frames that are scored:
    all_included   every key frame the ground truth lists, rows without a person included
    gt_only        only key frames with at least one annotated person (flatters: false alarms on empty frames are free)
Other data sets match and integrate otherwise: see `conventions`, `remaining_matching` and `average_precision`.

Rules, each tested:
- Detections on key frames that are not listed are ignored; excluded key frames are removed from both sides.
- Per key frame and class, see `matching.GroundTruthCells`; area under the curve, see `average_precision`.
- Ties: AP is its mean over all orders of the detections of equal score (`tied_scores`). Which of two tied detections of
  one box counts as its true positive makes no difference: one of them is, and both have the same score. If the 50th and
  51st row of a key frame tie, rows with the higher (x1, y1, x2, y2), then the lower class id, stay. So nothing depends
  on the order of rows. (The official evaluator takes one order, that of the file after an unstable sort; on real
  detections rounded to 4 digits, where ties are many, its mAP differs from ours by 0.0005 to 0.0011.)
- A ground-truth row that is there twice counts twice and can be found once, as in the official evaluator; counted.
- A detection without area (or inverted) takes one of the 50 places and is then dropped, as in the official evaluator;
  it is counted.
- Errors (ValueError): scores or boxes that are not finite, inverted ground-truth boxes, no ground truth, no detection
  on any listed key frame, or of any known class. An empty detection table is a mAP of 0 with a warning.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import TypedDict

import numpy as np

from slowfast.evaluation.average_precision import AP_RULES, ApRule
from slowfast.evaluation.frames.best_rows import BestRows
from slowfast.evaluation.frames.key_frame_index import EXCLUDED, KeyFrameIndex
from slowfast.evaluation.frames.matching import GroundTruthCells
from slowfast.evaluation.frames.remaining_matching import RemainingCells
from slowfast.evaluation.frames.result import FrameMap
from slowfast.structures.annotations.box_table import NO_LABEL, BoxTable
from slowfast.structures.annotations.label_map import LabelMap

PROTOCOLS = ("official", "uncapped")
KEY_FRAME_SETS = ("all_included", "gt_only")
MATCHINGS = {"best": GroundTruthCells, "remaining": RemainingCells}
OFFICIAL_CAP = 50

# Rows worked on at a time: all temporary arrays have this length, and they stay in the processor's cache.
BATCH_ROWS = 1 << 17

# Why a detection may not count.
DROPPED = ("excluded_key_frame", "unlisted_key_frame", "unknown_class", "cap", "no_area")

KeyFrameNames = Iterable[tuple[str, float]]  # (video, timestamp)
# (row numbers in the table, their key-frame numbers, their class indices)
Batch = tuple[slice | np.ndarray, np.ndarray, np.ndarray]


class ScoredKeyFrames(TypedDict):
    """Arguments of `frame_map` that say what is scored: which key frames, and from which IoU a box is found."""

    key_frames: str
    exclusions: Sequence[tuple[str, float]]
    iou_threshold: float


class ScoringRules(TypedDict):
    """Arguments of `frame_map` that say how: which detections count, how they are matched, how AP is integrated."""

    protocol: str
    ap_rule: str
    matching: str


ALL_KEY_FRAMES: ScoredKeyFrames = {"key_frames": "all_included", "exclusions": (), "iou_threshold": 0.5}


def frame_map(
    groundtruth: BoxTable,
    detections: BoxTable,
    label_map: LabelMap,
    *,
    protocol: str = "official",
    key_frames: str = "all_included",
    exclusions: KeyFrameNames = (),
    included: KeyFrameNames = (),
    iou_threshold: float = 0.5,
    ap_rule: str = "voc_all_point",
    matching: str = "best",
) -> FrameMap:
    """Score `detections` against `groundtruth` on the classes of `label_map`.

    exclusions: key frames (video, timestamp) that are not scored
    included:   further key frames to score that the ground truth does not list (nobody is there)
    ap_rule:    one of `average_precision.AP_RULES`; AVA's is voc_all_point
    matching:   "best" (a detection has one chance, its best box; AVA, VOC) or "remaining" (`remaining_matching`; ACT)
    Row order is free in both tables. Besides the tables it needs 5 to 30 bytes a detection (most: capped).
    """
    if protocol not in PROTOCOLS:
        raise ValueError(f"protocol must be one of {PROTOCOLS}, got {protocol!r}")
    if key_frames not in KEY_FRAME_SETS:
        raise ValueError(f"key_frames must be one of {KEY_FRAME_SETS}, got {key_frames!r}")
    for name, value, known in (("ap_rule", ap_rule, AP_RULES), ("matching", matching, MATCHINGS)):
        if value not in known:
            raise ValueError(f"{name} must be one of {tuple(known)}, got {value!r}")
    included = list(included)
    if included and key_frames == "gt_only":
        raise ValueError(
            f"key_frames='gt_only' leaves out key frames without people: pass no `included` ({len(included)})"
        )
    if not 0 < iou_threshold <= 1:
        raise ValueError(f"iou_threshold must be in (0, 1], got {iou_threshold}")
    index, cells, people, counters = _prepare_groundtruth(
        groundtruth, label_map, key_frames, exclusions, included, iou_threshold, MATCHINGS[matching]
    )
    counters["videos_without_detections"] = len(_videos_with_rows(people) - _videos_with_rows(detections))
    scores_by_class = _sweep(
        detections, label_map, index, cells, counters, OFFICIAL_CAP if protocol == "official" else 0
    )
    cells.finish()
    return FrameMap(
        label_map=label_map,
        ap=_ap_per_class(scores_by_class, cells, label_map.num_classes, AP_RULES[ap_rule]),
        instances=np.bincount(cells.class_index, minlength=label_map.num_classes),
        detections=np.array([sum(map(len, pieces)) for pieces in scores_by_class]),
        protocol=protocol,
        key_frames=key_frames,
        iou_threshold=iou_threshold,
        num_key_frames=len(index),
        counters=counters,
    )


def _prepare_groundtruth(
    table: BoxTable,
    label_map: LabelMap,
    key_frames: str,
    exclusions: KeyFrameNames,
    included: KeyFrameNames,
    threshold: float,
    cells_type: type[GroundTruthCells],
) -> tuple[KeyFrameIndex, GroundTruthCells, BoxTable, dict[str, int]]:
    """Check the ground truth, number its key frames, and sort its boxes by key frame and class; the table of these."""
    if len(table) == 0:
        raise ValueError("the ground truth has no rows: there is nothing to score against")
    has_box = np.isfinite(table.boxes).all(axis=1)
    _refuse(table, ~has_box & (table.label != NO_LABEL), "ground-truth rows have an action but no finite box")
    _refuse(table, ~has_box & ~np.isnan(table.boxes).all(axis=1), "ground-truth rows have a box that is not finite")
    inverted = (table.boxes[:, 2] < table.boxes[:, 0]) | (table.boxes[:, 3] < table.boxes[:, 1])
    _refuse(table, inverted, "ground-truth boxes are inverted (x2 < x1 or y2 < y1)")

    listing = table.rows(has_box) if key_frames == "gt_only" else table
    index = KeyFrameIndex(listing, extra=included, excluded=exclusions)
    frame = index.find(index.video_numbers(table.videos)[table.video], table.timestamp)
    class_index = label_map.to_index(table.label)
    has_action = has_box & (table.label != NO_LABEL)
    keep = has_action & (frame >= 0) & (class_index >= 0)
    if not keep.any():
        raise ValueError(
            f"no class has ground truth: of {len(table)} ground-truth rows, {int(has_action.sum())} have an action, "
            f"{int((has_action & (class_index >= 0)).sum())} have one of the {label_map.num_classes} classes of "
            "the label map, and none of those is on a scored key frame"
        )
    cells = cells_type(
        frame[keep].astype(np.int64) * label_map.num_classes + class_index[keep],
        table.boxes[keep],
        num_cells=len(index) * label_map.num_classes,
        num_classes=label_map.num_classes,
        iou_threshold=threshold,
    )
    counters = {
        "groundtruth_rows": int(has_action.sum()),
        "groundtruth_on_excluded_key_frames": int((has_action & (frame == EXCLUDED)).sum()),
        "groundtruth_of_unknown_class": int((has_action & (frame >= 0) & (class_index < 0)).sum()),
        "groundtruth_repeated_rows": cells.num_repeated,
        "key_frames_excluded": index.num_excluded,
    }
    return index, cells, table.rows(keep), counters


def _videos_with_rows(table: BoxTable) -> set[str]:
    """Names of the videos of which the table has a row; a name of `table.videos` may have none."""
    seen = np.zeros(len(table.videos), dtype=bool)
    for start in range(0, len(table), BATCH_ROWS):
        seen[table.video[start : start + BATCH_ROWS]] = True
    return {name for name, there in zip(table.videos, seen, strict=True) if there}


def _refuse(table: BoxTable, bad: np.ndarray, what: str) -> None:
    """Raise ValueError that counts the bad rows and shows the first."""
    if not bad.any():
        return
    row = int(np.flatnonzero(bad)[0])
    score = "" if table.score is None else f", score {table.score[row]}"
    raise ValueError(
        f"{int(bad.sum())} {what}; the first is row {row}: video {table.videos[table.video[row]]!r}, timestamp "
        f"{table.timestamp[row]}, box {table.boxes[row].tolist()}, label {table.label[row]}{score}"
    )


def _sweep(
    table: BoxTable,
    label_map: LabelMap,
    index: KeyFrameIndex,
    cells: GroundTruthCells,
    counters: dict[str, int],
    cap: int,
) -> list[list[np.ndarray]]:
    """Offer every detection that counts to `cells`; returns its scores, per class, in pieces; fills `counters`."""
    scores = table.scores  # refuses a table without
    dropped = dict.fromkeys(DROPPED, 0)
    pieces: list[list[np.ndarray]] = [[] for _ in range(label_map.num_classes)]
    batches = _listed_rows(table, label_map, index, dropped)
    if cap:
        batches = _capped(table, list(batches), cap, len(index), dropped)
    for rows, frame, class_index in batches:
        score, boxes = scores[rows], table.boxes[rows]
        solid = (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])
        if not solid.all():
            dropped["no_area"] += len(solid) - int(solid.sum())
            frame, score, boxes, class_index = _take(solid, frame, score, boxes, class_index)
        cell = frame.astype(np.int64) * label_map.num_classes + class_index
        near = np.flatnonzero(cells.occupied(cell))
        cells.offer(cell[near], boxes[near], score[near])
        _append_by_class(pieces, class_index, score)
    counters["detections"] = len(table)
    counters.update({f"detections_dropped_{reason}": count for reason, count in dropped.items()})
    _require_overlap(table, dropped)
    return pieces


def _listed_rows(
    table: BoxTable, label_map: LabelMap, index: KeyFrameIndex, dropped: dict[str, int]
) -> Iterator[Batch]:
    """The rows on scored key frames and of known classes, in pieces of BATCH_ROWS; the others are added to `dropped`."""
    video_number = index.video_numbers(table.videos)
    class_of_label = label_map.to_index(np.arange(max(label_map.ids) + 2)).astype(np.int32)
    for start in range(0, len(table), BATCH_ROWS):
        rows: slice | np.ndarray = slice(start, min(start + BATCH_ROWS, len(table)))
        if not np.isfinite(table.scores[rows]).all():
            _refuse(table, ~np.isfinite(table.scores), "detections have a score that is not finite")
        if not np.isfinite(table.boxes[rows]).all():
            _refuse(table, ~np.isfinite(table.boxes).all(axis=1), "detections have a box that is not finite")
        frame = index.find(video_number.take(table.video[rows]), table.timestamp[rows])
        # Ids below 1 and above the largest are clipped to entries that hold no class.
        class_index = class_of_label.take(table.label[rows], mode="clip")
        keep = (class_index >= 0) & (frame >= 0)
        if not keep.all():
            excluded, outside = int((frame == EXCLUDED).sum()), int((frame < 0).sum())
            dropped["excluded_key_frame"] += excluded
            dropped["unlisted_key_frame"] += outside - excluded
            dropped["unknown_class"] += int((~keep).sum()) - outside
            rows = start + np.flatnonzero(keep)
            frame, class_index = _take(keep, frame, class_index)
        yield rows, frame, class_index


def _capped(
    table: BoxTable, batches: list[Batch], cap: int, num_frames: int, dropped: dict[str, int]
) -> Iterator[Batch]:
    """The `cap` best rows of each key frame; the others are added to `dropped`."""
    best = BestRows(cap=cap, num_frames=num_frames, num_rows=len(table))
    for rows, frame, _ in batches:
        best.add(frame, table.scores[rows])
    best.settle()
    waiting: list[tuple[np.ndarray, ...]] = []
    for rows, frame, class_index in batches:
        stays, waits = best.choose(frame, table.scores[rows])
        if isinstance(rows, slice):
            rows = np.arange(rows.start, rows.stop)
        if waits.any():
            waiting.append(_take(waits, rows, frame, class_index))
        dropped["cap"] += len(stays) - int(stays.sum())
        rows, frame, class_index = _take(stays, rows, frame, class_index)
        yield rows, frame, class_index
    if waiting:
        rows, frame, class_index = (np.concatenate(column) for column in zip(*waiting, strict=True))
        stays = best.decide_ties(table, rows, frame)
        dropped["cap"] -= int(stays.sum())
        rows, frame, class_index = _take(stays, rows, frame, class_index)
        yield rows, frame, class_index


def _require_overlap(table: BoxTable, dropped: dict[str, int]) -> None:
    if len(table) and dropped["unlisted_key_frame"] + dropped["unknown_class"] == len(table):
        raise ValueError(
            f"none of the {len(table)} detections can be scored: {dropped['unlisted_key_frame']} are on key frames "
            f"that the ground truth does not list, {dropped['unknown_class']} have a class id outside the label map; "
            f"compare class ids and video names (a detection is on {table.videos[table.video[0]]!r}, "
            f"timestamp {table.timestamp[0]})"
        )


def _take(keep: np.ndarray, *columns: np.ndarray) -> tuple[np.ndarray, ...]:
    """The rows of each column where the mask `keep` is true."""
    rows = np.flatnonzero(keep)
    return tuple(column.take(rows, axis=0) for column in columns)


def _append_by_class(pieces: list[list[np.ndarray]], class_index: np.ndarray, score: np.ndarray) -> None:
    """Append each class's scores to its list."""
    narrow = class_index.astype(np.uint8 if len(pieces) <= 256 else np.uint16)
    by_class = score[np.argsort(narrow, kind="stable")]
    ends = np.cumsum(np.bincount(narrow, minlength=len(pieces)))
    for number, (start, stop) in enumerate(zip(np.append(0, ends[:-1]), ends, strict=True)):
        if stop > start:
            pieces[number].append(by_class[start:stop])


def _ap_per_class(
    scores_by_class: list[list[np.ndarray]], cells: GroundTruthCells, num_classes: int, rule: ApRule
) -> np.ndarray:
    """(C,) float64 average precision, nan where the class has no ground truth."""
    order = np.argsort(cells.class_index, kind="stable")
    ends = np.cumsum(np.bincount(cells.class_index, minlength=num_classes))
    hit_scores_by_class = np.split(cells.hit_score[order], ends[:-1])
    ap = np.empty(num_classes)
    for number, (pieces, hit_scores) in enumerate(zip(scores_by_class, hit_scores_by_class, strict=True)):
        scores = np.sort(np.concatenate(pieces)) if pieces else np.empty(0)
        ap[number] = rule(scores, hit_scores[np.isfinite(hit_scores)], len(hit_scores))
    return ap
