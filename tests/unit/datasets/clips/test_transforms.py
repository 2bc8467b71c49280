"""slowfast.datasets.clips.transforms: properties over random boxes, and pixels that must lie where the boxes say."""

import pytest
import torch
from torchvision.transforms.v2 import functional as F

from slowfast.datasets.clips import transforms as T


def random_boxes(count: int, generator: torch.Generator) -> torch.Tensor:
    corners = torch.rand(count, 2, 2, generator=generator)
    return torch.cat([corners.amin(1), corners.amax(1)], dim=1)


def generators(count: int):
    for seed in range(count):
        yield torch.Generator().manual_seed(seed)


def white_box(box: list[float], height: int = 96, width: int = 160) -> torch.Tensor:
    """(2, 3, H, W): black frames, white inside the box."""
    frames = torch.zeros(2, 3, height, width, dtype=torch.uint8)
    frames[..., round(box[1] * height) : round(box[3] * height), round(box[0] * width) : round(box[2] * width)] = 255
    return frames


def bounds_of_white(frames: torch.Tensor) -> torch.Tensor:
    """xyxy in pixels of what is brighter than half."""
    rows, columns = torch.nonzero(frames[0].float().mean(0) > 127, as_tuple=True)
    return torch.stack([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]).float()


def test_a_box_safe_crop_keeps_every_box_whole():
    for generator in generators(1000):
        boxes = random_boxes(int(torch.randint(1, 6, (), generator=generator)), generator)
        region = T.box_safe_region(boxes, (0.3, 0.9), generator)
        left, top, right, bottom = region
        assert -1e-9 <= left < right <= 1 + 1e-9 and -1e-9 <= top < bottom <= 1 + 1e-9
        eps = 1e-6
        assert (boxes[:, 0] >= left - eps).all() and (boxes[:, 1] >= top - eps).all()
        assert (boxes[:, 2] <= right + eps).all() and (boxes[:, 3] <= bottom + eps).all()
        moved, keep = T.boxes_in_region(boxes, region, min_visible=0.999)
        assert keep.all() and moved.shape == boxes.shape


def test_a_box_safe_crop_is_no_larger_than_it_must_be():
    for generator in generators(300):
        boxes = random_boxes(2, generator)
        left, top, right, bottom = T.box_safe_region(boxes, (0.5, 0.5), generator)
        hull = (boxes[:, 2].max() - boxes[:, 0].min(), boxes[:, 3].max() - boxes[:, 1].min())
        assert right - left == pytest.approx(max(0.5, hull[0].item()), abs=1e-6)
        assert bottom - top == pytest.approx(max(0.5, hull[1].item()), abs=1e-6)


def test_without_people_a_box_safe_crop_goes_anywhere():
    regions = [T.box_safe_region(torch.zeros(0, 4), (0.5, 0.8), generator) for generator in generators(300)]
    lefts, sides = [r[0] for r in regions], [r[2] - r[0] for r in regions]
    assert 0.5 <= min(sides) < 0.53 and 0.77 < max(sides) <= 0.8
    assert min(lefts) < 0.02 and max(lefts) > 0.4
    assert max(r[2] for r in regions) <= 1 + 1e-9


def test_a_free_crop_has_sides_of_the_scale_and_stays_inside():
    regions = torch.tensor([T.random_region((0.4, 0.7), generator) for generator in generators(300)])
    sides = regions[:, 2:] - regions[:, :2]
    assert (sides >= 0.4 - 1e-6).all() and (sides <= 0.7 + 1e-6).all()
    assert (regions >= 0).all() and (regions <= 1 + 1e-6).all()
    assert not torch.allclose(sides[:, 0], sides[:, 1])  # width and height are drawn apart


@pytest.mark.parametrize(
    ("box", "min_visible", "expected"),
    [
        ([0.6, 0.6, 0.8, 0.9], 0.25, [0.2, 0.2, 0.6, 0.8]),  # inside
        ([0.4, 0.5, 0.6, 1.0], 0.5, [0.0, 0.0, 0.2, 1.0]),  # half of it
        ([0.4, 0.5, 0.6, 1.0], 0.51, None),
        ([0.1, 0.1, 0.4, 0.4], 0.0, None),  # outside
        ([0.1, 0.5, 0.5, 1.0], 0.0, None),  # it touches the edge: nothing of it is inside
        ([0.0, 0.0, 1.0, 1.0], 0.25, [0.0, 0.0, 1.0, 1.0]),  # larger than the region
    ],
)
def test_boxes_in_a_region_by_hand(box, min_visible, expected):
    moved, keep = T.boxes_in_region(
        torch.tensor([box], dtype=torch.float64), (0.5, 0.5, 1.0, 1.0), min_visible=min_visible
    )
    assert keep.tolist() == [expected is not None]
    if expected is not None:
        torch.testing.assert_close(moved, torch.tensor([expected], dtype=torch.float64))


def test_every_whole_box_stays_when_all_of_it_must_be_visible():
    for generator in generators(300):
        boxes = random_boxes(3, generator)
        assert T.boxes_in_region(boxes, T.box_safe_region(boxes, (0.3, 0.9), generator), min_visible=1.0)[1].all()


def test_no_boxes_stay_no_boxes():
    moved, keep = T.boxes_in_region(torch.zeros(0, 4), (0.2, 0.2, 0.4, 0.4), min_visible=0.5)
    assert moved.shape == (0, 4) and keep.shape == (0,)


def test_boxes_go_to_the_region_and_back():
    for generator in generators(1000):
        boxes, region = random_boxes(4, generator).double(), T.random_region((0.3, 1.0), generator)
        moved, keep = T.boxes_in_region(boxes, region, min_visible=0.0)
        if torch.rand((), generator=generator) < 0.5:
            moved, region = T.mirror(moved, region)
        origin, size = torch.tensor(region[:2] * 2), torch.tensor([region[2] - region[0], region[3] - region[1]] * 2)
        back = origin + moved * size
        back = torch.cat([torch.minimum(back[:, :2], back[:, 2:]), torch.maximum(back[:, :2], back[:, 2:])], dim=1)
        left, right = sorted((region[0], region[2]))
        low, high = torch.tensor([left, region[1]] * 2).double(), torch.tensor([right, region[3]] * 2).double()
        clipped = torch.minimum(torch.maximum(boxes[keep], low), high)
        torch.testing.assert_close(back.double(), clipped, rtol=0, atol=1e-6)


def test_boxes_are_those_of_the_equations_bit_for_bit():
    """Whatever computes them: a run that goes on, and one on another version, see the same boxes."""
    for generator in generators(200):
        boxes = random_boxes(int(torch.randint(0, 5, (), generator=generator)), generator)
        region, least = T.random_region((0.3, 1.0), generator), torch.rand((), generator=generator).item()
        left, top, right, bottom = region
        moved = (boxes - torch.tensor([left, top] * 2)) / torch.tensor([right - left, bottom - top] * 2)
        clipped = moved.clamp(0, 1)
        area, visible = ((b[:, 2:] - b[:, :2]).prod(-1) for b in (moved, clipped))
        keep = (visible > 0) & (visible >= least * area)
        found, kept = T.boxes_in_region(boxes, region, min_visible=least)
        assert torch.equal(kept, keep) and torch.equal(found, clipped[keep])
        other = torch.stack([1 - boxes[:, 2], boxes[:, 1], 1 - boxes[:, 0], boxes[:, 3]], dim=1)
        assert torch.equal(T.mirror(boxes, region)[0], other)


def test_mirrored_twice_is_the_original():
    generator = torch.Generator().manual_seed(0)
    boxes, region = random_boxes(3, generator), (0.1, 0.2, 0.7, 0.9)
    once = T.mirror(boxes, region)
    assert once[1] == (0.7, 0.2, 0.1, 0.9) and not torch.equal(once[0], boxes)
    assert (once[0][:, 2:] > once[0][:, :2]).all()
    twice = T.mirror(*once)
    assert twice[1] == region
    torch.testing.assert_close(twice[0], boxes)


def test_cutting_the_whole_frame_out_is_plain_resizing():
    frames = torch.randint(0, 256, (2, 3, 45, 61), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    resized, region = T.crop_and_resize(frames, T.WHOLE_FRAME, (32, 48))
    assert torch.equal(resized, F.resize(frames, [32, 48], antialias=True)) and region == T.WHOLE_FRAME
    same, _ = T.crop_and_resize(frames, T.WHOLE_FRAME, (45, 61))
    assert torch.equal(same, frames)


@pytest.mark.parametrize(
    ("region", "pixels"),
    [
        ((0.25, 0.25, 0.75, 0.75), (2, 2, 6, 6)),
        ((0.2, 0.26, 0.7, 0.74), (1, 2, 6, 6)),  # a pixel that is cut is inside
        ((0.49, 0.99, 0.49, 1.0), (3, 7, 4, 8)),  # at least one pixel
        ((0.999999999, 0.0, 1.0, 0.125), (7, 0, 8, 1)),
        ((0.1 + 0.2 - 0.05, 0.0, 0.75, 1.0), (2, 0, 6, 8)),  # 0.25000000000000006 is the edge of pixel 2
    ],
)
def test_regions_grow_to_whole_pixels(region, pixels):
    frames = torch.arange(64, dtype=torch.uint8).view(1, 1, 8, 8).expand(1, 3, 8, 8)
    left, top, right, bottom = pixels
    cut, found = T.crop_and_resize(frames, region, (bottom - top, right - left))
    assert found == tuple(edge / 8 for edge in pixels)
    assert torch.equal(cut, frames[..., top:bottom, left:right])


def test_the_white_pixels_are_where_the_box_says():
    box = [0.25, 0.375, 0.5, 0.75]
    frames = white_box(box)
    for generator in generators(40):
        for choose in (
            T.box_safe_region(torch.tensor([box]), (0.4, 1.0), generator),
            T.random_region((0.4, 1.0), generator),
        ):
            height, width = 60, 110
            pixels, region = T.crop_and_resize(frames, choose, (height, width))
            boxes, keep = T.boxes_in_region(torch.tensor([box]), region, min_visible=0.25)
            if not keep.all():
                continue
            if torch.rand((), generator=generator) < 0.5:
                pixels, (boxes, region) = pixels.flip(-1), T.mirror(boxes, region)
            expected = boxes[0] * torch.tensor([width, height, width, height])
            assert (bounds_of_white(pixels) - expected).abs().max() <= 1.0


@pytest.mark.parametrize(
    ("frame", "short_side", "expected"),
    [
        ((240, 320), 256, (256, 352)),  # 341.3 is nearer to 352 than to 320
        ((320, 240), 256, (352, 256)),
        ((200, 200), 128, (128, 128)),
        ((100, 400), 64, (64, 256)),
        ((100.5, 100.5), 64, (64, 64)),
    ],
)
def test_sizes_that_keep_the_aspect(frame, short_side, expected):
    assert T.aspect_size(frame, short_side) == expected
