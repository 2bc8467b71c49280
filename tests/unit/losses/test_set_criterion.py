"""slowfast.losses.set_criterion: every term by hand, empty clips, normalisation over shards, deep supervision."""

import math
from dataclasses import replace
from functools import partial

import pytest
import torch

from slowfast.losses.matcher import HungarianMatcher
from slowfast.losses.set_criterion import LOSS_TERMS, SetCriterion
from slowfast.losses.terms import asymmetric_loss, focal_loss
from slowfast.structures.outputs.predictions import Predictions
from slowfast.structures.targets import Counts, People
from tests.unit.losses.people import random_predictions, random_targets
from tests.unit.models.tiny import random_clips, tiny_bmvit

WEIGHTS = {"actor": 1.0, "box_l1": 5.0, "box_giou": 2.0, "action": 4.0}
focal = partial(focal_loss, alpha=0.25, gamma=2.0)
asymmetric = partial(asymmetric_loss, gamma_pos=0.0, gamma_neg=2.0, clip=0.0)


def criterion(**options) -> SetCriterion:
    matcher = HungarianMatcher(actor_cost=1, l1_cost=5, giou_cost=2)
    return SetCriterion(matcher, weights=options.pop("weights", WEIGHTS), **options)


def by_hand() -> tuple[Predictions, People]:
    """Two clips of two candidates; one person in clip 0, matched by candidate 1, whose box is 0.1 too far right."""
    predictions = Predictions(
        torch.tensor([[0.25, 0.75], [0.5, 0.5]]).logit()[..., None],
        torch.tensor([[[0.8, 0.8, 0.2, 0.2], [0.4, 0.5, 0.2, 0.4]], [[0.5, 0.5, 0.2, 0.2]] * 2]),
        torch.tensor([[[0.0, 0.0], [3.0, 3.0]], [[0.0, 0.0]] * 2]).sigmoid().logit(),
    )
    return predictions, People(torch.tensor([[0.3, 0.5, 0.2, 0.4]]), torch.tensor([[1.0, 0.0]]), (1, 0))


def test_every_term_by_hand():
    predictions, targets = by_hand()
    found = criterion(no_actor_weight=0.5)(predictions, targets, per=Counts(1.0, 2.0))
    losses = found.terms
    assert set(losses) == set(LOSS_TERMS) and found.notes == {}
    # One actor of weight 1 and three others of weight 0.5.
    actor = (-math.log(0.75) - 0.5 * (math.log(0.75) + 2 * math.log(0.5))) / 2.5
    assert losses["actor"].item() == pytest.approx(actor, rel=1e-5)
    assert losses["box_l1"].item() == pytest.approx(0.1, rel=1e-5)
    assert losses["box_giou"].item() == pytest.approx(2 / 3, rel=1e-5)  # overlap 0.1 of union 0.3; the hull is full
    softplus = math.log1p(math.exp(3))
    assert losses["action"].item() == pytest.approx((softplus - 3 + softplus) / 2, rel=1e-5)
    total = actor + 5 * 0.1 + 2 * 2 / 3 + 4 * losses["action"].item()
    assert found.total.item() == pytest.approx(total, rel=1e-5)


def test_focal_actor_by_hand():
    predictions, targets = by_hand()
    losses = criterion(focal_actor=focal)(predictions, targets, per=Counts(1.0, 2.0)).terms
    matched = -0.25 * 0.25**2 * math.log(0.75)
    others = -0.75 * (0.25**2 * math.log(0.75) + 2 * 0.5**2 * math.log(0.5))
    assert losses["actor"].item() == pytest.approx(matched + others, rel=1e-5)
    halved = criterion(focal_actor=focal)(predictions, targets, per=Counts(2.0, 2.0)).terms
    assert halved["actor"].item() == pytest.approx((matched + others) / 2, rel=1e-5)


def test_asymmetric_action_by_hand():
    predictions, targets = by_hand()
    losses = criterion(action_loss=asymmetric)(predictions, targets, per=Counts(1.0, 2.0)).terms
    p = 1 / (1 + math.exp(-3))
    assert losses["action"].item() == pytest.approx((-math.log(p) - p**2 * math.log(1 - p)) / 2, rel=1e-4)


def test_all_tokens_as_background_by_hand():
    predictions, targets = by_hand()
    losses = criterion(action_tokens="all", no_actor_weight=0.1)(predictions, targets, per=Counts(1.0, 2.0)).terms
    softplus = math.log1p(math.exp(3))
    matched = (softplus - 3 + softplus) / 2
    assert losses["action"].item() == pytest.approx(matched + 0.1 * 3 * math.log(2), rel=1e-5)


@pytest.mark.parametrize(("candidates", "weight"), [(256, 10 / 256), (20, 0.5), (10, 1.0), (4, 1.0)])
def test_the_automatic_weight_keeps_candidates_times_weight_at_ten(candidates, weight):
    logits = torch.zeros(1, candidates, 1)
    logits[0, 0] = 4.0
    predictions = replace(random_predictions(1, candidates), actor_logits=logits)
    targets = People(predictions.boxes[0, :1].clone(), torch.zeros(1, 3), (1,))
    losses = criterion()(predictions, targets, per=Counts(1.0, 1.0)).terms
    spread = weight * (candidates - 1)
    expected = (math.log1p(math.exp(-4)) + spread * math.log(2)) / (1 + spread)
    assert losses["actor"].item() == pytest.approx(expected, rel=1e-5)


def test_perfect_predictions_cost_nothing():
    targets = random_targets((2, 1))
    index = torch.tensor([[0, 1], [2, 2]])
    logits = torch.full((2, 2, 1), 30.0)
    logits[1, 1] = -30
    predictions = Predictions(logits, targets.boxes[index], (targets.actions[index] - 0.5) * 60)
    losses = criterion()(predictions, targets, per=Counts(3.0, 2.0)).terms
    assert [losses[name].item() for name in LOSS_TERMS] == pytest.approx([0, 0, 0, 0], abs=1e-6)


OPTIONS = [
    {},
    {"focal_actor": focal},
    {"action_loss": focal, "action_tokens": "all"},
    {"action_loss": asymmetric, "no_actor_weight": 0.1},
    {"no_actor_weight": 0.0},
]


@pytest.mark.parametrize("options", OPTIONS, ids=lambda o: " ".join(o) or "default")
@pytest.mark.parametrize("counts", [(0, 0), (1, 0), (9, 1)], ids=["nobody", "one", "more people than candidates"])
def test_losses_are_finite_and_every_parameter_gets_a_gradient(counts, options):
    model = tiny_bmvit(aux=True, class_token=True, position="separable").train()
    loss = criterion(**options)
    found = loss(model(random_clips(2)), random_targets(counts), per=Counts(float(sum(counts)), 2.0))
    losses = found.terms
    assert set(found.notes.values()) == (
        {5} if counts == (9, 1) else set()
    )  # of 9 people 4 have a candidate, and all have in the earlier block
    assert set(losses) == {*LOSS_TERMS, *(f"aux_{name}" for name in LOSS_TERMS)}
    assert all(torch.isfinite(value) for value in losses.values())
    if sum(counts) == 0:
        assert losses["box_l1"].item() == losses["box_giou"].item() == 0
    found.total.backward()
    without = [name for name, p in model.named_parameters() if p.grad is None or not torch.isfinite(p.grad).all()]
    assert without == []


@pytest.mark.parametrize("options", OPTIONS, ids=lambda o: " ".join(o) or "default")
@pytest.mark.parametrize("counts", [(2, 1, 0, 4), (1, 0, 0, 0), (0, 0, 0, 0)])
@pytest.mark.parametrize("shards", [2, 4])
def test_the_mean_gradient_of_shards_is_the_gradient_of_the_batch(counts, shards, options):
    """Also with fewer people than processes: nothing may be rounded up per process."""
    loss = criterion(**options)
    predictions, targets = random_predictions(4, 5), random_targets(counts)
    leaves = (predictions.actor_logits, predictions.boxes, predictions.action_logits)

    def gradients(shard_count: int) -> list[torch.Tensor]:
        inputs = [leaf.clone().requires_grad_() for leaf in leaves]
        clips = 4 // shard_count
        for shard in range(shard_count):
            part = slice(shard * clips, (shard + 1) * clips)
            first = sum(counts[: part.start])
            rows = slice(first, first + sum(counts[part]))
            losses = loss(
                Predictions(*(x[part] for x in inputs)),
                People(targets.boxes[rows], targets.actions[rows], counts[part]),
                per=Counts(sum(counts) / shard_count, 4 / shard_count),
            )
            (losses.total / shard_count).backward()
        return [x.grad for x in inputs]

    for whole, mean in zip(gradients(1), gradients(shards), strict=True):
        torch.testing.assert_close(mean, whole, rtol=1e-5, atol=1e-7)


def test_a_step_without_any_readable_clip_is_finite():
    losses = criterion()(random_predictions(1, 4), random_targets((0,)), per=Counts(0.0, 0.0)).terms
    assert all(torch.isfinite(value) for value in losses.values())


def test_earlier_blocks_are_summed_under_their_own_name():
    predictions, targets = random_predictions(2, 4), random_targets((1, 2))
    earlier = (random_predictions(2, 4, seed=1), random_predictions(2, 8, seed=2))
    counts = {"per": Counts(3.0, 2.0)}
    loss = criterion()
    losses = loss(replace(predictions, auxiliary=earlier), targets, **counts)
    alone = [loss(one, targets, **counts) for one in (predictions, *earlier)]
    for name in LOSS_TERMS:
        torch.testing.assert_close(losses.terms[name], alone[0].terms[name])
        torch.testing.assert_close(losses.terms[f"aux_{name}"], alone[1].terms[name] + alone[2].terms[name])
    torch.testing.assert_close(losses.total, sum(one.total for one in alone))


def test_losses_are_float32_under_autocast():
    predictions, targets = random_predictions(2, 4), random_targets((1, 2))
    counts = {"per": Counts(3.0, 2.0)}
    expected = criterion()(predictions, targets, **counts).terms
    with torch.autocast("cpu", torch.bfloat16):
        found = criterion()(predictions, targets, **counts).terms
    for name, value in expected.items():
        assert found[name].dtype == torch.float32
        torch.testing.assert_close(found[name], value, rtol=0, atol=0)


def test_element_losses_run_outside_autocast():
    """Those here are float32 either way on a CPU; one with a matrix product, or a GPU, would not be."""
    seen = []

    def product_loss(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        seen.append((logits @ targets.T).dtype)
        return (logits - targets) ** 2

    with torch.autocast("cpu", torch.bfloat16):
        criterion(action_loss=product_loss)(random_predictions(2, 4), random_targets((1, 2)), per=Counts(3.0, 2.0))
    assert seen == [torch.float32]


def test_two_logits_and_one_give_the_same_losses():
    two = random_predictions(2, 4, logits=2)
    one = replace(two, actor_logits=two.actor_logits[..., :1] - two.actor_logits[..., 1:])
    targets = random_targets((1, 2))
    found = [criterion()(p, targets, per=Counts(3.0, 2.0)).terms for p in (one, two)]
    for name in LOSS_TERMS:
        torch.testing.assert_close(found[0][name], found[1][name])


def test_a_term_left_out_weighs_nothing():
    found = criterion(weights={"actor": 2.0})(*by_hand(), per=Counts(1.0, 2.0))
    assert found.total.item() == pytest.approx(2 * found.terms["actor"].item()) and found.terms["box_l1"] > 0


def test_silenced_losses_are_zero_and_keep_their_names():
    predictions = replace(by_hand()[0], boxes=by_hand()[0].boxes.requires_grad_())
    found = criterion()(predictions, by_hand()[1], per=Counts(1.0, 2.0))
    silenced = found.silenced()
    assert set(silenced.terms) == set(found.terms) and not any(silenced.terms.values()) and silenced.total == 0
    silenced.total.backward()
    assert torch.count_nonzero(predictions.boxes.grad) == 0


def test_unknown_names_are_errors():
    with pytest.raises(
        ValueError, match=r"unknown loss terms \['bbox_l1'\]; known: \['action', 'actor', 'box_giou', 'box_l1'\]"
    ):
        criterion(weights={"bbox_l1": 1.0})
    with pytest.raises(ValueError, match=r"must be 'matched' or 'all', got 'none' \(LOSS.ACTION_TOKENS\)"):
        criterion(action_tokens="none")
