"""slowfast.structures.boxes: overlaps by hand, and properties over random boxes."""

import pytest
import torch

from slowfast.structures.boxes import box_area, cxcywh_to_xyxy, generalized_iou, iou_and_union, xyxy_to_cxcywh


def random_boxes(count: int, seed: int = 0) -> torch.Tensor:
    corners = torch.rand(count, 2, 2, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return torch.cat([corners.amin(1), corners.amax(1)], dim=1)


# One row: box a, box b, IoU, GIoU; all by hand.
OVERLAPS = [
    ([0, 0, 2, 2], [0, 0, 2, 2], 1.0, 1.0),
    ([0, 0, 2, 2], [1, 1, 3, 3], 1 / 7, 1 / 7 - 2 / 9),
    ([0, 0, 2, 2], [0, 0, 1, 2], 0.5, 0.5),  # inside: the hull is the larger box
    ([0, 0, 1, 1], [2, 0, 3, 1], 0.0, -1 / 3),  # apart: a third of the hull is empty
    ([0, 0, 1, 1], [1, 0, 2, 1], 0.0, 0.0),  # they touch
    ([1, 1, 1, 1], [1, 1, 1, 1], 0.0, -1.0),  # two points: the worst value, not NaN
    ([0, 0, 0, 2], [0, 0, 2, 2], 0.0, 0.0),  # a line inside a box
]


@pytest.mark.parametrize(("a", "b", "iou", "giou"), OVERLAPS)
def test_overlaps_by_hand(a, b, iou, giou):
    a, b = torch.tensor(a, dtype=torch.float64), torch.tensor(b, dtype=torch.float64)
    assert iou_and_union(a, b)[0].item() == pytest.approx(iou)
    assert generalized_iou(a, b).item() == pytest.approx(giou)
    assert generalized_iou(b, a).item() == pytest.approx(giou)


def test_areas_and_union_by_hand():
    boxes = torch.tensor([[0.0, 0, 2, 3], [1, 1, 1, 5], [3, 3, 1, 1]])
    assert box_area(boxes).tolist() == [6, 0, 0]  # the last one is inverted
    assert iou_and_union(boxes[0], torch.tensor([1.0, 1, 3, 4]))[1].item() == 6 + 6 - 2


def test_formats_by_hand_and_back():
    assert cxcywh_to_xyxy(torch.tensor([0.5, 0.5, 0.25, 0.5])).tolist() == [0.375, 0.25, 0.625, 0.75]
    assert xyxy_to_cxcywh(torch.tensor([0.375, 0.25, 0.625, 0.75])).tolist() == [0.5, 0.5, 0.25, 0.5]
    boxes = random_boxes(1000)
    torch.testing.assert_close(cxcywh_to_xyxy(xyxy_to_cxcywh(boxes)), boxes)
    assert cxcywh_to_xyxy(boxes.view(10, 100, 4)).shape == (10, 100, 4)


def test_properties_of_random_pairs():
    a, b = random_boxes(1000, seed=1), random_boxes(1000, seed=2)
    iou, giou = iou_and_union(a, b)[0], generalized_iou(a, b)
    assert ((iou >= 0) & (iou <= 1)).all()
    assert ((giou > -1) & (giou <= iou + 1e-12)).all()
    torch.testing.assert_close(generalized_iou(a * 300 + 7, b * 300 + 7), giou)  # neither unit nor origin matters
    every_pair = generalized_iou(a[:10, None], b[None, :10])
    assert every_pair.shape == (10, 10)
    torch.testing.assert_close(every_pair.diagonal(), giou[:10])


def test_the_gradient_is_finite_and_pulls_separate_boxes_together():
    wanted = torch.tensor([0.8, 0.8, 0.9, 0.9])
    box = torch.tensor([0.1, 0.1, 0.2, 0.2], requires_grad=True)
    (1 - generalized_iou(box, wanted)).backward()
    assert (box.grad[:2] + box.grad[2:] < 0).all()  # a step down the gradient moves the box to the right and down
    points = torch.full((1, 4), 0.5, requires_grad=True)
    generalized_iou(points, points.detach()).sum().backward()
    assert torch.isfinite(points.grad).all()
