"""FrameMap: what an evaluation found, under which protocol, and how to print it; DetectionResult: with its boxes.

Numpy only.
"""

from dataclasses import dataclass

import numpy as np

from slowfast.structures.annotations.box_table import BoxTable
from slowfast.structures.annotations.label_map import LabelMap
from slowfast.structures.outputs.result import Headline

WARNINGS = {
    "groundtruth_of_unknown_class": "ground-truth rows have a class id outside the label map and are ignored",
    "groundtruth_repeated_rows": "ground-truth rows repeat another row (same key frame, class and box): each counts, "
    "none but the first can be found",
    "detections_dropped_unlisted_key_frame": "detections are on key frames that the ground truth does not list: "
    "ignored",
    "detections_dropped_unknown_class": "detections have a class id outside the label map: ignored",
    "detections_dropped_no_area": "detections have a box without area, or an inverted one: ignored",
    "videos_without_detections": "videos with annotated people have no detection at all: their people count as missed",
    "key_frames_unscored": "key frames of the ground truth were never given to the model: their people count as missed",
}


@dataclass(frozen=True)
class FrameMap:
    """Frame-mAP of C classes.

    ap:             (C,) float64 in [0, 1], nan where the class has no ground truth
    instances:      (C,) int64 ground-truth boxes
    detections:     (C,) int64 detections that were scored
    protocol, key_frames, iou_threshold: as given to `frame_map`
    num_key_frames: key frames scored
    counters:       what was left out and why, all of it, zeros included
    person_ap:      AP of finding people whatever they do, in [0, 1]; None where it was not asked for
    convention:     the name of the rules beyond AVA's, see `conventions`; "" for AVA's
    """

    label_map: LabelMap
    ap: np.ndarray
    instances: np.ndarray
    detections: np.ndarray
    protocol: str
    key_frames: str
    iou_threshold: float
    num_key_frames: int
    counters: dict[str, int]
    person_ap: float | None = None
    convention: str = ""

    @property
    def mAP(self) -> float:  # noqa: N802  (the name the whole field uses)
        """Mean over the classes with ground truth, in [0, 1]; nan where nothing is annotated."""
        return float(np.nanmean(self.ap)) if self.annotated else float("nan")

    @property
    def annotated(self) -> bool:
        """Is there anything to compare with? Key frames may be listed for their detections alone."""
        return bool(np.isfinite(self.ap).any())

    @property
    def num_classes_scored(self) -> int:
        return int(np.isfinite(self.ap).sum())

    @property
    def warnings(self) -> list[str]:
        """One sentence per thing that a reader of the number should know."""
        if not self.annotated:
            return []
        found = [f"{self.counters[name]} {text}" for name, text in WARNINGS.items() if self.counters.get(name)]
        if self.detections.sum() == 0:
            missing = [text for text in found if WARNINGS["videos_without_detections"] not in text]
            return [self._why_nothing_was_scored(), *missing]
        return found

    def _why_nothing_was_scored(self) -> str:
        count, prefix = self.counters["detections"], "detections_dropped_"
        if count == 0:
            return "no detection was scored: the mAP is 0 because nothing was detected"
        reasons = {name.removeprefix(prefix): n for name, n in self.counters.items() if name.startswith(prefix) and n}
        told = ", ".join(f"{n} {reason.replace('_', ' ')}" for reason, n in reasons.items())
        return f"no detection was scored: the mAP is 0 because all {count} detections were left out ({told})"

    def summary(self) -> dict[str, float | None]:
        """{"mAP": ..., "AP/<class name>": ..., "person_AP": ...}, fractions; None for a class without ground truth."""
        result: dict[str, float | None] = {"mAP": self.mAP if self.annotated else None}
        if self.person_ap is not None:
            result["person_AP"] = self.person_ap
        for name, value in zip(self.label_map.names, self.ap, strict=True):
            result[f"AP/{name}"] = float(value) if np.isfinite(value) else None
        return result

    def report(self) -> dict:
        """All there is to know, ready for JSON: the summary and what it was measured on."""
        names = self.label_map.names
        return {
            **self.summary(),
            **({"convention": self.convention} if self.convention else {}),
            "protocol": self.protocol,
            "key_frames": self.key_frames,
            "iou_threshold": self.iou_threshold,
            "num_key_frames": self.num_key_frames,
            "num_classes": self.label_map.num_classes,
            "num_classes_scored": self.num_classes_scored,
            "instances": dict(zip(names, self.instances.tolist(), strict=True)),
            "detections": dict(zip(names, self.detections.tolist(), strict=True)),
            "counters": dict(self.counters),
            "warnings": self.warnings,
        }

    def one_line(self) -> str:
        """The mAP with all that is needed to compare it with another."""
        if not self.annotated:
            return (
                f"no mAP: the {self.num_key_frames} key frames are listed without people, so there is nothing to compare "
                f"the {self.counters['detections']} detections with"
            )
        rules = self.convention or f"protocol {self.protocol}"
        frames = f"key frames {self.key_frames} ({self.num_key_frames})"
        if self.convention:
            frames = f"{self.num_key_frames} frames"
        line = (
            f"mAP@{self.iou_threshold:g} {self.mAP:.4f} | {rules} | "
            f"{self.num_classes_scored} of {self.label_map.num_classes} classes have ground truth | {frames}"
        )
        return line if self.person_ap is None else f"{line} | person AP {self.person_ap:.4f}"

    def table(self) -> str:
        """A line per class (n/a: no ground truth), the one line, the warnings."""
        width = max(len("class"), *(len(name) for name in self.label_map.names))
        lines = [f"{'id':>4}  {'class':<{width}}  {'instances':>9}  {'detections':>10}  {'AP':>6}"]
        rows = zip(self.label_map.ids, self.label_map.names, self.instances, self.detections, self.ap, strict=True)
        for class_id, name, instances, detections, value in rows:
            shown = f"{value:.4f}" if np.isfinite(value) else "n/a"
            lines.append(f"{class_id:>4}  {name:<{width}}  {instances:>9}  {detections:>10}  {shown:>6}")
        return "\n".join([*lines, "", self.one_line(), *(f"warning: {text}" for text in self.warnings)])


def without_annotations(label_map: LabelMap, *, detections: np.ndarray, key_frames: int, protocol: str) -> FrameMap:
    """Of a test set whose key frames are listed and not annotated. detections: (C,) how many of each class there are."""
    return FrameMap(
        label_map=label_map,
        ap=np.full(label_map.num_classes, np.nan),
        instances=np.zeros(label_map.num_classes, dtype=np.int64),
        detections=detections,
        protocol=protocol,
        key_frames="all_included",
        iou_threshold=0.5,
        num_key_frames=key_frames,
        counters={"groundtruth_rows": 0, "detections": int(detections.sum())},
    )


@dataclass(frozen=True)
class DetectionResult:
    """A test of a detector: a Result (`structures/result.py`) with what it was computed from.

    detections: a row for each box found and class of the model, scored by action times actor
    people:     the boxes found as rows of one class, scored by the probability of an actor
    """

    frame_map: FrameMap
    detections: BoxTable
    people: BoxTable

    @property
    def headline(self) -> Headline:
        return Headline("mAP", self.frame_map.mAP)

    def summary(self) -> dict[str, float | None]:
        return self.frame_map.summary()

    def report(self) -> dict:
        return self.frame_map.report()

    def table(self) -> str:
        return self.frame_map.table()
