"""From boxes on frames to tubes: ACT-style online linking or Viterbi paths, gaps filled, trimmed in time. Numpy only.

online   after Kalogeiton et al. 2017, for boxes of single frames: per class and frame the `top_k` best boxes after NMS;
         tubes, best mean score first, each take the best box whose IoU with their last one reaches `link_iou`; what is
         left starts new tubes; a tube without a box for more than `max_gap` frames has ended
viterbi  Gkioxari and Malik 2015: the best path through all frames of a stretch, its boxes removed, and again until a
         frame of the stretch has no box left; a stretch ends where more than `max_gap` frames have no box

Missing frames inside a tube are filled by straight lines between the boxes, and scores, around them. The score of a
tube is the mean of its detections' scores (of all its frames' after trimming).
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from slowfast.evaluation.frames.matching import box_iou
from slowfast.evaluation.tubes.overlap import tube_nms
from slowfast.evaluation.tubes.viterbi import active_frames, best_path
from slowfast.structures.annotations.box_table import BoxTable
from slowfast.structures.annotations.tube import Tube

METHODS = ("online", "viterbi")


@dataclass(frozen=True)
class LinkRules:
    """How tubes are made. The defaults are those of ACT's code where it has them (* marks ours).

    method:          "online" or "viterbi"
    link_iou:        least IoU of two boxes of a tube on successive frames (online)
    overlap_weight*: weight of the IoU against the scores (viterbi)
    max_gap:         most frames in a row without a box inside a tube; 4: a link reaches 5 frames ahead
    nms_iou, top_k:  boxes of a class kept on a frame
    min_box_score*:  detections below it are not linked at all
    min_score:       tubes below it are dropped
    min_length:      tubes of fewer frames are dropped
    tube_nms_iou:    tubes of a video and class that overlap a better one by more are dropped
    trim_smoothness*: None for no trimming; else the cost of each change in `viterbi.active_frames`
    """

    method: str = "online"
    link_iou: float = 0.2
    overlap_weight: float = 1.0
    max_gap: int = 4
    nms_iou: float = 0.3
    top_k: int = 10
    min_box_score: float = 0.01
    min_score: float = 0.01
    min_length: int = 15
    tube_nms_iou: float = 0.3
    trim_smoothness: float | None = None

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise ValueError(f"method must be one of {', '.join(METHODS)}, got {self.method!r}")

    def __str__(self) -> str:
        linked = f"IoU >= {self.link_iou:g}" if self.method == "online" else f"overlap weight {self.overlap_weight:g}"
        trimmed = "not trimmed" if self.trim_smoothness is None else f"trimmed with smoothness {self.trim_smoothness:g}"
        return (
            f"{self.method} linking ({linked}, gaps of up to {self.max_gap} frames, at least {self.min_length} frames "
            f"long), {trimmed}"
        )


_Box = tuple[float, float, float, float]
# Boxes of one class on one frame, best first.
_Found = tuple[int, list[_Box], list[float]]
# A tube in the making: (frame, box, score) of each detection it is linked from.
_Links = list[tuple[int, _Box, float]]


def link_tubes(
    detections: BoxTable, rules: LinkRules, *, progress: Callable[[Iterable], Iterable] = iter
) -> list[Tube]:
    """Detections on frames -> tubes, best first. `progress` wraps the loop over videos and classes.

    The order of rows does not matter. Raises ValueError for scores that are not finite.
    """
    if detections.score is None or not np.isfinite(detections.score).all():
        raise ValueError(
            "tubes are linked from detections with finite scores, and these have none or some that are not"
        )
    link = _link_online if rules.method == "online" else _link_viterbi
    tubes: list[Tube] = []
    for video, label, frames in progress(list(_by_video_and_class(detections, rules))):
        linked = [_tube(video, label, links) for links in link(frames, rules)]
        if rules.trim_smoothness is not None:
            linked = [part for tube in linked for part in trim_tube(tube, smoothness=rules.trim_smoothness)]
        kept = [tube for tube in linked if tube.confidence >= rules.min_score and len(tube) >= rules.min_length]
        tubes += tube_nms(kept, rules.tube_nms_iou)
    return sorted(tubes, key=lambda tube: -tube.confidence)


def _by_video_and_class(table: BoxTable, rules: LinkRules) -> Iterator[tuple[str, int, list[_Found]]]:
    """(video, label, boxes of each frame that has some, frames rising), after suppression on each frame."""
    names = sorted(set(table.videos))
    number = np.array([names.index(name) for name in table.videos], dtype=np.int64)
    rows = np.flatnonzero(table.scores >= rules.min_box_score)
    video, label, frame = number[table.video[rows]], table.label[rows], table.timestamp[rows]
    boxes, scores = table.boxes[rows].astype(np.float64), table.scores[rows].astype(np.float64)
    order = np.lexsort((*-boxes.T[::-1], -scores, frame, label, video))
    video, label, frame, boxes, scores = (column[order] for column in (video, label, frame, boxes, scores))
    cell = np.cumsum(
        (np.diff(video, prepend=-1) != 0) | (np.diff(label, prepend=-1) != 0) | (np.diff(frame, prepend=-1) != 0)
    )
    keep = _suppress(cell, boxes, iou_threshold=rules.nms_iou, most=rules.top_k)
    video, label, frame, boxes, scores = (column[keep] for column in (video, label, frame, boxes, scores))
    new_group = (np.diff(video) != 0) | (np.diff(label) != 0)
    group_cuts = np.concatenate([[0], np.flatnonzero(new_group) + 1, [len(frame)]])
    for start, stop in pairwise(group_cuts):
        if start == stop:  # no detection at all
            return
        cuts = [start, *(start + 1 + np.flatnonzero(np.diff(frame[start:stop]))), stop]
        found = [
            (int(frame[a]), [tuple(box) for box in boxes[a:b].tolist()], scores[a:b].tolist())
            for a, b in pairwise(cuts)
        ]
        yield names[video[start]], int(label[start]), found


def _suppress(cell: np.ndarray, boxes: np.ndarray, *, iou_threshold: float, most: int) -> np.ndarray:
    """Rows that stay, ascending: greedy non-maximum suppression in every cell at once, then the `most` best of each.

    cell (n,) rises; the boxes (n, 4) of a cell come best first. Each round takes the best row left of every cell.
    """
    kept = []
    left = np.arange(len(cell))
    for _ in range(most):
        if not len(left):
            break
        starts = np.flatnonzero(np.diff(cell[left], prepend=-1))
        best = np.repeat(left[starts], np.diff(starts, append=len(left)))
        kept.append(left[starts])
        left = left[(left != best) & (box_iou(boxes[best], boxes[left]) <= iou_threshold)]
    return np.sort(np.concatenate(kept)) if kept else left


def _iou(a: _Box, b: _Box) -> float:
    """As `box_iou`; for a handful of boxes plain numbers are twenty times faster than arrays."""
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    return width * height / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - width * height)


def _link_online(frames: list[_Found], rules: LinkRules) -> list[_Links]:
    ended: list[_Links] = []
    live: list[tuple[float, _Links]] = []  # with the sum of the scores
    for frame, boxes, scores in frames:
        ended += [links for _, links in live if frame - links[-1][0] - 1 > rules.max_gap]
        live = [(total, links) for total, links in live if frame - links[-1][0] - 1 <= rules.max_gap]
        live.sort(key=lambda tube: -tube[0] / len(tube[1]))  # stable: of equals the older comes first
        free = list(range(len(boxes)))
        for i, (total, links) in enumerate(live):
            near = next((k for k in free if _iou(links[-1][1], boxes[k]) >= rules.link_iou), None)
            if near is not None:
                links.append((frame, boxes[near], scores[near]))
                live[i] = (total + scores[near], links)
                free.remove(near)
        live += [(scores[k], [(frame, boxes[k], scores[k])]) for k in free]
    return ended + [links for _, links in live]


def _link_viterbi(frames: list[_Found], rules: LinkRules) -> list[_Links]:
    gaps = np.diff([frame for frame, *_ in frames]) - 1
    tubes: list[_Links] = []
    for stretch in np.split(np.arange(len(frames)), np.flatnonzero(gaps > rules.max_gap) + 1):
        numbers = [frames[i][0] for i in stretch]
        boxes, scores = ([np.array(frames[i][column]) for i in stretch] for column in (1, 2))
        while all(len(some) for some in scores):
            path = best_path(boxes, scores, overlap_weight=rules.overlap_weight)
            taken = zip(numbers, boxes, scores, path, strict=True)
            tubes.append([(frame, tuple(b[i].tolist()), float(s[i])) for frame, b, s, i in taken])
            boxes = [np.delete(b, i, axis=0) for b, i in zip(boxes, path, strict=True)]
            scores = [np.delete(s, i) for s, i in zip(scores, path, strict=True)]
    return tubes


def _tube(video: str, label: int, links: _Links) -> Tube:
    """Fill the missing frames."""
    known = np.array([frame for frame, *_ in links])
    frames = np.arange(known[0], known[-1] + 1, dtype=np.int32)
    columns = np.array([[*box, score] for _, box, score in links])
    filled = np.stack([np.interp(frames, known, column) for column in columns.T], axis=1)
    return Tube(video, label, frames, filled[:, :4], float(columns[:, 4].mean()), filled[:, 4])


def trim_tube(tube: Tube, *, smoothness: float) -> list[Tube]:
    """The parts of a tube in which its action goes on, each with its own mean score; see `viterbi.active_frames`."""
    scores = tube.frame_confidences
    on = np.flatnonzero(active_frames(scores, smoothness=smoothness))
    if not len(on):
        return []
    parts = np.split(on, np.flatnonzero(np.diff(on) > 1) + 1)
    return [
        Tube(tube.video, tube.label, tube.frames[p], tube.boxes[p], float(scores[p].mean()), scores[p]) for p in parts
    ]
