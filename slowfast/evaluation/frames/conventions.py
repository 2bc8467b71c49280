"""Frame-mAP of sets annotated frame by frame (UCF101-24, JHMDB-21), in the field's conventions, by name. Numpy only.

One set of detections scores up to 7 points apart under them, so a number without its convention says little:

    frames    every      all frames of the test videos; a detection where nobody is annotated is a false positive
              annotated  only frames with an annotated person; what is detected elsewhere is not looked at (flatters)
    ap        voc_all_point, voc_11_point, trapezoid: see `average_precision`
    matching  remaining (ACT, MOC) or best (VOC): see `remaining_matching`; they differ only where several people of a
              frame do one action

JHMDB-21 is annotated in every frame, so "every" and "annotated" are one there.
"""

import itertools
from dataclasses import dataclass, replace

import numpy as np

from slowfast.evaluation.average_precision import AP_RULES
from slowfast.evaluation.frames.frame_map import MATCHINGS, frame_map
from slowfast.evaluation.frames.key_frame_index import KeyFrameIndex
from slowfast.evaluation.frames.result import FrameMap
from slowfast.structures.annotations.box_table import BoxTable
from slowfast.structures.annotations.label_map import LabelMap

FRAMES = {"every": "all_included", "annotated": "gt_only"}


@dataclass(frozen=True)
class FrameConvention:
    """How frames are scored; see the top of this file. The default is ours; ACT is the one of ACT's and MOC's code."""

    frames: str = "every"
    ap: str = "voc_all_point"
    matching: str = "remaining"

    def __post_init__(self) -> None:
        for name, known in (("frames", FRAMES), ("ap", AP_RULES), ("matching", MATCHINGS)):
            value = getattr(self, name)
            if value not in known:
                raise ValueError(f"{name} must be one of {', '.join(known)}, got {value!r}")

    def __str__(self) -> str:
        return f"frames {self.frames}, {self.ap} AP, {self.matching} matching"


ACT = FrameConvention("every", "trapezoid", "remaining")


def convention_named(name: str) -> FrameConvention:
    """The convention that calls itself `name`, as results do. Raises ValueError where none does."""
    choices = itertools.product(FRAMES, AP_RULES, MATCHINGS)
    known = {str(convention): convention for convention in itertools.starmap(FrameConvention, choices)}
    if name not in known:
        raise ValueError(f"there is no convention {name!r}; one is {str(ACT)!r}")
    return known[name]


def conventional_frame_map(
    groundtruth: BoxTable,
    detections: BoxTable,
    label_map: LabelMap,
    convention: FrameConvention,
    *,
    iou_threshold: float = 0.5,
) -> FrameMap:
    """Score `detections`; the result carries the name of the convention.

    groundtruth: has a row for each person and action and, for "every", one with NO_LABEL for each frame without people
    The mean is over the classes with ground truth. Errors and counters as in `frame_map`.
    """
    result = frame_map(
        groundtruth,
        detections,
        label_map,
        protocol="uncapped",
        key_frames=FRAMES[convention.frames],
        iou_threshold=iou_threshold,
        ap_rule=convention.ap,
        matching=convention.matching,
    )
    return replace(result, convention=str(convention))


def misses_empty_frames(groundtruth: BoxTable, detections: BoxTable) -> bool:
    """True when frames without people are listed and no detection lies on any: were only annotated frames shown?

    Such detections are scored right by "annotated", but flatter "every" and video-mAP.
    """
    empty = groundtruth.rows(np.isnan(groundtruth.boxes).all(axis=1))
    if not len(empty) or not len(detections):
        return False
    index = KeyFrameIndex(empty)
    return not (index.find(index.video_numbers(detections.videos)[detections.video], detections.timestamp) >= 0).any()


def all_conventions(
    groundtruth: BoxTable,
    detections: BoxTable,
    label_map: LabelMap,
    *,
    matching: str = "remaining",
    iou_threshold: float = 0.5,
) -> dict[str, float]:
    """{"frames every, trapezoid AP, remaining matching": mAP, ...} for each choice of frames and AP rule.

    "every" is left out where the ground truth lists no frame without people: then it would be "annotated" over again,
    be it because all are annotated (JHMDB-21) or because the others were not asked for.
    """
    kinds = [kind for kind in FRAMES if kind == "annotated" or np.isnan(groundtruth.boxes).any()]
    conventions = [FrameConvention(frames, ap, matching) for frames in kinds for ap in AP_RULES]
    return {
        str(c): conventional_frame_map(groundtruth, detections, label_map, c, iou_threshold=iou_threshold).mAP
        for c in conventions
    }
