"""slowfast.structures.annotations.tube: what is no tube is refused, and an annotated tube has no score to ask for."""

import numpy as np
import pytest

from slowfast.structures.annotations.tube import Tube

BOXES = np.tile([0.1, 0.2, 0.3, 0.4], (3, 1))
FRAMES = np.array([2, 3, 5])


def test_a_scored_tube_tells_its_scores_and_an_annotated_one_refuses():
    scored = Tube("v", 1, FRAMES, BOXES, 0.5, np.array([0.4, 0.5, 0.6]))
    assert (len(scored), scored.confidence, scored.frame_confidences.tolist()) == (3, 0.5, [0.4, 0.5, 0.6])
    annotated = Tube("v", 1, FRAMES, BOXES)
    with pytest.raises(ValueError, match="a tube in 'v' has no score; is this ground truth"):
        _ = annotated.confidence
    with pytest.raises(ValueError, match="a tube in 'v' has no scores of its frames; is this ground truth"):
        _ = annotated.frame_confidences


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"frames": np.array([2, 2, 5])}, r"strictly rising order, got \[2, 2, 5\] in 'v'"),
        ({"frames": np.zeros(0, int), "boxes": np.zeros((0, 4))}, r"strictly rising order, got \[\]"),
        ({"boxes": BOXES[:2]}, r"needs boxes of shape \(3, 4\), got \(2, 4\)"),
        ({"scores": np.zeros(2)}, r"needs scores of shape \(3,\), got \(2,\)"),
    ],
)
def test_what_is_no_tube(changes, message):
    with pytest.raises(ValueError, match=message):
        Tube(**({"video": "v", "label": 1, "frames": FRAMES, "boxes": BOXES} | changes))
