"""slowfast.datasets.augment.classification_preset: the order of the reference, what is left to the device, determinism."""

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import transforms

from slowfast.datasets.augment.classification_preset import LabelAugmentation, LabelPreset
from slowfast.datasets.augment.colours import draw_colours
from slowfast.datasets.augment.draws import draw_seed
from slowfast.datasets.augment.erasing import draw_rectangles
from slowfast.datasets.augment.operations import IMAGE_FILL
from slowfast.datasets.augment.rand_augment import parse_rand_augment
from slowfast.datasets.augment.resized_crop import (
    CropBox,
    crop_and_resize_plain,
    jitter_scale,
    random_resized_box,
    random_square_box,
)
from slowfast.video.decoding.open_video import shrink

KINETICS = "rand-m7-n4-mstd0.5-inc1"
ALL = LabelAugmentation(rand_augment=KINETICS, erase_probability=0.5)
WHOLE = {"area": (1.0, 1.0), "aspect": (1.0, 1.0), "flip": False}


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def video(height: int = 60, width: int = 90, frames: int = 3, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (frames, height, width, 3), dtype=np.uint8)


def as_frames(clip: torch.Tensor) -> np.ndarray:
    return clip.permute(1, 2, 3, 0).numpy()


def test_a_training_clip_goes_through_the_steps_of_the_reference_in_their_order():
    preset, frames, flips = LabelPreset(size=32, short_side=48, augmentation=ALL), video(), set()
    for seed in range(12):
        found, own = preset(frames, generator(seed)), generator(seed)
        expected = np.stack([shrink(frame, 48) for frame in frames])
        assert expected.shape[1:3] == (48, 72)
        expected = parse_rand_augment(KINETICS)(expected, own)
        box = random_resized_box(48, 72, area=(0.08, 1.0), aspect=(3 / 4, 4 / 3), generator=own)
        expected = crop_and_resize_plain(expected, box, (32, 32))
        flipped = torch.rand((), generator=own).item() < 0.5
        rectangles = draw_rectangles(32, 32, 0.5, own, count=1)
        np.testing.assert_array_equal(as_frames(found.clip), expected)
        assert found.flipped is flipped
        assert torch.equal(found.rectangles, rectangles) and found.rectangles.shape == (1, 4)
        assert found.erase_seed == draw_seed(own)
        flips.add(flipped)
    assert flips == {True, False}


def test_a_clip_is_contiguous_uint8_in_memory_of_its_own():
    frames = video(32, 32)
    before = frames.copy()
    for preset in (
        LabelPreset(size=32, short_side=32, augmentation=LabelAugmentation(**WHOLE)),
        LabelPreset(size=32, short_side=32),
    ):
        clip = preset(frames, generator(0)).clip
        assert clip.shape == (3, 3, 32, 32) and clip.dtype == torch.uint8 and clip.is_contiguous()
        np.testing.assert_array_equal(as_frames(clip), frames)
        clip.zero_()
        np.testing.assert_array_equal(frames, before)


def test_jitter_scales_the_short_side_and_cuts_a_square():
    aug = LabelAugmentation(jitter=(40, 60), inverse_uniform=True, flip=False)
    frames = video(36, 50)
    found, own = LabelPreset(size=32, short_side=36, augmentation=aug)(frames, generator(4)), generator(4)
    size = jitter_scale(36, 50, scales=(40, 60), inverse=True, generator=own)
    scaled = crop_and_resize_plain(frames, CropBox(0, 0, 36, 50), size)
    box = random_square_box(*size, size=32, generator=own)
    np.testing.assert_array_equal(as_frames(found.clip), scaled[:, box.top : box.top + 32, box.left : box.left + 32])
    assert not found.flipped


def test_small_frames_are_not_enlarged_before_they_are_cropped():
    frames = video(20, 24)
    found, own = (
        LabelPreset(size=32, short_side=256, augmentation=LabelAugmentation())(frames, generator(1)),
        generator(1),
    )
    box = random_resized_box(20, 24, area=(0.08, 1.0), aspect=(3 / 4, 4 / 3), generator=own)
    np.testing.assert_array_equal(as_frames(found.clip), crop_and_resize_plain(frames, box, (32, 32)))


def test_an_image_is_cropped_then_mirrored_then_changed():
    preset, image, flips = LabelPreset(size=32, short_side=36, augmentation=ALL, image=True), video(60, 90, 1), 0
    for seed in range(8):
        found, own = preset(image, generator(seed)), generator(seed)
        box = random_resized_box(60, 90, area=(0.08, 1.0), aspect=(3 / 4, 4 / 3), generator=own)
        corners = (box.left, box.top, box.left + box.width, box.top + box.height)
        picture = Image.fromarray(image[0]).crop(corners).resize((32, 32), Image.Resampling.BICUBIC)
        if torch.rand((), generator=own).item() < 0.5:
            picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
            flips += 1
        expected = parse_rand_augment(KINETICS)(np.asarray(picture)[None], own, fill=IMAGE_FILL)
        np.testing.assert_array_equal(as_frames(found.clip), expected)
        assert found.flipped is False
        assert torch.equal(found.rectangles, draw_rectangles(32, 32, 0.5, own, count=1, tries=10))
    assert 0 < flips < 8


@pytest.mark.parametrize("size", [(75, 100), (100, 75), (61, 93), (93, 61), (40, 40)])
def test_a_tested_image_is_torchvisions(size):
    image = video(*size, 1)
    reference = transforms.Compose(
        [transforms.Resize(36, transforms.InterpolationMode.BICUBIC), transforms.CenterCrop(31)]
    )
    found = LabelPreset(size=31, short_side=36, image=True)(image, generator(0))
    np.testing.assert_array_equal(as_frames(found.clip)[0], np.asarray(reference(Image.fromarray(image[0]))))


def test_a_tested_clip_is_the_centre_at_the_short_side():
    frames = video(60, 91)
    found = LabelPreset(size=31, short_side=40)(frames, generator(0))
    shrunk = np.stack([shrink(frame, 40) for frame in frames])
    assert shrunk.shape[1:3] == (40, 61)
    np.testing.assert_array_equal(as_frames(found.clip), shrunk[:, 5:36, 15:46])
    assert not found.flipped and not found.rectangles.any() and found.rectangles.shape == (1, 4)


def test_a_tested_clip_that_is_small_is_enlarged():
    frames = video(20, 33)
    found = LabelPreset(size=32, short_side=40)(frames, generator(0))
    large = crop_and_resize_plain(frames, CropBox(0, 0, 20, 33), (40, 66))
    np.testing.assert_array_equal(as_frames(found.clip), large[:, 4:36, 17:49])


def test_testing_draws_nothing():
    first, second = generator(0), generator(0)
    LabelPreset(size=32, short_side=40)(video(), first)
    assert torch.rand((), generator=first) == torch.rand((), generator=second)


def test_the_generator_decides():
    preset = LabelPreset(size=32, short_side=48, augmentation=ALL)
    first, again, other = (preset(video(), generator(seed)) for seed in (3, 3, 4))
    assert torch.equal(first.clip, again.clip) and torch.equal(first.rectangles, again.rectangles)
    assert (first.flipped, first.erase_seed) == (again.flipped, again.erase_seed)
    assert not torch.equal(first.clip, other.clip) and first.erase_seed != other.erase_seed


def test_all_frames_are_treated_alike():
    frames = np.concatenate([video(frames=1)] * 3)
    preset = LabelPreset(size=32, short_side=48, augmentation=ALL)
    for seed in range(10):
        clip = preset(frames, generator(seed)).clip
        assert (clip == clip[:, :1]).all()


def test_colour_jitter_is_there_without_rand_augment_only():
    frames = video(32, 32)
    jittered = LabelPreset(size=32, short_side=32, augmentation=LabelAugmentation(colour=0.4, **WHOLE))
    found = jittered(frames, generator(0))
    np.testing.assert_array_equal(as_frames(found.clip), frames)  # the device changes them
    assert found.colours == draw_colours(0.4, generator(0))  # the first that is drawn
    both, alone = (
        LabelPreset(size=32, short_side=32, augmentation=LabelAugmentation(colour=c, rand_augment=KINETICS, **WHOLE))
        for c in (0.4, 0.0)
    )
    assert torch.equal(both(frames, generator(1)).clip, alone(frames, generator(1)).clip)
    assert both(frames, generator(1)).colours is None
    image = LabelPreset(size=32, short_side=32, augmentation=LabelAugmentation(colour=0.4, **WHOLE), image=True)
    assert image(frames[:1], generator(2)).colours not in (None, (1, 1, 1))


def test_the_interpolation_is_the_one_asked_for():
    aug = LabelAugmentation(rand_augment="rand-n8", interpolation="bilinear", **WHOLE)
    preset, frames = LabelPreset(size=32, short_side=32, augmentation=aug), video(32, 32)
    for seed in range(5):
        expected = parse_rand_augment("rand-n8")(frames, generator(seed), interpolation="bilinear")
        np.testing.assert_array_equal(as_frames(preset(frames, generator(seed)).clip), expected)


@pytest.mark.parametrize(("image", "tries"), [(False, 100), (True, 10)])
def test_images_have_fewer_tries_of_a_rectangle(image, tries, monkeypatch):
    seen = []

    def draw(*args, **settings):
        seen.append(settings["tries"])
        return draw_rectangles(*args, **settings)

    monkeypatch.setattr("slowfast.datasets.augment.classification_preset.draw_rectangles", draw)
    LabelPreset(size=32, short_side=48, augmentation=ALL, image=image)(video(frames=1), generator(0))
    assert seen == [tries]


def test_nothing_is_flipped_or_erased_where_that_is_off():
    preset = LabelPreset(size=32, short_side=48, augmentation=LabelAugmentation(flip=False))
    found = [preset(video(frames=1), generator(seed)) for seed in range(20)]
    assert not any(sample.flipped or sample.rectangles.any() for sample in found)


def test_several_rectangles_and_another_fill():
    aug = LabelAugmentation(erase_probability=1.0, erase_count=3, rand_augment="rand-n8", fill=(1, 2, 3), **WHOLE)
    found = LabelPreset(size=32, short_side=32, augmentation=aug)(video(32, 32), generator(0))
    assert found.rectangles.shape == (3, 4) and found.rectangles.any(dim=1).all()
    black = np.zeros((1, 32, 32, 3), dtype=np.uint8)
    colours = set()
    for seed in range(20):
        clip = LabelPreset(size=32, short_side=32, augmentation=aug)(black, generator(seed)).clip
        colours |= set(map(tuple, as_frames(clip).reshape(-1, 3).tolist()))
    assert (1, 2, 3) in colours and (128, 128, 128) not in colours


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"rand_augment": "rand-q3"}, r"'q3' in 'rand-q3'.*\(AUG.AA_TYPE\)"),
        ({"interpolation": "random"}, r"got 'random' \(AUG.INTERPOLATION\)"),
        ({"erase_mode": "const"}, r"got 'const' \(AUG.RE_MODE\)"),
        ({"erase_probability": 2}, r"in \[0, 1\], got 2 \(AUG.RE_PROB\)"),
        ({"erase_count": 0}, r"1 rectangle or more, got 0 \(AUG.RE_COUNT\)"),
        ({"area": (0.5, 1.5)}, r"at most 1; got \(0.5, 1.5\) \(DATA.TRAIN_JITTER_SCALES_RELATIVE\)"),
        ({"aspect": (2, 1)}, r"the lower first; got \(2, 1\) \(DATA.TRAIN_JITTER_ASPECT_RELATIVE\)"),
        ({"jitter": (0, 320)}, r"above 0, the lower first; got \(0, 320\) \(DATA.TRAIN_JITTER_SCALES\)"),
    ],
)
def test_what_cannot_be_done_is_named(settings, message):
    with pytest.raises(ValueError, match=message):
        LabelAugmentation(**settings)


def test_a_crop_must_fit():
    with pytest.raises(ValueError, match=r"224 pixels does not fit in a short side of 200: raise short_side"):
        LabelPreset(size=224, short_side=200)
    with pytest.raises(
        ValueError, match=r"312 pixels does not fit in a short side of 256: raise DATA.TRAIN_JITTER_SCALES"
    ):
        LabelPreset(size=312, short_side=256, augmentation=LabelAugmentation(jitter=(256, 320)))
    with pytest.raises(ValueError, match=r"cropped by area, not by DATA.TRAIN_JITTER_SCALES"):
        LabelPreset(size=32, short_side=40, augmentation=LabelAugmentation(jitter=(40, 50)), image=True)
    LabelPreset(size=312, short_side=256, augmentation=LabelAugmentation())
