"""Where the crops of a test are, and that their pixels are those."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms.v2 import functional as F

from slowfast.datasets.augment.view_crops import ViewCrops

GOLDEN = json.loads((Path(__file__).parents[3] / "golden/classification/crops.json").read_text())


def pictures(height: int, width: int, count: int = 2) -> np.ndarray:
    """Smooth ramps with some noise."""
    rng = np.random.default_rng(0)
    ramp = np.linspace(0, 200, width)[None, None, :, None] + np.linspace(0, 40, height)[None, :, None, None]
    return (ramp + rng.integers(0, 15, (count, height, width, 3))).astype(np.uint8)


def test_three_crops_are_where_pyslowfast_cuts_them():
    """All golden numbers; the middle one is the only crop of one."""
    keys = [re.fullmatch(r"uniform_crop (\d+)x(\d+) size(\d+) idx(\d)", key) for key in GOLDEN]
    found = [match for match in keys if match]
    assert len(found) == 15
    for match in found:
        height, width, size, index = map(int, match.groups())
        three = ViewCrops(size, 3, size, "area").offsets(height, width)
        assert list(three[index]) == GOLDEN[match.string], match.string
        if index == 1:
            assert ViewCrops(size, 1, size, "area").offsets(height, width) == [three[1]]


@pytest.mark.parametrize(
    ("height", "width", "resize", "expected"),
    [
        (240, 427, "area", (224, 399)),  # 398.53: the nearest
        (240, 427, "bilinear", (224, 398)),  # floored
        (427, 240, "bilinear", (398, 224)),
        (240, 427, "mmaction2", (224, 399)),
        (100, 101, "area", (224, 226)),  # 226.24
        (240, 426, "mmaction2", (224, 398)),  # 397.6
        (224, 300, "bilinear", (224, 300)),
        (375, 500, "bicubic", (224, 298)),  # 298.67: torchvision's integers
    ],
)
def test_the_long_side_is_rounded_as_the_reference_does(height, width, resize, expected):
    mm = resize == "mmaction2"
    crops = ViewCrops(224, 1, 224, "bilinear" if mm else resize, mmaction2=mm)
    assert crops.scaled_size(height, width) == expected
    assert crops(pictures(height, width, 1)).shape == (1, 1, 224, 224, 3)


@pytest.mark.parametrize(("height", "width"), [(16, 33), (33, 16)])
def test_mmaction2_cuts_start_end_middle(height, width):
    """17 pixels are free: the middle is at 8, and the end at twice that."""
    frames = pictures(height, width)
    three = ViewCrops(16, 3, 16, "bilinear", mmaction2=True)(frames)
    places = [0, 16, 8]
    for crop, place in zip(three, places, strict=True):
        part = frames[:, :, place : place + 16] if width > height else frames[:, place : place + 16]
        np.testing.assert_array_equal(crop, part)
    one = ViewCrops(16, 1, 16, "bilinear", mmaction2=True)(frames)
    np.testing.assert_array_equal(one[0], three[2])


def test_pyslowfast_cuts_start_middle_end():
    frames = pictures(16, 33)
    three = ViewCrops(16, 3, 16, "area")(frames)
    for crop, place in zip(three, [0, 9, 17], strict=True):  # the middle of 17 is the later pixel
        np.testing.assert_array_equal(crop, frames[:, :, place : place + 16])


def test_videos_are_shrunk_by_area_and_enlarged_bilinearly():
    blocks = np.kron(np.arange(16 * 24).reshape(16, 24) % 251, np.ones((2, 2)))
    frames = np.repeat(blocks[None, ..., None], 3, axis=3).astype(np.uint8)
    np.testing.assert_array_equal(ViewCrops(16, 1, 16, "area")(frames)[0, 0, ..., 0], blocks[::2, 8:40:2])
    small = pictures(20, 30)
    enlarged = ViewCrops(32, 1, 40, "area")(small)[0]
    tensor = torch.from_numpy(small).permute(0, 3, 1, 2).float()
    expected = F.resize(tensor, [40, 60], antialias=False)[..., 4:36, 14:46].permute(0, 2, 3, 1)
    assert np.abs(enlarged - expected.numpy()).max() <= 1


def test_frames_that_are_files_are_resized_bilinearly_without_antialiasing():
    frames = pictures(90, 161)
    found = ViewCrops(32, 3, 32, "bilinear")(frames)
    tensor = torch.from_numpy(frames).permute(0, 3, 1, 2).float()
    scaled = torch.nn.functional.interpolate(tensor, (32, 57), mode="bilinear", align_corners=False)
    for crop, left in zip(found, [0, 13, 25], strict=True):
        expected = scaled[..., left : left + 32].permute(0, 2, 3, 1).numpy()
        assert np.abs(crop - expected).max() <= 1.1


@pytest.mark.parametrize(("height", "width"), [(90, 61), (61, 90), (64, 64)])
def test_images_are_torchvisions(height, width):
    """Resize(36, bicubic) and CenterCrop(32) of Pillow pictures."""
    frame = pictures(height, width, 1)
    resized = F.resize(Image.fromarray(frame[0]), [36], interpolation=F.InterpolationMode.BICUBIC)
    expected = np.asarray(F.center_crop(resized, [32]))
    np.testing.assert_array_equal(ViewCrops(32, 1, 36, "bicubic")(frame)[0, 0], expected)
    squashed = Image.fromarray(frame[0]).resize((32, 32), Image.Resampling.BICUBIC)
    np.testing.assert_array_equal(ViewCrops(32, 1, 0, "bicubic")(frame)[0, 0], np.asarray(squashed))


def test_what_may_be_shrunk_while_reading():
    assert ViewCrops(16, 1, 20, "area").read_short_side == 20
    assert ViewCrops(16, 3, 16, "bilinear").read_short_side is None
    assert ViewCrops(16, 1, 16, "bicubic").read_short_side is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((16, 2, 16, "area"), r"a clip has 1 or 3 crops, got 2 \(TEST\.NUM_SPATIAL_CROPS\)"),
        ((16, 3, 20, "bicubic"), r"an image is tested on its centre, got 3 crops: set TEST\.NUM_SPATIAL_CROPS 1"),
        (
            (312, 1, 256, "area"),
            r"312 pixels \(DATA\.TEST_CROP_SIZE\) does not fit in .* 256: raise DATA\.TRAIN_JITTER_S",
        ),
        ((224, 1, 200, "bicubic"), r"does not fit in a short side of 200: lower DATA\.IN_VAL_CROP_RATIO"),
        ((16, 1, 0, "area"), "does not fit in a short side of 0"),
    ],
)
def test_what_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        ViewCrops(*arguments)
