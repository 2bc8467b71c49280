"""The people that a detector finds on the key frames of a data set, as proposals for the two-stage baseline."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from slowfast.datasets.clips.key_frame_clips import ClipShape
from slowfast.datasets.split import KeyFrameSplit
from slowfast.preparation.people.onnx_detector import People
from slowfast.structures.annotations.box_table import plain_time, time_text
from slowfast.structures.boxes import iou_and_union
from slowfast.utils.progress import progress
from slowfast.video.source import ClipReadError

_ONE_FRAME = ClipShape(num_frames=1, sampling_rate=1)
FOUND = 0.5  # IoU of an annotated person with a box that counts as found


@dataclass(frozen=True)
class Proposals:
    """rows: lines of the CSV, video,timestamp,x1,y1,x2,y2,,score with boxes in [0, 1] of the frame.

    key_frames: how many were looked at; unreadable: why others were not
    annotated, found: people in the annotations, and how many of them have a box with an IoU of FOUND or more
    """

    rows: tuple[str, ...]
    key_frames: int
    unreadable: tuple[ClipReadError, ...]
    annotated: int
    found: int

    def __str__(self) -> str:
        recall = f"{self.found / self.annotated:.3f}" if self.annotated else "n/a"
        lines = [
            f"{len(self.rows)} boxes on {self.key_frames} key frames; of {self.annotated} annotated people {self.found} have "
            f"one with an IoU of {FOUND:g} or more (recall {recall})"
        ]
        return "\n".join([*lines, *(f"  left out: {error}" for error in self.unreadable)])


def people_on_key_frames(
    split: KeyFrameSplit, detect: Callable[[np.ndarray], People], *, min_score: float, step: int = 1
) -> Proposals:
    """Ask `detect` about the key frames of a split; boxes below `min_score` and empty ones are left out.

    step: 2 for every second key frame, and so on
    """
    key_frames = split.annotated.key_frames
    rows: list[str] = []
    unreadable: list[ClipReadError] = []
    looked_at = annotated = found = 0
    for k in progress(range(0, len(key_frames), step), what="looking for people", unit="key frame"):
        video, time = key_frames.video_name(k), plain_time(key_frames.timestamp[k].item())
        try:
            frame = split.clock.read(split.pixels, video, time, _ONE_FRAME).frames[0]
        except ClipReadError as error:
            unreadable.append(error)
            continue
        looked_at += 1
        people = detect(frame)
        keep = (people.scores >= min_score) & (people.boxes[:, 2:] > people.boxes[:, :2]).all(axis=1)
        boxes, scores = people.boxes[keep], people.scores[keep]
        for box, score in zip(boxes, scores, strict=True):
            corners = ",".join(f"{corner:.5f}" for corner in box)
            rows.append(f"{video},{time_text(time)},{corners},,{score:.6f}")
        truth = key_frames.people(k)[0]
        annotated += len(truth)
        if len(truth) and len(boxes):
            overlap, _ = iou_and_union(torch.from_numpy(truth).double()[:, None], torch.from_numpy(boxes)[None])
            found += int((overlap.amax(dim=1) >= FOUND).sum())
    return Proposals(tuple(rows), looked_at, tuple(unreadable), annotated, found)
