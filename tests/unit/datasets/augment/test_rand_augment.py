"""slowfast.datasets.augment.rand_augment: what strings mean, arguments, and the statistics of what is drawn."""

import math
import statistics
from collections import Counter

import numpy as np
import pytest
import torch

from slowfast.datasets.augment.operations import apply_op
from slowfast.datasets.augment.rand_augment import (
    INCREASING_OPERATIONS,
    OPERATIONS,
    RandAugment,
    argument_of,
    parse_rand_augment,
)
from tests.unit.datasets.augment.golden_values import golden

GOLDEN = golden("randaugment.json")
KINETICS = "rand-m7-n4-mstd0.5-inc1"


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("text", GOLDEN["parsed"])
def test_strings_mean_what_they_mean_in_the_reference(text):
    expected, policy = GOLDEN["parsed"][text], parse_rand_augment(text)
    assert policy.num_ops == expected["layers"]
    assert policy.magnitude == expected["magnitude"]
    assert policy.magnitude_std == expected["std"]
    assert policy.increasing is expected["inc"]
    assert policy.weighted is ("w0" in text)
    assert list(policy.operations) == GOLDEN["ops_inc" if policy.increasing else "ops"]


def test_parts_may_come_in_any_order_or_not_at_all():
    assert parse_rand_augment("rand-inc1-mstd0.5-n4-m7") == parse_rand_augment(KINETICS)
    assert parse_rand_augment("rand") == RandAugment(magnitude=10, num_ops=2, magnitude_std=0, increasing=False)


@pytest.mark.parametrize(
    ("text", "part", "rule"),
    [
        ("", "", "must begin with 'rand'"),
        ("augmix-m7", "augmix", "must begin with 'rand'"),
        ("rand-m11", "m11", "a whole number from 0 to 10"),
        ("rand-m7.5", "m7.5", "a whole number from 0 to 10"),
        ("rand-m", "m", "a whole number from 0 to 10"),
        ("rand-n0", "n0", "a whole number from 1"),
        ("rand-mstdx", "mstdx", "a part is one of m, n, mstd, inc, w and a number"),
        ("rand-mstd0.5.5", "mstd0.5.5", "a number from 0"),
        ("rand-inc", "inc", "a number, which switches the increasing set on"),
        ("rand-w1", "w1", "there is only 0"),
        ("rand-p5", "p5", "a part is one of m, n, mstd, inc, w and a number"),
        ("rand-m7-m9", "m9", "may be there once"),
        ("rand-m7--n4", "", "a part is one of"),
        ("rand-n14-w0", "n14", "no operation is drawn twice, and there are 13"),
    ],
)
def test_a_bad_part_is_named_with_its_rule_and_key(text, part, rule):
    with pytest.raises(ValueError) as error:
        parse_rand_augment(text)
    assert f"{part!r} in {text!r}" in str(error.value)
    assert rule in str(error.value) and "(AUG.AA_TYPE)" in str(error.value)


@pytest.mark.parametrize("name", sorted({*OPERATIONS, *INCREASING_OPERATIONS}))
def test_arguments_are_those_of_the_reference(name):
    table = GOLDEN["args_by_level_0_to_10 (both signs)"][name]
    for level in range(11):
        found = sorted({argument_of(name, level, negative=negative) for negative in (True, False)}, key=str)
        assert sorted(found, key=lambda v: v or 0) == ([None] if table is None else sorted(table[level]))


def test_magnitudes_outside_0_to_10_are_those_of_the_ends():
    assert argument_of("Rotate", 11.7, negative=False) == 30
    assert argument_of("Rotate", -0.3, negative=False) == 0
    assert argument_of("SolarizeIncreasing", 10.4, negative=True) == 0
    assert argument_of("PosterizeIncreasing", 10.4, negative=True) == 0


def test_operations_are_drawn_alike_and_half_of_them_applied():
    policy, draws = parse_rand_augment(KINETICS), 4000
    counts = Counter(name for seed in range(draws) for name, _ in policy.draw(generator(seed)))
    assert set(counts) == set(INCREASING_OPERATIONS)
    mean = draws * 4 * 0.5 / 15
    assert all(abs(count - mean) < 4.5 * math.sqrt(mean) for count in counts.values())
    assert sum(counts.values()) == pytest.approx(draws * 2, rel=0.03)


def test_an_operation_may_be_drawn_twice():
    policy = RandAugment(num_ops=8)
    assert any(max(Counter(n for n, _ in policy.draw(generator(s))).values(), default=0) > 1 for s in range(50))


def test_magnitudes_are_gaussian_and_signs_even():
    policy = parse_rand_augment("rand-m7-n8-mstd0.5-inc1")
    angles = [v for seed in range(6000) for name, v in policy.draw(generator(seed)) if name == "Rotate"]
    levels = [abs(v) / 3 for v in angles]
    assert statistics.mean(levels) == pytest.approx(7, abs=0.06)
    assert statistics.stdev(levels) == pytest.approx(0.5, abs=0.06)
    assert sum(v < 0 for v in angles) / len(angles) == pytest.approx(0.5, abs=0.05)
    factors = [v for s in range(2000) for name, v in policy.draw(generator(s)) if name == "ContrastIncreasing"]
    assert min(factors) < 0.4 and max(factors) > 1.6 and not any(0.5 < v < 1.5 for v in factors)


def test_a_wide_spread_is_clipped():
    policy = RandAugment(magnitude=10, num_ops=8, magnitude_std=30, increasing=True)
    levels = [abs(v) / 3 for seed in range(800) for name, v in policy.draw(generator(seed)) if name == "Rotate"]
    assert min(levels) == 0 and max(levels) == 10
    assert sum(0 < level < 10 for level in levels) < 0.3 * len(levels)


def test_without_a_spread_the_magnitude_is_exact():
    policy = parse_rand_augment("rand-m9-n8-inc1")
    assert {abs(v) for seed in range(200) for name, v in policy.draw(generator(seed)) if name == "Rotate"} == {27.0}


def test_weights_prefer_geometry_and_never_repeat():
    policy = parse_rand_augment("rand-n6-w0")
    drawn = [[name for name, _ in policy.draw(generator(seed))] for seed in range(1500)]
    assert all(len(set(names)) == len(names) for names in drawn)
    counts = Counter(name for names in drawn for name in names)
    assert not {"Invert", "Posterize"} & set(counts)
    assert counts["Rotate"] > counts["TranslateXRel"] > counts["Color"] > counts["Equalize"] > 0
    first = Counter(names[0] for seed in range(3000) if (names := parse_one(seed)))
    assert first["Rotate"] / first.total() == pytest.approx(0.3, abs=0.05)


def parse_one(seed: int) -> list[str]:
    return [name for name, _ in parse_rand_augment("rand-n1-w0").draw(generator(seed))]


def test_what_follows_in_the_generator_does_not_depend_on_what_is_drawn():
    policy, after = parse_rand_augment(KINETICS), set()
    for seed in range(20):
        first, second = generator(seed), generator(seed)
        drawn = policy.draw(first)
        RandAugment(num_ops=4).draw(second)
        after.add(len(drawn))
        assert torch.rand((), generator=first) == torch.rand((), generator=second)
    assert len(after) > 2


def test_a_clip_is_changed_by_the_operations_drawn_in_order():
    policy = parse_rand_augment(KINETICS)
    frames = np.random.default_rng(0).integers(0, 256, (2, 20, 24, 3), dtype=np.uint8)
    seed = next(seed for seed in range(100) if len(policy.draw(generator(seed))) == 4)
    expected = frames
    for name, argument in policy.draw(generator(seed)):
        expected = apply_op(expected, name, argument, fill=(1, 2, 3), interpolation="bilinear")
    found = policy(frames, generator(seed), fill=(1, 2, 3), interpolation="bilinear")
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(found, policy(frames, generator(seed), fill=(1, 2, 3), interpolation="bilinear"))
    assert policy.draw(generator(1)) != policy.draw(generator(2))


def test_all_frames_get_the_same():
    policy = parse_rand_augment("rand-m7-n8-mstd0.5-inc1")
    frame = np.random.default_rng(1).integers(0, 256, (20, 24, 3), dtype=np.uint8)
    for seed in range(10):
        clip = policy(np.stack([frame] * 3), generator(seed))
        assert (clip == clip[:1]).all()
