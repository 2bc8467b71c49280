"""slowfast.datasets.augment.operations: bit for bit what PySlowFast's operations give, and what Pillow gives here."""

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageOps

from slowfast.datasets.augment.operations import IMAGE_FILL, VIDEO_FILL, apply_op
from tests.unit.datasets.augment.golden_values import golden, golden_arrays

ARRAYS = golden_arrays("randaugment_ops.npz")
USED = golden("randaugment.json")["args_used_in_npz_seed3_m7"]


def affine(image: Image.Image, *matrix: float) -> Image.Image:
    return image.transform(image.size, Image.Transform.AFFINE, matrix, Image.Resampling.BICUBIC, fillcolor=VIDEO_FILL)


def solarize_add(image: Image.Image, addition: float) -> Image.Image:
    return image.point([min(255, level + int(addition)) if level < 128 else level for level in range(256)] * 3)


PILLOW = {
    "AutoContrast": lambda image, _: ImageOps.autocontrast(image),
    "Equalize": lambda image, _: ImageOps.equalize(image),
    "Invert": lambda image, _: ImageOps.invert(image),
    "Rotate": lambda image, v: image.rotate(v, resample=Image.Resampling.BICUBIC, fillcolor=VIDEO_FILL),
    "Posterize": lambda image, v: ImageOps.posterize(image, int(v)),
    "Solarize": lambda image, v: ImageOps.solarize(image, int(v)),
    "SolarizeAdd": solarize_add,
    "Color": lambda image, v: ImageEnhance.Color(image).enhance(v),
    "Contrast": lambda image, v: ImageEnhance.Contrast(image).enhance(v),
    "Brightness": lambda image, v: ImageEnhance.Brightness(image).enhance(v),
    "Sharpness": lambda image, v: ImageEnhance.Sharpness(image).enhance(v),
    "ShearX": lambda image, v: affine(image, 1, v, 0, 0, 1, 0),
    "ShearY": lambda image, v: affine(image, 1, 0, 0, v, 1, 0),
    "TranslateXRel": lambda image, v: affine(image, 1, 0, v * image.width, 0, 1, 0),
    "TranslateYRel": lambda image, v: affine(image, 1, 0, 0, 0, 1, v * image.height),
}
ARGUMENTS = {
    "Rotate": (-30.0, -3.3, 0.0, 21.0),
    "Posterize": (1, 2, 3, 4, 8),
    "Solarize": (0, 77, 255, 256),
    "SolarizeAdd": (0, 11, 110),
    **dict.fromkeys(("Color", "Contrast", "Brightness", "Sharpness"), (0.1, 0.37, 1.0, 1.27, 1.9)),
    **dict.fromkeys(("ShearX", "ShearY"), (-0.3, -0.07, 0.0, 0.21)),
    **dict.fromkeys(("TranslateXRel", "TranslateYRel"), (-0.45, -0.1, 0.0, 0.315)),
}


def clips() -> list[np.ndarray]:
    """Noise, smooth colours of which every frame has other ones, and channels that are flat."""
    random = np.random.default_rng(5)
    noise = random.integers(0, 256, (3, 33, 50, 3), dtype=np.uint8)
    rows, columns = np.mgrid[:40, :31]
    smooth = np.stack([40 * t + np.stack([rows, columns * 3, rows + columns], axis=-1) for t in range(3)])
    flat = np.full((2, 9, 7, 3), 200, dtype=np.uint8)
    flat[1, 4, 3] = (0, 255, 199)
    tiny = random.integers(90, 120, (2, 3, 5, 3), dtype=np.uint8)
    return [noise, smooth.astype(np.uint8), flat, tiny]


@pytest.mark.parametrize("name", USED)
def test_the_operations_are_those_of_the_reference(name):
    argument = USED[name][0] if USED[name] else None
    clip = np.stack([ARRAYS["input"], ARRAYS["input"][::-1], ARRAYS["input"]])
    before = clip.copy()
    changed = apply_op(clip, name, argument)
    assert changed.dtype == np.uint8 and changed.shape == clip.shape
    # Pillow rounds moved pixels differently in some versions; what it does here is compared exactly below.
    moves = name.removesuffix("Increasing") in ("Rotate", "ShearX", "ShearY", "TranslateXRel", "TranslateYRel")
    np.testing.assert_allclose(changed[0].astype(int), ARRAYS[name].astype(int), rtol=0, atol=1 if moves else 0)
    np.testing.assert_array_equal(changed[2], changed[0])
    np.testing.assert_array_equal(clip, before)


def test_all_operations_have_golden_values():
    assert len(USED) == 15 and set(USED) == set(golden("randaugment.json")["ops_inc"])
    assert {name.removesuffix("Increasing") for name in USED} == set(PILLOW)


@pytest.mark.parametrize("name", PILLOW)
def test_each_frame_is_what_pillow_makes_of_it(name):
    for clip in clips():
        for argument in ARGUMENTS.get(name, (None,)):
            expected = [np.asarray(PILLOW[name](Image.fromarray(frame), argument)) for frame in clip]
            np.testing.assert_array_equal(apply_op(clip, name, argument), np.stack(expected))


def test_without_bits_a_clip_is_black():
    """Newer versions of Pillow refuse it; older ones, and so the reference, gave black."""
    assert not apply_op(ARRAYS["input"][None], "PosterizeIncreasing", 0).any()


def test_the_fills_are_those_of_the_reference():
    assert tuple(golden("randaugment.json")["parsed"]["rand-m7-n4-mstd0.5-inc1"]["fill"]) == VIDEO_FILL
    assert tuple(round(255 * mean) for mean in (0.485, 0.456, 0.406)) == IMAGE_FILL


def test_what_a_shift_uncovers_is_filled():
    black = np.zeros((1, 8, 10, 3), dtype=np.uint8)
    moved = apply_op(black, "TranslateXRel", 0.2, fill=IMAGE_FILL)
    assert (moved[0, :, 8:] == IMAGE_FILL).all() and not moved[0, :, :8].any()
    assert (apply_op(black, "TranslateYRel", -0.25)[0, :2] == 128).all()


def test_the_interpolation_is_the_one_asked_for():
    clip = ARRAYS["input"][None]
    picture = Image.fromarray(ARRAYS["input"])
    expected = np.asarray(picture.rotate(13, resample=Image.Resampling.BILINEAR, fillcolor=VIDEO_FILL))
    np.testing.assert_array_equal(apply_op(clip, "Rotate", 13.0, interpolation="bilinear")[0], expected)
    assert (apply_op(clip, "Rotate", 13.0)[0] != expected).any()


def test_what_cannot_be_applied_is_named():
    clip = ARRAYS["input"][None]
    with pytest.raises(ValueError, match=r"no operation 'Blur'"):
        apply_op(clip, "Blur", 1.0)
    with pytest.raises(ValueError, match=r"Rotate needs an argument"):
        apply_op(clip, "Rotate", None)
    with pytest.raises(ValueError, match=r"must be one of bicubic, bilinear, got 'random' \(AUG.INTERPOLATION\)"):
        apply_op(clip, "Rotate", 1.0, interpolation="random")
    with pytest.raises(ValueError, match=r"must be \(T, H, W, 3\) uint8, got \(48, 64, 3\) uint8"):
        apply_op(clip[0], "Invert", None)
    with pytest.raises(ValueError, match=r"got \(1, 48, 64, 3\) float32"):
        apply_op(clip.astype(np.float32), "Invert", None)
