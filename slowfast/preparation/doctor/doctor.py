"""Why is the mAP 0? Detections beside annotations, one question after the other, and the likeliest cause in a sentence."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from slowfast.datasets.annotations.people.key_frames import has_people
from slowfast.evaluation.frames.frame_map import frame_map
from slowfast.preparation.doctor.boxes import SURE, readings
from slowfast.preparation.doctor.found import CLOSE, SharedFrames, shared_frames
from slowfast.preparation.doctor.key_frames import Overlap, moved, overlap, renamed
from slowfast.structures.annotations.box_table import BoxTable
from slowfast.structures.annotations.label_map import LabelMap

IOU_BINS = np.linspace(0, 1, 11)
ENOUGH = 0.5  # share of key frames with a detection from which names and moments are right
NEARLY_ALL = 0.9  # share of detections on annotated key frames from which nothing else is tried
FAINT = 0.02  # share of people found below which detections have nothing to do with them
UPSIDE_DOWN = 0.35  # chance that a right row scores higher than a wrong one, below which scores run the wrong way
FEW_RIGHT = 0.15  # share of found people whose best class is right, below which classes are suspected


@dataclass(frozen=True)
class Measures:
    """What was measured; shares are fractions.

    overlap:        of key frames and videos
    iou_histogram:  of the best IoU of each annotated person, ten bins from 0 to 1
    found:          share of people with a box of IoU 0.5
    unknown_labels: share of rows with a class id outside the label map
    right_class:    of the people found, those whose best-scored class is right
    order:          chance that a right row scores higher than a wrong one; nan where there are not both
    box_range, score_range: smallest and largest number
    """

    overlap: Overlap
    iou_histogram: tuple[int, ...]
    found: float
    unknown_labels: float
    right_class: float
    order: float
    box_range: tuple[float, float]
    score_range: tuple[float, float]
    mean_ap: float | None


@dataclass(frozen=True)
class Examination:
    """causes: sentences, likeliest first; empty where nothing is wrong in form."""

    measures: Measures
    causes: tuple[str, ...] = field(default=())

    @property
    def verdict(self) -> str:
        """The likeliest cause in one sentence."""
        if self.causes:
            return self.causes[0]
        return "nothing is wrong in form: key frames, boxes, classes and scores fit, so the number is the model's"

    def text(self) -> str:
        """For the terminal."""
        m, o = self.measures, self.measures.overlap
        score = "cannot be computed" if m.mean_ap is None else f"{m.mean_ap:.4f}"
        rows = [
            ("mAP@0.5", score),
            ("videos of both", f"{o.videos} of {o.truth_videos} annotated, {o.detection_videos} detected"),
            (
                "key frames of both",
                f"{o.key_frames} of {o.truth_key_frames} annotated, {o.detection_key_frames} detected",
            ),
            ("detections on them", f"{o.rows} of {o.detection_rows}"),
            ("boxes from, to", "{:g}, {:g}".format(*m.box_range)),
            ("scores from, to", "{:g}, {:g}".format(*m.score_range)),
            ("people found (IoU 0.5)", f"{m.found:.1%}"),
            ("best IoU, tenths", " ".join(map(str, m.iou_histogram))),
            ("class ids not in the map", f"{m.unknown_labels:.1%}"),
            ("found, best class right", f"{m.right_class:.1%}"),
            ("right scores above wrong", "–" if np.isnan(m.order) else f"{m.order:.1%}"),
        ]
        width = max(len(name) for name, _ in rows)
        lines = [f"  {name:<{width}}  {value}" for name, value in rows]
        more = [f"then: {cause}" for cause in self.causes[1:]]
        return "\n".join(["detections beside annotations", *lines, f"likeliest cause: {self.verdict}", *more])

    def report(self) -> dict:
        """Ready for JSON."""
        m = self.measures
        return {
            "verdict": self.verdict,
            "causes": list(self.causes),
            "mAP": m.mean_ap,
            "overlap": vars(m.overlap),
            "iou_histogram": list(m.iou_histogram),
            "people_found": m.found,
            "unknown_labels": m.unknown_labels,
            "right_class": m.right_class,
            "order": None if np.isnan(m.order) else m.order,
            "box_range": list(m.box_range),
            "score_range": list(m.score_range),
        }


def examine(
    truth: BoxTable,
    detections: BoxTable,
    label_map: LabelMap,
    *,
    frame_size: Callable[[str], tuple[float, float] | None] = lambda video: None,
) -> Examination:
    """Compare. detections: rows as they stand in the file, whatever their boxes are, with scores.

    frame_size: (height, width) of a video in pixels, if it can be known
    Raises ValueError where the truth has nobody on it.
    """
    if not has_people(truth).any():
        raise ValueError("the annotations have nobody on any key frame, so there is nothing to compare with")
    measured_overlap, given = overlap(truth, detections), detections
    causes: list[str] = []
    if not len(detections):
        causes.append(
            "there is not one detection in the file: no box scored high enough (TEST.ACTOR_THRESHOLD), or none ran"
        )
    else:
        detections = _aligned(truth, detections, causes)
    shared = shared_frames(truth, detections)
    plain_best, plain_iou = shared.nearest()
    best, iou = _read_boxes(shared, plain_best, plain_iou, _size(truth, frame_size), causes)
    right = _classes(shared, best, iou, label_map, causes)
    order = _scores(shared, best, iou, label_map, causes)
    if len(detections) and not causes and iou.size and (iou >= CLOSE).mean() < FAINT:
        causes.append(
            f"the boxes are where nobody is (best IoU {np.median(iou):.2f} in the median), in no layout that is known: an "
            "untrained model, boxes of the network's input in place of the frame's, or of other videos of the same names"
        )
    known = label_map.to_index(given.label) >= 0
    measures = Measures(
        measured_overlap,
        tuple(np.histogram(plain_iou, IOU_BINS)[0].tolist()),
        float((plain_iou >= CLOSE).mean()) if len(plain_iou) else 0.0,
        float((~known).mean()) if len(given) else 0.0,
        right,
        order,
        (float(given.boxes.min()), float(given.boxes.max())) if len(given) else (0.0, 0.0),
        (float(given.scores.min()), float(given.scores.max())) if len(given) else (0.0, 0.0),
        _mean_ap(truth, given, label_map),
    )
    return Examination(measures, tuple(causes))


def _mean_ap(truth: BoxTable, detections: BoxTable, label_map: LabelMap) -> float | None:
    try:
        return frame_map(truth, detections, label_map).mAP
    except ValueError:
        return None  # the causes say why


def _size(truth: BoxTable, frame_size: Callable[[str], tuple[float, float] | None]) -> tuple[float, float] | None:
    """Of the videos, where those that are asked agree."""
    sizes = {frame_size(video) for video in truth.videos[:3]}
    return sizes.pop() if len(sizes) == 1 else None


def _aligned(truth: BoxTable, detections: BoxTable, causes: list[str]) -> BoxTable:
    """The detections on the truth's key frames, whatever it takes; what it took is a cause."""
    now = overlap(truth, detections)
    if now.videos < ENOUGH * min(now.truth_videos, now.detection_videos):
        best = max(renamed(truth, detections), key=lambda pair: overlap(truth, pair[1]).videos, default=None)
        if best is not None and overlap(truth, best[1]).videos > now.videos:
            mine = next(name for name in best[1].videos if name in truth.videos)
            theirs = detections.videos[best[1].videos.index(mine)]
            causes.append(f"videos have other names: {theirs!r} here is {mine!r} in the annotations; {best[0]}")
            detections = best[1]
        elif now.videos == 0:
            causes.append(
                f"the detections are of other videos: none of their {now.detection_videos} names (such as "
                f"{detections.videos[0]!r}) is among the {now.truth_videos} annotated ones (such as {truth.videos[0]!r})"
            )
            return detections
    now = overlap(truth, detections)
    hit = now.rows / max(now.detection_rows, 1)
    if hit < NEARLY_ALL:
        how, best_table = max(moved(truth, detections), key=lambda pair: overlap(truth, pair[1]).rows)
        better = overlap(truth, best_table).rows / max(now.detection_rows, 1)
        if better > max(2 * hit, ENOUGH) or better > max(hit + SURE, NEARLY_ALL):
            causes.append(
                f"timestamps do not meet: {hit:.0%} of the detections are on annotated key frames, and {better:.0%} would "
                f"be, as {how}"
            )
            return best_table
        if now.rows == 0:
            causes.append(
                f"the detections are on other moments: seconds {detections.timestamp.min():g} to "
                f"{detections.timestamp.max():g}, and the annotations have {truth.timestamp.min():g} to "
                f"{truth.timestamp.max():g}"
            )
    return detections


def _read_boxes(
    shared: SharedFrames,
    best: np.ndarray,
    iou: np.ndarray,
    frame_size: tuple[float, float] | None,
    causes: list[str],
) -> tuple[np.ndarray, np.ndarray]:
    """Nearest boxes in the layout that finds most people."""
    if not len(shared.box) or not len(iou):
        return best, iou
    plain = float((iou >= CLOSE).mean())
    found = [(shared.share_found(reading.change), reading) for reading in readings(shared.box, frame_size)]
    share, reading = max(found, key=lambda pair: pair[0])
    if share < max(plain + SURE, 2 * plain):
        if float(np.nanquantile(np.abs(shared.box), 0.99)) > 2:
            causes.append(
                f"the boxes reach to {np.nanmax(shared.box):g}, and boxes are fractions of the frame, 0 to 1; read as pixels "
                "they meet nobody either"
            )
        return best, iou
    causes.append(
        f"the boxes are {reading.name}, and not x1, y1, x2, y2 as fractions of the frame: so read they find {share:.0%} of "
        f"the people, and {plain:.0%} as they are; {reading.advice}"
    )
    return shared.nearest(reading.change)


def _best_labels(shared: SharedFrames, best: np.ndarray) -> np.ndarray:
    """(P,) the best-scored class id of each person's nearest box, -1 for none."""
    order = np.lexsort((shared.row_score, shared.row_box))
    label = np.full(len(shared.box) + 1, -1)
    label[shared.row_box[order]] = shared.row_label[order]  # the last of a box is its best
    return label[best]


def _classes(shared: SharedFrames, best: np.ndarray, iou: np.ndarray, label_map: LabelMap, causes: list[str]) -> float:
    """Share of the people found whose best class is right; another numbering that fits better is a cause."""
    people = [p for p in np.flatnonzero(iou >= CLOSE).tolist() if shared.acts[p]]
    if not people:
        return 0.0
    label = _best_labels(shared, best)[people]
    acts = [shared.acts[p] for p in people]
    ids = np.array(label_map.ids)

    def share(labels: np.ndarray) -> float:
        return float(np.mean([int(one) in does for one, does in zip(labels.tolist(), acts, strict=True)]))

    index = np.clip(label, 0, len(ids) - 1)
    tried = {
        "class ids count from 0, and the label map's from 1: add 1": label + 1,
        "class ids are one too high: subtract 1": label - 1,
        "they are indices of the model's outputs, from 0, and not ids of the label map, which has gaps": ids[index],
        "they are numbered from 1 without the gaps of the label map": ids[np.clip(label - 1, 0, len(ids) - 1)],
    }
    plain = share(label)
    how = max(tried, key=lambda how: share(tried[how]))
    better = share(tried[how])
    # A model that says the same of everybody is right more often under some other numbering: that is chance.
    meant = better > _by_chance(tried[how], acts) + max(SURE, 1 / np.sqrt(len(people)))
    unknown = float((label_map.to_index(shared.row_label) < 0).mean())
    if meant and better > max(plain + SURE, 1.5 * plain):
        causes.append(
            f"classes are numbered otherwise: of the people found {plain:.0%} have a right best class, and {better:.0%} "
            f"would have; {how}"
        )
    elif unknown > ENOUGH:
        some = sorted(set(shared.row_label[label_map.to_index(shared.row_label) < 0].tolist()))[:5]
        causes.append(f"{unknown:.0%} of the detections have class ids that the label map lacks, such as {some}")
    elif plain < FEW_RIGHT and len(people) >= 10:
        causes.append(
            f"the people are found, and their best class is right for {plain:.0%} of them: classes in another order than "
            "the label map's (that of another data set?), or a model that has not learned them"
        )
    return plain


def _by_chance(labels: np.ndarray, acts: Sequence[frozenset[int]]) -> float:
    """Share of the people whose class would be right if these labels had been handed out to them blindly."""
    return float(np.mean([[int(one) in does for does in acts] for one in labels.tolist()]))


def _scores(shared: SharedFrames, best: np.ndarray, iou: np.ndarray, label_map: LabelMap, causes: list[str]) -> float:
    """Chance that a right row scores above a wrong one; constant or upside-down scores are a cause."""
    if not len(shared.row_score):
        return float("nan")
    if shared.row_score.min() == shared.row_score.max():
        causes.append(
            f"all {len(shared.row_score)} scores are {shared.row_score[0]:g}: a precision-recall curve needs an order, so "
            "write the probability of each class"
        )
        return float("nan")
    owner = np.full(len(shared.box), -1)
    close = np.flatnonzero(iou >= CLOSE)
    owner[best[close]] = close
    right = np.array(
        [
            o >= 0 and label in shared.acts[o]
            for o, label in zip(owner[shared.row_box].tolist(), shared.row_label.tolist(), strict=True)
        ]
    )
    order = _auc(shared.row_score[right], shared.row_score[~right])
    if order < UPSIDE_DOWN and right.sum() >= 10:
        causes.append(
            f"scores run the wrong way: a right detection scores above a wrong one in {order:.0%} of cases; are they "
            "distances or losses? Higher must mean surer"
        )
    return order


def _auc(high: np.ndarray, low: np.ndarray) -> float:
    """The chance that one of `high` is above one of `low`, equal ones counting half; nan where one is empty."""
    if not len(high) or not len(low):
        return float("nan")
    low = np.sort(low)
    below, upto = np.searchsorted(low, high, side="left"), np.searchsorted(low, high, side="right")
    return float((below + upto).mean() / (2 * len(low)))
