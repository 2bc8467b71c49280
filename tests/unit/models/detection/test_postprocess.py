"""slowfast.models.detection.postprocess: threshold, suppression and the way back to the original frame, by hand."""

import pytest
import torch

from slowfast.models.detection.postprocess import PostProcess
from slowfast.structures.clip import ClipMeta
from slowfast.structures.outputs.predictions import Detections, Predictions

WHOLE = (0.0, 0.0, 1.0, 1.0)


def run(probability, boxes, *, regions=(WHOLE,), actions=None, **options) -> Detections:
    """probability (B, N), boxes (B, N, 4) cxcywh."""
    probability, boxes = torch.tensor(probability), torch.tensor(boxes)
    actions = torch.zeros(*probability.shape, 2) if actions is None else torch.tensor(actions)
    meta = [ClipMeta("v", i, region) for i, region in enumerate(regions)]
    predictions = Predictions(probability.logit()[..., None], boxes, actions)
    return PostProcess(**({"actor_threshold": 0.0} | options))(predictions, meta)


LEFT, NEAR_LEFT, RIGHT = [0.3, 0.5, 0.2, 0.4], [0.32, 0.5, 0.2, 0.4], [0.7, 0.5, 0.2, 0.4]


def test_scores_are_action_times_actor_and_people_come_likeliest_first():
    found = run([[0.25, 0.5, 0.75]], [[LEFT, NEAR_LEFT, RIGHT]], actions=[[[0.0, 0.0], [0.0, 0.0], [0.0, 100.0]]])
    assert found.actor.tolist() == pytest.approx([0.75, 0.5, 0.25])
    assert found.boxes[0].tolist() == pytest.approx([0.6, 0.3, 0.8, 0.7])
    assert found.scores[0].tolist() == pytest.approx([0.375, 0.75])
    assert found.scores[2].tolist() == pytest.approx([0.125, 0.125])


@pytest.mark.parametrize(("threshold", "count"), [(0.0, 3), (0.5, 2), (0.51, 1), (0.9, 0), (1.0, 0)])
def test_the_threshold_includes_its_own_value(threshold, count):
    assert len(run([[0.25, 0.5, 0.75]], [[LEFT, NEAR_LEFT, RIGHT]], actor_threshold=threshold).boxes) == count


def test_suppression_is_off_unless_asked_for():
    boxes = [[LEFT, NEAR_LEFT, RIGHT]]  # the first two have IoU 0.18 / 0.22
    assert len(run([[0.3, 0.6, 0.2]], boxes).boxes) == 3
    found = run([[0.3, 0.6, 0.2]], boxes, nms_iou=0.8)
    assert found.actor.tolist() == pytest.approx([0.6, 0.2])  # the likelier one stays
    assert len(run([[0.3, 0.6, 0.2]], boxes, nms_iou=0.82).boxes) == 3


def test_clips_do_not_suppress_each_other():
    found = run([[0.6], [0.5]], [[LEFT], [LEFT]], regions=(WHOLE, WHOLE), nms_iou=0.1)
    assert found.clip_index.tolist() == [0, 1]


def test_most_people_counts_per_clip_and_after_suppression():
    boxes = [[LEFT, NEAR_LEFT, RIGHT]] * 2
    found = run([[0.9, 0.8, 0.1], [0.1, 0.2, 0.3]], boxes, regions=(WHOLE, WHOLE), max_people=2)
    assert found.clip_index.tolist() == [0, 0, 1, 1]
    assert found.actor.tolist() == pytest.approx([0.9, 0.8, 0.3, 0.2])
    found = run([[0.9, 0.8, 0.1]], boxes[:1], nms_iou=0.5, max_people=2)
    assert found.actor.tolist() == pytest.approx([0.9, 0.1])


@pytest.mark.parametrize(
    ("region", "box", "expected"),
    [
        (WHOLE, [0.3, 0.5, 0.2, 0.4], [0.2, 0.3, 0.4, 0.7]),
        ((0.5, 0.0, 1.0, 0.5), [0.5, 0.5, 1.0, 1.0], [0.5, 0.0, 1.0, 0.5]),  # a crop
        ((0.5, 0.2, 0.9, 0.6), [0.25, 0.5, 0.5, 0.5], [0.5, 0.3, 0.7, 0.5]),
        ((1.0, 0.0, 0.0, 1.0), [0.3, 0.5, 0.2, 0.4], [0.6, 0.3, 0.8, 0.7]),  # mirrored
        ((0.9, 0.2, 0.5, 0.6), [0.25, 0.5, 0.5, 0.5], [0.7, 0.3, 0.9, 0.5]),  # a mirrored crop
        ((0.0, 0.0, 2.0, 1.0), [0.25, 0.5, 0.5, 1.0], [0.0, 0.0, 1.0, 1.0]),  # the right half is padding
        ((0.0, 0.0, 2.0, 1.0), [0.5, 0.5, 0.5, 1.0], [0.5, 0.0, 1.0, 1.0]),  # half of the box is in the padding
        ((1.0, 0.0, -1.0, 1.0), [0.25, 0.5, 0.5, 1.0], [0.0, 0.0, 1.0, 1.0]),  # mirrored, then padded
        (WHOLE, [0.0, 0.0, 0.5, 0.5], [0.0, 0.0, 0.25, 0.25]),  # clipped to the frame
    ],
)
def test_boxes_go_back_to_the_original_frame(region, box, expected):
    found = run([[0.5]], [[box]], regions=(region,))
    assert found.boxes[0].tolist() == pytest.approx(expected, abs=1e-6)


def test_each_clip_uses_its_own_region():
    found = run([[0.5], [0.5]], [[LEFT], [LEFT]], regions=((0.0, 0.0, 0.5, 1.0), (0.5, 0.0, 1.0, 1.0)))
    assert found.boxes[:, 0].tolist() == pytest.approx([0.1, 0.6])


def test_nobody_at_all_keeps_the_shapes():
    found = run(
        [[0.1], [0.2]], [[LEFT], [RIGHT]], regions=(WHOLE, WHOLE), actor_threshold=0.5, nms_iou=0.5, max_people=3
    )
    assert found.boxes.shape == (0, 4) and found.scores.shape == (0, 2)
    assert found.actor.shape == found.clip_index.shape == (0,)


def test_results_are_float32_on_the_cpu_without_a_graph():
    boxes = torch.rand(1, 4, 4, requires_grad=True)
    predictions = Predictions(
        torch.zeros(1, 4, 2, dtype=torch.bfloat16), boxes, torch.zeros(1, 4, 3, dtype=torch.bfloat16)
    )
    found = PostProcess(actor_threshold=0.5)(predictions, [ClipMeta("v", 1, WHOLE)])
    assert len(found.boxes) == 4  # two equal logits are exactly 0.5
    assert {found.boxes.dtype, found.actor.dtype, found.scores.dtype} == {torch.float32}
    assert not found.boxes.requires_grad


def test_every_person_names_its_candidate():
    found = run([[0.2, 0.9, 0.6], [0.7, 0.1, 0.8]], [[LEFT, RIGHT, NEAR_LEFT]] * 2, regions=(WHOLE,) * 2)
    assert found.token.tolist() == [1, 2, 0, 2, 0, 1]
    kept = run([[0.2, 0.9, 0.6]], [[LEFT, NEAR_LEFT, RIGHT]], actor_threshold=0.1, nms_iou=0.5)
    assert kept.token.tolist() == [1, 2]  # the first overlaps the second
