"""slowfast.losses.matcher: against brute force, by property, and what it says when a cost is not finite."""

from dataclasses import replace
from itertools import permutations

import pytest
import torch

from slowfast.losses.matcher import HungarianMatcher, Matches
from slowfast.structures.boxes import cxcywh_to_xyxy
from slowfast.structures.outputs.predictions import Predictions
from slowfast.structures.targets import People
from tests.unit.losses.people import random_predictions, random_targets

WEIGHTS = {"actor_cost": 1.0, "l1_cost": 5.0, "giou_cost": 2.0}


def pairs(matches: Matches) -> set[tuple[int, int, int]]:
    """{(clip, token, person)}"""
    found = list(zip(matches.clip.tolist(), matches.token.tolist(), matches.person.tolist(), strict=True))
    assert len(set(found)) == len(found)
    return set(found)


def plain_cost(
    predictions: Predictions, targets: People, clip: int, token: int, person: int, action: float = 0.0
) -> float:
    """The cost of one pair as the paper writes it, in plain Python."""
    p = predictions.actor_logits[clip, token].sigmoid().item()
    box, wanted = predictions.boxes[clip, token], targets.boxes[person]
    l1 = sum(abs(a - b) for a, b in zip(box.tolist(), wanted.tolist(), strict=True))
    (ax1, ay1, ax2, ay2), (bx1, by1, bx2, by2) = cxcywh_to_xyxy(box).tolist(), cxcywh_to_xyxy(wanted).tolist()
    inside = max(0.0, min(ax2, bx2) - max(ax1, bx1)) * max(0.0, min(ay2, by2) - max(ay1, by1))
    union = (ax2 - ax1) * (ay2 - ay1) + (bx2 - bx1) * (by2 - by1) - inside
    hull = (max(ax2, bx2) - min(ax1, bx1)) * (max(ay2, by2) - min(ay1, by1))
    giou = inside / union - (hull - union) / hull
    entropy = torch.nn.functional.binary_cross_entropy_with_logits(
        predictions.action_logits[clip, token], targets.actions[person]
    ).item()
    return -p + 5 * l1 - 2 * giou + action * entropy


@pytest.mark.parametrize("action", [0.0, 3.0])
@pytest.mark.parametrize("seed", range(6))
def test_the_total_cost_is_the_lowest_of_all_assignments(seed, action):
    counts = (2, 0, 3)
    predictions, targets = random_predictions(3, 4, seed=seed), random_targets(counts, seed=100 + seed)
    matches = HungarianMatcher(**WEIGHTS, action_cost=action)(predictions, targets)
    first = 0
    for clip, count in enumerate(counts):
        best = min(
            (
                sum(plain_cost(predictions, targets, clip, t, first + i, action) for i, t in enumerate(order)),
                {(clip, t, first + i) for i, t in enumerate(order)},
            )
            for order in permutations(range(4), count)
        )[1]
        assert {pair for pair in pairs(matches) if pair[0] == clip} == best
        first += count
    assert matches.unmatched == 0


def test_more_people_than_candidates_leaves_the_costliest_out():
    targets = random_targets((4, 1))
    predictions = random_predictions(2, 2)
    matches = HungarianMatcher(**WEIGHTS)(predictions, targets)
    best = min(
        sum(plain_cost(predictions, targets, 0, token, person) for token, person in enumerate(order))
        for order in permutations(range(4), 2)
    )
    found = [pair for pair in pairs(matches) if pair[0] == 0]
    assert sum(plain_cost(predictions, targets, *pair) for pair in found) == pytest.approx(best, abs=1e-5)
    assert matches.unmatched == 2 and len(pairs(matches)) == 3
    assert [person for clip, _, person in pairs(matches) if clip == 1] == [4]  # the people left out still count


def test_the_order_of_tokens_does_not_matter():
    predictions, targets = random_predictions(2, 6), random_targets((3, 2))
    matcher = HungarianMatcher(**WEIGHTS)
    order = torch.randperm(6, generator=torch.Generator().manual_seed(3))
    shuffled = Predictions(
        *(x[:, order] for x in (predictions.actor_logits, predictions.boxes, predictions.action_logits))
    )
    back = {(clip, order[token].item(), person) for clip, token, person in pairs(matcher(shuffled, targets))}
    assert back == pairs(matcher(predictions, targets))


def test_candidates_of_other_clips_are_never_matched():
    # Clip 1 holds a perfect candidate for the person of clip 0, and the other way round.
    near, far = [0.2, 0.2, 0.1, 0.1], [0.8, 0.8, 0.3, 0.3]
    predictions = Predictions(torch.zeros(2, 1, 1), torch.tensor([[far], [near]]), torch.zeros(2, 1, 2))
    targets = People(torch.tensor([near, far]), torch.zeros(2, 2), (1, 1))
    assert pairs(HungarianMatcher(**WEIGHTS)(predictions, targets)) == {(0, 0, 0), (1, 0, 1)}


def test_one_batch_equals_its_clips_alone():
    predictions, targets = random_predictions(3, 5), random_targets((2, 0, 1))
    matcher = HungarianMatcher(**WEIGHTS)
    together, first = pairs(matcher(predictions, targets)), 0
    for clip, count in enumerate((2, 0, 1)):
        rows = slice(first, first + count)
        one = Predictions(
            *(x[clip : clip + 1] for x in (predictions.actor_logits, predictions.boxes, predictions.action_logits))
        )
        alone = pairs(matcher(one, People(targets.boxes[rows], targets.actions[rows], (count,))))
        assert {(t, p - first) for c, t, p in together if c == clip} == {(t, p) for _, t, p in alone}
        first += count


def test_nobody_gives_no_pairs():
    matches = HungarianMatcher(**WEIGHTS)(random_predictions(2, 3), random_targets((0, 0)))
    assert pairs(matches) == set() and matches.unmatched == 0
    assert matches.clip.dtype == matches.token.dtype == matches.person.dtype == torch.int64


def test_only_the_terms_in_use_are_computed():
    matcher = HungarianMatcher(actor_cost=0, l1_cost=1, giou_cost=0, action_cost=2)
    terms = matcher.cost_terms(random_predictions(2, 3), random_targets((1, 2)))
    assert list(terms) == ["l1", "action"] and terms["l1"].shape == (3, 3)
    with pytest.raises(ValueError, match=r"all matching costs are 0, .*\(MATCHER.ACTOR, BOX_L1, BOX_GIOU, ACTION\)"):
        HungarianMatcher(actor_cost=0, l1_cost=0, giou_cost=0)


@pytest.mark.parametrize("logits", [1, 2])
def test_costs_are_float32_under_autocast_and_for_bfloat16_inputs(logits):
    predictions, targets = random_predictions(2, 5, logits=logits), random_targets((3, 2))
    matcher = HungarianMatcher(**WEIGHTS, action_cost=1.0)
    expected = matcher.cost_terms(predictions, targets)
    with torch.autocast("cpu", torch.bfloat16):
        found = matcher.cost_terms(predictions, targets)
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.bfloat16  # autocast was on
    for name in expected:
        assert found[name].dtype == torch.float32
        torch.testing.assert_close(found[name], expected[name], rtol=0, atol=0)
    halves = replace(
        predictions,
        actor_logits=predictions.actor_logits.bfloat16(),
        action_logits=predictions.action_logits.bfloat16(),
    )
    assert {term.dtype for term in matcher.cost_terms(halves, targets).values()} == {torch.float32}


@pytest.mark.parametrize(
    ("spoil", "term", "bad"),
    [
        ("nan row", "actor", 2),
        ("nan box row", "l1", 2),
        ("nan box row", "giou", 2),
        ("inf column", "action", 1),
        ("inf target", "l1", 4),
    ],
)
def test_a_cost_that_is_not_finite_names_the_term_and_the_clip(spoil, term, bad):
    predictions, targets = random_predictions(2, 4), random_targets((1, 2))
    if spoil == "nan row":
        predictions.actor_logits[1, 0] = float("nan")
    elif spoil == "nan box row":
        predictions.boxes[1, 3] = float("nan")
    elif spoil == "inf column":
        targets.actions[1] = torch.tensor([1.0, 0, 0])
        targets.actions[2] = torch.tensor([0.0, 0, 0])
        predictions.action_logits[1, 2, 0] = -float("inf")
    else:
        targets.boxes[2, 0] = float("inf")
    matcher = HungarianMatcher(**WEIGHTS, action_cost=1.0)
    with pytest.raises(FloatingPointError) as error:
        matcher(predictions, targets, clip_names=["dance at 904", "walk at 17"])
    assert "matching cost is NaN or infinite" in str(error.value)
    lines = [line for line in str(error.value).splitlines() if line.startswith(f"  - {term}: ")]
    assert len(lines) == 1 and lines[0].endswith(" of 8 values in walk at 17")
    assert "dance at 904" not in str(error.value) and "SOLVER.BASE_LR" in str(error.value)
    if spoil != "inf column":
        assert lines[0].startswith(f"  - {term}: {bad} of 8")
    with pytest.raises(FloatingPointError, match=r"in clip 1 of the batch"):
        matcher(predictions, targets)


def test_one_copy_to_the_host_per_call(monkeypatch):
    copies = []
    real = torch.Tensor.cpu
    monkeypatch.setattr(torch.Tensor, "cpu", lambda self, *a, **k: copies.append(self.shape) or real(self, *a, **k))
    HungarianMatcher(**WEIGHTS)(random_predictions(4, 5), random_targets((1, 2, 0, 3)))
    assert copies == [(6, 5)]
