"""slowfast.datasets.augment.mixup: golden clips and targets with the reference's numbers fed in, statistics with our own."""

import math

import numpy as np
import pytest
import torch

from slowfast.datasets.augment.mixup import Mix, Mixup, cutmix_of, neighbour_partners, smooth_targets
from tests.unit.datasets.augment.golden_values import golden, golden_arrays

DRAWS, BOXES = golden("mixup.json")["draws"], golden("mixup.json")["cutmix_boxes_224"]
ARRAYS = golden_arrays("mixup.npz")
LABELS = torch.tensor([3, 1, 7, 3])
REVERSED = torch.tensor([3, 2, 1, 0])
MIXUP = Mixup(num_classes=10)


def golden_clips() -> torch.Tensor:
    i = np.arange(4 * 3 * 2 * 16 * 16)
    return torch.from_numpy((np.sin(0.1 * i) + 0.01 * (i % 97)).reshape(4, 3, 2, 16, 16).astype(np.float32))


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def centre_drawn(key: str, lam: float) -> tuple[int, int]:
    """The centre of the box that the reference drew, with its numbers."""
    kind, seed = key.split("_")
    state = np.random.RandomState(int(seed))
    state.rand()  # whether to mix
    if kind == "both":
        state.rand()  # which way
    assert state.beta(1, 1) == pytest.approx(lam)
    return int(state.randint(16)), int(state.randint(16))


def mix_drawn(key: str) -> Mix:
    drawn = DRAWS[key]
    if not drawn["cutmix"]:
        return Mix("mixup", drawn["lam_drawn"])
    return cutmix_of(drawn["lam_drawn"], centre_drawn(key, drawn["lam_drawn"]), height=16, width=16)


@pytest.mark.parametrize("key", DRAWS)
def test_clips_and_targets_are_those_of_the_reference(key):
    mix, drawn = mix_drawn(key), DRAWS[key]
    assert mix.lam == pytest.approx(drawn["lam_used"], abs=1e-12)
    assert mix.box == (None if drawn["box_y0_y1_x0_x1"] is None else tuple(drawn["box_y0_y1_x0_x1"]))
    batch = golden_clips()
    clips, targets = MIXUP.apply(batch, LABELS, mix, REVERSED)
    assert clips is batch
    assert targets.dtype == torch.float32
    np.testing.assert_allclose(targets, ARRAYS[f"{key}_y"], atol=1e-7)
    if f"{key}_x" in ARRAYS:
        np.testing.assert_array_equal(clips, ARRAYS[f"{key}_x"])


def test_golden_clips_of_both_kinds_are_there():
    names = [name for name in ARRAYS if name.endswith("_x")]
    assert len(names) == 7 and {DRAWS[name[:-2]]["cutmix"] for name in names} == {True, False}


def test_all_golden_clips_where_the_shared_data_is(shared_dir):
    with np.load(shared_dir / "golden" / "classification" / "mixup.npz") as arrays:
        for key in DRAWS:
            clips, targets = MIXUP.apply(golden_clips(), LABELS, mix_drawn(key), REVERSED)
            np.testing.assert_array_equal(clips, arrays[f"{key}_x"])
            np.testing.assert_allclose(targets, arrays[f"{key}_y"], atol=1e-7)


@pytest.mark.parametrize("key", BOXES)
def test_boxes_are_those_of_the_reference(key):
    lam, seed = key.removeprefix("lam").split("_seed")
    state = np.random.RandomState(int(seed))
    centre = int(state.randint(224)), int(state.randint(224))
    mix = cutmix_of(float(lam), centre, height=224, width=224)
    assert [list(mix.box), mix.lam] == [BOXES[key][0], pytest.approx(BOXES[key][1], abs=1e-12)]


def test_a_box_of_a_wide_clip_by_hand():
    assert cutmix_of(0.75, (5, 30), height=10, width=40) == Mix("cutmix", 1 - 4 * 20 / 400, (3, 7, 20, 40))
    assert cutmix_of(1.0, (5, 30), height=10, width=40) == Mix("cutmix", 1.0, (5, 5, 30, 30))


@pytest.mark.parametrize("lam", [1.0, 0.3])
def test_targets_are_those_of_the_reference(lam):
    _, targets = MIXUP.apply(golden_clips(), LABELS, Mix("mixup", lam), REVERSED)
    np.testing.assert_allclose(targets, ARRAYS[f"target_lam{lam}_smooth0.1"], atol=1e-7)


def test_smoothed_targets_by_hand():
    targets = smooth_targets(torch.tensor([2, 0]), num_classes=4, smoothing=0.2)
    expected = torch.tensor([[0.05, 0.05, 0.85, 0.05], [0.85, 0.05, 0.05, 0.05]])
    torch.testing.assert_close(targets, expected)
    assert smooth_targets(torch.tensor([2]), num_classes=4, smoothing=0).tolist() == [[0, 0, 1, 0]]


def test_a_batch_that_is_not_mixed_is_smoothed_only():
    clips, targets = MIXUP.apply(golden_clips(), LABELS, Mix("none"), REVERSED)
    assert torch.equal(clips, golden_clips())
    assert torch.equal(targets, smooth_targets(LABELS, num_classes=10, smoothing=0.1))


def test_each_clip_is_mixed_with_its_partner_as_it_was():
    original, partner = torch.randn(4, 3, 2, 6, 8, generator=generator(0)), torch.tensor([1, 2, 3, 0])
    clips, targets = MIXUP.apply(original.clone(), LABELS, Mix("mixup", 0.3), partner)
    for b in range(4):
        torch.testing.assert_close(clips[b], 0.3 * original[b] + 0.7 * original[partner[b]])
    assert targets[0, 3] == pytest.approx(0.9 * 0.3 + 0.01) and targets[0, 1] == pytest.approx(0.9 * 0.7 + 0.01)
    clips, _ = MIXUP.apply(original.clone(), LABELS, Mix("cutmix", 0.5, (1, 4, 2, 7)), partner)
    for b in range(4):
        expected = original[b].clone()
        expected[:, :, 1:4, 2:7] = original[partner[b], :, :, 1:4, 2:7]
        assert torch.equal(clips[b], expected)


def test_the_settings_of_the_reference_are_the_defaults():
    assert Mixup(num_classes=10) == Mixup(
        num_classes=10, alpha=0.8, cutmix_alpha=1.0, probability=1.0, switch_probability=0.5, smoothing=0.1
    )


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_is_not_waited_for():
    mixes = (Mix("none"), Mix("mixup", 0.3), Mix("cutmix", 0.5, (1, 4, 2, 7)))
    batches = [golden_clips().cuda() for _ in mixes]
    labels, partner = LABELS.cuda(), REVERSED.cuda()
    torch.cuda.set_sync_debug_mode("error")
    try:
        found = [MIXUP.apply(batch, labels, mix, partner) for batch, mix in zip(batches, mixes, strict=True)]
    finally:
        torch.cuda.set_sync_debug_mode("default")
    for (clips, targets), mix in zip(found, mixes, strict=True):
        expected = MIXUP.apply(golden_clips(), LABELS, mix, REVERSED)
        torch.testing.assert_close((clips.cpu(), targets.cpu()), expected)


def test_kinds_and_lambdas_are_drawn_as_the_reference_draws_them():
    mixup = Mixup(num_classes=10, alpha=0.8, cutmix_alpha=1.0, probability=0.8, switch_probability=0.25)
    mixes = [mixup.draw(generator(seed), 224, 224) for seed in range(4000)]
    share = {kind: sum(mix.kind == kind for mix in mixes) / len(mixes) for kind in ("none", "mixup", "cutmix")}
    assert share == pytest.approx({"none": 0.2, "mixup": 0.6, "cutmix": 0.2}, abs=0.03)
    lams = np.array([mix.lam for mix in mixes if mix.kind == "mixup"])
    assert lams.mean() == pytest.approx(0.5, abs=0.025)
    assert lams.var() == pytest.approx(1 / (4 * (2 * 0.8 + 1)), abs=0.006)
    for mix in mixes:
        if mix.kind == "cutmix":
            y0, y1, x0, x1 = mix.box
            assert 0 <= y0 <= y1 <= 224 and 0 <= x0 <= x1 <= 224
            assert mix.lam == pytest.approx(1 - (y1 - y0) * (x1 - x0) / 224**2)
        assert (mix.box is not None) is (mix.kind == "cutmix")
    assert all(mix.lam == 1 for mix in mixes if mix.kind == "none")


def test_centres_of_boxes_are_uniform():
    mixup = Mixup(num_classes=10, alpha=0, cutmix_alpha=1e6)  # lambda 1/2
    boxes = np.array([mixup.draw(generator(seed), 100, 300).box for seed in range(2000)])
    assert (boxes[:, 0] > 0).mean() == pytest.approx(64.5 / 100, abs=0.04)
    assert (boxes[:, 3] < 300).mean() == pytest.approx(0.645, abs=0.04)
    assert boxes[:, 1].min() in range(35, 37) and boxes[:, 0].max() in range(63, 66)


def test_a_kind_without_alpha_is_never_drawn():
    cut = Mixup(num_classes=10, alpha=0, switch_probability=0)
    mix = Mixup(num_classes=10, cutmix_alpha=0, switch_probability=1)
    assert {cut.draw(generator(seed), 8, 8).kind for seed in range(20)} == {"cutmix"}
    assert {mix.draw(generator(seed), 8, 8).kind for seed in range(20)} == {"mixup"}


def test_the_generator_decides():
    draws = [MIXUP.draw(generator(seed), 64, 64) for seed in (1, 1, 2)]
    assert draws[0] == draws[1] != draws[2]
    first, second = generator(1), generator(1)
    MIXUP.draw(first, 64, 64)
    Mixup(num_classes=10, probability=0).draw(second, 64, 64)
    assert torch.rand((), generator=first) == torch.rand((), generator=second)


def test_neighbours_are_partners():
    assert neighbour_partners([1, 1]).tolist() == [1, 0]
    assert neighbour_partners([2] * 4).tolist() == [2, 3, 0, 1, 6, 7, 4, 5]
    for videos, repeats in ((6, 1), (4, 3), (8, 2)):
        partner = neighbour_partners([repeats] * videos)
        clips = torch.arange(videos * repeats)
        assert torch.equal(partner[partner], clips)
        assert ((partner // repeats) == (clips // repeats) ^ 1).all() and (partner % repeats == clips % repeats).all()
    whole, half = neighbour_partners([2] * 4), neighbour_partners([2] * 2)
    assert torch.equal(whole, torch.cat([half, half + 4]))


def test_whose_neighbour_could_not_be_read_is_alone():
    assert neighbour_partners([2, 0, 2, 2]).tolist() == [0, 1, 4, 5, 2, 3]
    assert neighbour_partners([0, 0]).tolist() == [] and neighbour_partners([0, 1]).tolist() == [0]


def test_an_odd_number_of_videos_has_no_pairs():
    with pytest.raises(ValueError, match=r"^3 videos .* must be even \(change TRAIN.BATCH_SIZE, or .*MIXUP.ENABLE"):
        neighbour_partners([2, 2, 2])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"alpha": -1}, r"0 \(off\) or more, got -1 \(MIXUP.ALPHA\)"),
        ({"cutmix_alpha": math.inf}, r"got inf \(MIXUP.CUTMIX_ALPHA\)"),
        ({"alpha": 0, "cutmix_alpha": 0}, r"both 0.*MIXUP.ENABLE False"),
        ({"probability": 1.5}, r"in \[0, 1\], got 1.5 \(MIXUP.PROB\)"),
        ({"switch_probability": -0.5}, r"got -0.5 \(MIXUP.SWITCH_PROB\)"),
        ({"smoothing": 1.0}, r"in \[0, 1\), got 1.0 \(MIXUP.LABEL_SMOOTH_VALUE\)"),
    ],
)
def test_what_cannot_be_drawn_is_named(settings, message):
    with pytest.raises(ValueError, match=message):
        Mixup(num_classes=10, **settings)


def test_many_labels_are_refused():
    with pytest.raises(ValueError, match=r"got \(4, 10\) torch.float32; for clips with many labels set MIXUP.ENABLE"):
        MIXUP.apply(golden_clips(), torch.zeros(4, 10), Mix("none"), REVERSED)
