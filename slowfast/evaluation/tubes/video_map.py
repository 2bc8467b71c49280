"""Video-mAP: mean over classes of the average precision of whole tubes, at several overlaps. Numpy only.

By descending score a tube finds, among the annotated tubes of its class and video that are not found yet, the one with
which its spatio-temporal IoU is highest, if that reaches the threshold (ACT). AP by one of AP_RULES; the mean is over
the classes with an annotated tube. 0.5:0.95 is the mean over 0.5, 0.55, ..., 0.95.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from slowfast.evaluation.average_precision import AP_RULES
from slowfast.evaluation.tubes.overlap import tube_iou, tube_rank
from slowfast.structures.annotations.label_map import LabelMap
from slowfast.structures.annotations.tube import Tube

THRESHOLDS = (0.2, 0.5, 0.75)
RANGE = tuple(round(0.5 + 0.05 * i, 2) for i in range(10))
RANGE_NAME = "0.5:0.95"


@dataclass(frozen=True)
class VideoMap:
    """ap: {"0.2": (C,) float64 in [0, 1], nan for a class without annotated tubes}; the last key is "0.5:0.95".

    instances, detections: (C,) annotated tubes, and tubes that were scored
    ap_rule, linking:      how AP was integrated, and how the tubes were made
    counters:              what was left out
    """

    label_map: LabelMap
    ap: dict[str, np.ndarray]
    instances: np.ndarray
    detections: np.ndarray
    ap_rule: str
    linking: str
    num_videos: int
    counters: dict[str, int] = field(default_factory=dict)

    def summary(self) -> dict[str, float]:
        """{"video_mAP@0.2": ..., ..., "video_mAP@0.5:0.95": ...}, fractions."""
        return {f"video_mAP@{name}": float(np.nanmean(values)) for name, values in self.ap.items()}

    def report(self) -> dict:
        """All there is to know, ready for JSON."""
        names = self.label_map.names
        return {
            **self.summary(),
            "ap_rule": self.ap_rule,
            "linking": self.linking,
            "num_videos": self.num_videos,
            "num_classes": self.label_map.num_classes,
            "num_classes_scored": int((self.instances > 0).sum()),
            "AP": {
                threshold: {name: float(v) if np.isfinite(v) else None for name, v in zip(names, values, strict=True)}
                for threshold, values in self.ap.items()
            },
            "instances": dict(zip(names, self.instances.tolist(), strict=True)),
            "detections": dict(zip(names, self.detections.tolist(), strict=True)),
            "counters": dict(self.counters),
            "warnings": self.warnings,
        }

    @property
    def warnings(self) -> list[str]:
        """What a reader of the number should know, one line each."""
        told = [f"{count} {text}" for text, count in self.counters.items() if count]
        if self.detections.sum() == 0:
            told.insert(0, "no tube was scored: video-mAP is 0 because nothing was linked")
        return told

    def headline(self) -> str:
        """The numbers with all that is needed to compare them with others."""
        values = ", ".join(f"@{name.removeprefix('video_mAP@')} {value:.4f}" for name, value in self.summary().items())
        scored = f"{int((self.instances > 0).sum())} of {self.label_map.num_classes} classes have annotated tubes"
        return f"video-mAP {values} | {self.ap_rule} AP | {scored} | {self.num_videos} videos | {self.linking}"

    def table(self) -> str:
        """A line per class (n/a: no annotated tube), then the headline."""
        width = max(len("class"), *(len(name) for name in self.label_map.names))
        head = "".join(f"{'@' + name:>10}" for name in self.ap)
        lines = [f"{'id':>4}  {'class':<{width}}  {'instances':>9}  {'tubes':>7}{head}"]
        for i, (class_id, name) in enumerate(zip(self.label_map.ids, self.label_map.names, strict=True)):
            shown = "".join(
                f"{values[i]:>10.4f}" if np.isfinite(values[i]) else f"{'n/a':>10}" for values in self.ap.values()
            )
            lines.append(f"{class_id:>4}  {name:<{width}}  {self.instances[i]:>9}  {self.detections[i]:>7}{shown}")
        return "\n".join([*lines, "", self.headline(), *(f"warning: {text}" for text in self.warnings)])


def video_map(
    groundtruth: Iterable[Tube],
    tubes: Iterable[Tube],
    label_map: LabelMap,
    *,
    videos: Iterable[str],
    ap_rule: str = "voc_all_point",
    linking: str = "tubes as given",
) -> VideoMap:
    """Score `tubes` against the annotated ones.

    videos: all test videos; tubes elsewhere, and of classes outside the label map, are counted and left out
    Raises ValueError for an unknown rule, when nothing is annotated, when a tube has no score, and when tubes were
    given but none is on one of the videos.
    """
    if ap_rule not in AP_RULES:
        raise ValueError(f"ap_rule must be one of {', '.join(AP_RULES)}, got {ap_rule!r}")
    videos = set(videos)
    truth = [tube for tube in groundtruth if tube.label in label_map.ids and tube.video in videos]
    if not truth:
        raise ValueError(
            "no tube of any class of the label map is annotated on these videos: there is nothing to score against"
        )
    tubes = list(tubes)
    if any(tube.score is None or not np.isfinite(tube.score) for tube in tubes):
        raise ValueError("every tube needs a finite score; is this ground truth?")
    known = [tube for tube in tubes if tube.video in videos]
    if tubes and not known:
        raise ValueError(
            f"none of the {len(tubes)} tubes is on a test video; one is on {tubes[0].video!r}: compare the names"
        )
    scored = [tube for tube in known if tube.label in label_map.ids]
    per_class = [
        _class_ap([t for t in truth if t.label == i], [t for t in scored if t.label == i], ap_rule)
        for i in label_map.ids
    ]
    values = np.array(per_class).T
    ap = {f"{threshold:g}": values[i] for i, threshold in enumerate(_ALL) if threshold in THRESHOLDS}
    ap[RANGE_NAME] = values[[_ALL.index(threshold) for threshold in RANGE]].mean(axis=0)
    return VideoMap(
        label_map,
        ap,
        instances=np.array([sum(t.label == i for t in truth) for i in label_map.ids]),
        detections=np.array([sum(t.label == i for t in scored) for i in label_map.ids]),
        ap_rule=ap_rule,
        linking=linking,
        num_videos=len(videos),
        counters={
            "tubes are on videos outside the test set: ignored": len(tubes) - len(known),
            "tubes have a class id outside the label map: ignored": len(known) - len(scored),
        },
    )


_ALL = tuple(sorted({*THRESHOLDS, *RANGE}))


def _class_ap(truth: Sequence[Tube], tubes: Sequence[Tube], ap_rule: str) -> list[float]:
    """AP of one class at each of _ALL."""
    of_video: dict[str, list[Tube]] = {}
    for tube in truth:
        of_video.setdefault(tube.video, []).append(tube)
    ranked = sorted(tubes, key=tube_rank)
    overlaps = [[tube_iou(tube, other) for other in of_video.get(tube.video, ())] for tube in ranked]
    ascending = np.array([tube.score for tube in reversed(ranked)])
    return [AP_RULES[ap_rule](ascending, _hit_scores(ranked, overlaps, threshold), len(truth)) for threshold in _ALL]


def _hit_scores(ranked: Sequence[Tube], overlaps: Sequence[Sequence[float]], threshold: float) -> np.ndarray:
    """Scores of the tubes that find an annotated one; `ranked` best first, overlaps[i] with those of its video."""
    found: dict[str, set[int]] = {}
    hits = []
    for tube, row in zip(ranked, overlaps, strict=True):
        taken = found.setdefault(tube.video, set())
        free = [k for k in range(len(row)) if k not in taken]
        best = max(free, key=lambda k: row[k], default=None)
        if best is not None and row[best] >= threshold:
            taken.add(best)
            hits.append(tube.score)
    return np.array(hits)
