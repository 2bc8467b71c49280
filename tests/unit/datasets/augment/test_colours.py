"""slowfast.datasets.augment.colours: a batch on the device against torchvision, one clip after the other."""

from dataclasses import replace

import pytest
import torch
from torchvision.transforms.v2 import functional as F

from slowfast.datasets.augment.colours import ClipColours, ColourFactors, draw_colours
from slowfast.datasets.clips.collate import collate
from slowfast.structures.clip import ClipBatch, ClipMeta, ClipSample

FACTORS = [ColourFactors(1.4, 0.6, 1.37), ColourFactors(0.61, 1.39, 0.6), ColourFactors(), ColourFactors(0.0, 2.0, 2.0)]
MEAN, STD = torch.tensor([0.45, 0.4, 0.35]), torch.tensor([0.225, 0.25, 0.2])


def random_clips(count: int, height: int = 12, width: int = 20) -> torch.Tensor:
    """(B, 3, 3, H, W) uint8, in frames of unequal brightness."""
    clips = torch.randint(
        0, 256, (count, 3, 3, height, width), generator=torch.Generator().manual_seed(0), dtype=torch.uint8
    )
    clips[:, :, 1] //= 3
    return clips


def by_torchvision(clip: torch.Tensor, factors: ColourFactors) -> torch.Tensor:
    """(3, T, H, W) uint8 -> the same in float64, 0 to 255; its frames side by side are one picture, so contrast sees all."""
    picture = clip.flatten(2).double() / 255
    picture = F.adjust_brightness(picture, factors.brightness)
    picture = F.adjust_contrast(picture, factors.contrast)
    return F.adjust_saturation(picture, factors.saturation).view(clip.shape) * 255


def test_a_batch_is_changed_as_torchvision_changes_each_whole_clip():
    clips = random_clips(4)
    found = ClipColours.of(FACTORS, [(12, 20)] * 4)(clips.float())
    expected = torch.stack([by_torchvision(clip, factors) for clip, factors in zip(clips, FACTORS, strict=True)])
    torch.testing.assert_close(found.double(), expected, rtol=0, atol=1e-4)
    assert torch.equal(found[2], clips[2].float())  # factors of 1 leave every bit
    # The frames taken apart are another change: the mean is that of the clip.
    apart = torch.stack([by_torchvision(clips[0][:, t : t + 1], FACTORS[0])[:, 0] for t in range(3)], dim=1)
    assert (found[0] - apart).abs().max() > 5


def test_all_clips_at_once_are_as_one_after_the_other(monkeypatch):
    """A device other than the CPU takes the whole batch at once where nothing is padded."""
    from slowfast.datasets.augment import colours

    clips, change = random_clips(4).float(), ClipColours.of(FACTORS, [(12, 20)] * 4)
    at_once = colours._change(clips.clone(), change.factors)
    torch.testing.assert_close(change(clips), at_once, rtol=0, atol=1e-4)
    meta = replace(change, factors=change.factors.to("meta"))
    seen = []
    monkeypatch.setattr(colours, "_change", lambda clips, factors: seen.append(clips.shape))
    meta(clips.to("meta"))
    assert seen == [clips.shape]
    replace(meta, sizes=((12, 20), (12, 20), (12, 18), (12, 20)))(clips.to("meta"))
    assert len(seen) == 5 and seen[3] == (1, 3, 3, 12, 18)


def test_padding_is_not_part_of_a_clip_and_stays_black():
    clips, small = random_clips(2), random_clips(1, 8, 10)[0]
    meta = ClipMeta("v", 1, (0.0, 0.0, 1.0, 1.0))
    nobody = (torch.zeros(0, 4), torch.zeros(0, 2), meta)
    samples = [
        ClipSample(clips[0], *nobody, flipped=True, colours=FACTORS[0]),
        ClipSample(small, *nobody, flipped=True, colours=FACTORS[1]),
        ClipSample(clips[1], *nobody),
    ]
    batch = collate(samples, blank_size=(3, 12, 20), num_classes=2)
    assert batch.colours is not None and batch.clips.dtype == torch.uint8
    found = batch.mirrored().normalized(MEAN, STD)
    assert found.colours is None
    levels = (found.clips * STD.view(3, 1, 1, 1) + MEAN.view(3, 1, 1, 1)) * 255
    for k, (clip, factors) in enumerate(((clips[0].flip(-1), FACTORS[0]), (small.flip(-1), FACTORS[1]))):
        height, width = clip.shape[-2:]
        torch.testing.assert_close(
            levels[k, ..., :height, :width].double(), by_torchvision(clip, factors), rtol=0, atol=1e-3
        )
    assert levels[1, ..., 8:, :].abs().max() < 1e-3 and levels[1, ..., 10:].abs().max() < 1e-3
    torch.testing.assert_close(levels[2], clips[1].float(), rtol=0, atol=1e-3)


def test_the_bits_of_a_clip_do_not_depend_on_its_batch():
    clips = random_clips(3)
    sizes = [(12, 20)] * 3
    together = ClipColours.of(FACTORS[:3], sizes)(clips.float())
    for k in range(3):
        alone = ClipColours.of([FACTORS[k]], sizes[:1])
        assert torch.equal(together[k], alone(clips[k : k + 1].float())[0] if alone else clips[k].float())


def test_nothing_is_made_where_no_clip_is_changed():
    assert ClipColours.of([None, None], [(4, 4)] * 2) is None
    some = ClipColours.of([None, FACTORS[0]], [(4, 4)] * 2)
    assert some.factors[0].tolist() == [1, 1, 1] and some.factors.dtype == torch.float32


@pytest.mark.parametrize("strength", [0.4, 1.0])
def test_factors_are_drawn_apart_and_by_the_generator(strength):
    drawn = torch.tensor([draw_colours(strength, torch.Generator().manual_seed(seed)) for seed in range(300)])
    low, high = 1 - strength, 1 + strength
    assert (drawn >= low).all() and (drawn <= high).all()
    assert (drawn.amin(0) < low + 0.02).all() and (drawn.amax(0) > high - 0.02).all()
    assert torch.corrcoef(drawn.T).triu(1).abs().max() < 0.2
    again = draw_colours(strength, torch.Generator().manual_seed(7))
    assert again == draw_colours(strength, torch.Generator().manual_seed(7)) and again != ColourFactors()


def test_a_batch_carries_its_colours_to_the_device():
    clips = random_clips(2)
    metas = tuple(ClipMeta("v", k, (0.0, 0.0, 1.0, 1.0)) for k in range(2))
    from slowfast.structures.targets import Labels

    batch = ClipBatch(clips, Labels(torch.zeros(2)), metas, colours=ClipColours.of(FACTORS[:2], [(12, 20)] * 2))
    assert batch.to(torch.device("meta")).colours.factors.is_meta
    assert batch.normalized(MEAN, STD).colours is None
