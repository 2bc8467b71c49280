"""slowfast.datasets.clips.presets: pixels, boxes, actions and region stay together through a whole preset."""

import numpy as np
import pytest
import torch
from torchvision.transforms.v2 import functional as F

from slowfast.datasets.clips.presets import Augmentation, DetectionPreset
from slowfast.structures.boxes import cxcywh_to_xyxy

BOXES = np.array([[0.0625, 0.25, 0.3125, 0.75], [0.5, 0.125, 0.875, 0.5]], dtype=np.float32)
GREYS = (120, 240)
ACTIONS = np.array([[1, 0, 0], [0, 1, 1]], dtype=np.uint8)


def frames(height: int = 96, width: int = 160) -> np.ndarray:
    """(2, H, W, 3): two people in two shades of grey on black."""
    pixels = np.zeros((2, height, width, 3), dtype=np.uint8)
    for (x1, y1, x2, y2), grey in zip(BOXES, GREYS, strict=True):
        pixels[:, round(y1 * height) : round(y2 * height), round(x1 * width) : round(x2 * width)] = grey
    return pixels


def run(seed: int = 0, *, boxes: np.ndarray = BOXES, actions: np.ndarray = ACTIONS, **options):
    return DetectionPreset(**({"size": (64, 96)} | options))(
        frames(), boxes, actions, torch.Generator().manual_seed(seed)
    )


def test_testing_stretches_the_whole_frame():
    found = run()
    assert found.clip.shape == (3, 2, 64, 96) and found.clip.dtype == torch.uint8 and found.clip.is_contiguous()
    assert found.region == (0.0, 0.0, 1.0, 1.0)
    torch.testing.assert_close(cxcywh_to_xyxy(found.boxes), torch.from_numpy(BOXES))
    assert found.actions.tolist() == ACTIONS.tolist() and found.actions.dtype == torch.float32
    assert torch.equal(run(seed=5).clip, found.clip)  # nothing is random


@pytest.mark.parametrize("crop", ["none", "box_safe", "detr"])
@pytest.mark.parametrize("keep_aspect", [False, True])
def test_each_person_keeps_box_pixels_and_actions_together(crop, keep_aspect):
    dropped = mirrored = 0
    for seed in range(40):
        aug = Augmentation(crop=crop, crop_scale=(0.3, 0.8), colour=0.0, min_visible=0.5, swap_actions=((0, 2),))
        found = run(seed, augmentation=aug, keep_aspect=keep_aspect)
        height, width = found.clip.shape[2:]
        is_mirrored = found.region[0] > found.region[2]
        assert found.flipped == is_mirrored
        shown = found.clip.flip(-1) if is_mirrored else found.clip  # as the device will show it
        mirrored += is_mirrored
        dropped += len(BOXES) - len(found.boxes)
        for box, actions in zip(found.boxes, found.actions, strict=True):
            column, row = int(box[0] * width), int(box[1] * height)
            shade = int(shown[0, 0, min(row, height - 1), min(column, width - 1)])
            person = GREYS.index(min(GREYS, key=lambda grey: abs(grey - shade)))
            assert abs(GREYS[person] - shade) <= 2  # the middle of the box shows that person
            expected = ACTIONS[person].tolist()
            assert actions.tolist() == (expected[::-1] if is_mirrored else expected)
    assert 8 < mirrored < 32
    assert (dropped > 0) == (crop == "detr")


@pytest.mark.parametrize("flip", [True, False])
def test_the_region_maps_boxes_back_to_the_frame(flip):
    for seed in range(30):
        found = run(seed, augmentation=Augmentation(crop="box_safe", crop_scale=(0.4, 0.9), flip=flip, colour=0.2))
        x1, y1, x2, y2 = found.region
        back = torch.tensor([x1, y1] * 2) + cxcywh_to_xyxy(found.boxes) * torch.tensor([x2 - x1, y2 - y1] * 2)
        left, right = torch.minimum(back[:, 0], back[:, 2]), torch.maximum(back[:, 0], back[:, 2])
        torch.testing.assert_close(
            torch.stack([left, back[:, 1], right, back[:, 3]], 1), torch.from_numpy(BOXES), atol=1e-6, rtol=0
        )
        assert flip or x1 < x2


def test_the_generator_decides_everything():
    aug = Augmentation(sizes=((32, 32), (64, 64), (64, 96)))
    first, again, other = run(1, augmentation=aug), run(1, augmentation=aug), run(2, augmentation=aug)
    assert (
        torch.equal(first.clip, again.clip) and first.region == again.region and torch.equal(first.boxes, again.boxes)
    )
    assert first.region != other.region
    seen = {tuple(run(seed, augmentation=aug).clip.shape[2:]) for seed in range(30)}
    assert seen == {(32, 32), (64, 64), (64, 96)}


def test_keeping_the_aspect():
    assert run(keep_aspect=True, size=(64, 64)).clip.shape[2:] == (64, 96)  # 96 x 160 wants 64 x 106.7


def test_nobody_on_the_key_frame():
    found = run(boxes=np.zeros((0, 4), np.float32), actions=np.zeros((0, 3), np.uint8), augmentation=Augmentation())
    assert found.boxes.shape == (0, 4) and found.actions.shape == (0, 3)


def test_the_frames_are_not_written_to():
    pixels = frames()
    before = pixels.copy()
    DetectionPreset(size=(96, 160), augmentation=Augmentation(crop="none"))(
        pixels, BOXES, ACTIONS, torch.Generator().manual_seed(0)
    )
    assert np.array_equal(pixels, before)


@pytest.mark.parametrize("size", [(64, 96), (96, 160)])  # the second is that of the frames: nothing is scaled
def test_pixels_are_those_of_the_plain_steps(size):
    noise = np.random.default_rng(0).integers(0, 256, (3, 96, 160, 3), dtype=np.uint8)
    for seed in range(6):
        augmentation = Augmentation(crop="none" if seed == 5 else "box_safe")
        preset = DetectionPreset(size=size, augmentation=augmentation)
        found = preset(noise, BOXES, ACTIONS, torch.Generator().manual_seed(seed))
        x1, y1, x2, y2 = found.region
        left, top, right, bottom = (round(v) for v in (min(x1, x2) * 160, y1 * 96, max(x1, x2) * 160, y2 * 96))
        cut = torch.from_numpy(noise).permute(0, 3, 1, 2)[..., top:bottom, left:right]
        assert torch.equal(found.clip, F.resize(cut, list(size), antialias=True).transpose(0, 1))
