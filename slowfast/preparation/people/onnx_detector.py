"""A person detector in an ONNX file, of the two layouts that detectors are exported in."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

_TENSORFLOW = ("detection_boxes", "detection_scores", "detection_classes")
_TORCHVISION = ("boxes", "labels", "scores")
LAYOUTS = (
    "detection_boxes (1, n, 4) y1, x1, y2, x2 in [0, 1], detection_scores and detection_classes (1, n), of TensorFlow's "
    "detection models, which take (1, height, width, 3) uint8; or boxes (n, 4) x1, y1, x2, y2 in pixels, labels and scores "
    "(n,), of torchvision's, which take (3, height, width) or (1, 3, height, width) float32 in [0, 1]"
)


@dataclass(frozen=True)
class People:
    """boxes: (n, 4) float64 xyxy in [0, 1] of the frame, likeliest first; scores: (n,)"""

    boxes: np.ndarray
    scores: np.ndarray


class OnnxPersonDetector:
    """frame (H, W, 3) uint8 RGB -> the People on it.

    session:      of ONNX Runtime
    file:         its name, for messages
    person_class: number of the class "person": 1 in COCO's numbering, which both layouts use

    Raises ValueError for a network of neither layout. A frame is scaled to the size that the network has, where it has one;
    most have their own scaling inside.
    """

    def __init__(self, session: Any, *, file: str, person_class: int = 1) -> None:
        inputs = session.get_inputs()
        # tf2onnx keeps TensorFlow's names of tensors, "detection_boxes:0".
        outputs = {one.name.partition(":")[0]: one.name for one in session.get_outputs()}
        self._session, self._person = session, person_class
        if len(inputs) == 1 and set(_TENSORFLOW) <= set(outputs) and len(inputs[0].shape) == 4:
            self._names, self._tensorflow = [outputs[name] for name in _TENSORFLOW], True
            size, wanted = inputs[0].shape[1:3], "tensor(uint8)"
        elif len(inputs) == 1 and set(_TORCHVISION) <= set(outputs) and len(inputs[0].shape) in (3, 4):
            self._names, self._tensorflow = [outputs[name] for name in _TORCHVISION], False
            size, wanted = inputs[0].shape[-2:], "tensor(float)"
        else:
            taken = ", ".join(f"{one.name} {one.shape}" for one in inputs)
            raise ValueError(
                f"{file} takes {taken} and gives {', '.join(outputs)}: that is no person detector of a layout known here, "
                f"which are {LAYOUTS}"
            )
        if inputs[0].type != wanted:
            raise ValueError(f"{file} takes {inputs[0].type}, and detectors with its outputs take {wanted}: {LAYOUTS}")
        self._input, self._rank = inputs[0].name, len(inputs[0].shape)
        self._size = tuple(size) if all(isinstance(side, int) and side > 0 for side in size) else None

    def __call__(self, frame: np.ndarray) -> People:
        shown = frame if self._size is None else cv2.resize(frame, self._size[::-1], interpolation=cv2.INTER_AREA)
        height, width = shown.shape[:2]
        if self._tensorflow:
            boxes, scores, classes = (found[0] for found in self._run(shown[None]))
            boxes = boxes[:, [1, 0, 3, 2]]
        else:
            pixels = np.ascontiguousarray(shown.transpose(2, 0, 1), dtype=np.float32) / 255
            boxes, classes, scores = self._run(pixels if self._rank == 3 else pixels[None])
            boxes = boxes / np.array([width, height, width, height])
        people = np.flatnonzero(np.rint(classes) == self._person)
        people = people[np.argsort(-scores[people], kind="stable")]
        return People(boxes[people].astype(np.float64).clip(0, 1), scores[people].astype(np.float64))

    def _run(self, pixels: np.ndarray) -> list[np.ndarray]:
        found: list[np.ndarray] = self._session.run(self._names, {self._input: pixels})
        return found
