"""From config to matcher and criterion; the only file of this package that sees a config."""

from collections.abc import Callable
from functools import partial

from fvcore.common.config import CfgNode
from fvcore.common.registry import Registry

from slowfast.config.registry import find_in, register_in
from slowfast.losses.criterion import Criterion
from slowfast.losses.label_criterion import LabelCriterion
from slowfast.losses.masked_criterion import MaskedCriterion
from slowfast.losses.matcher import HungarianMatcher
from slowfast.losses.roi_criterion import RoICriterion
from slowfast.losses.set_criterion import ElementLoss, SetCriterion
from slowfast.losses.terms import asymmetric_loss, binary_cross_entropy, focal_loss

Builder = Callable[[CfgNode], Criterion]

# PySlowFast's names of a classifier's loss -> whether it is one yes or no per class.
LOSS_FUNCTIONS = {"cross_entropy": False, "soft_cross_entropy": False, "bce_logit": True, "bce": True}
MASKED_LOSS = "multi_mse"  # of a masked pre-training, which has no other

CRITERION_REGISTRY = Registry("CRITERION")
CRITERION_REGISTRY.__doc__ = "Functions from a config to a Criterion, by the name that LOSS.CRITERION gives."


def build_matcher(cfg: CfgNode) -> HungarianMatcher:
    m = cfg.MATCHER
    return HungarianMatcher(actor_cost=m.ACTOR, l1_cost=m.BOX_L1, giou_cost=m.BOX_GIOU, action_cost=m.ACTION)


def register_criterion(name: str) -> Callable[[Builder], Builder]:
    """Decorate a builder so that LOSS.CRITERION can name it. It returns a Criterion (`losses/criterion.py`)."""
    return register_in(CRITERION_REGISTRY, name)


def build_criterion(cfg: CfgNode, *, default: str) -> Criterion:
    """The criterion that LOSS.CRITERION names, or the task's own one. Raises ValueError naming the known ones."""
    return find_in(CRITERION_REGISTRY, "LOSS.CRITERION", cfg.LOSS.CRITERION or default)(cfg)


@register_criterion("set")
def build_set_criterion(cfg: CfgNode) -> SetCriterion:
    loss = cfg.LOSS
    return SetCriterion(
        build_matcher(cfg),
        weights={"actor": loss.ACTOR, "box_l1": loss.BOX_L1, "box_giou": loss.BOX_GIOU, "action": loss.ACTION},
        no_actor_weight=loss.NO_ACTOR_WEIGHT or None,
        focal_actor=_element_loss(cfg, "focal") if loss.ACTOR_TYPE == "focal" else None,
        action_loss=_element_loss(cfg, loss.ACTION_TYPE),
        action_tokens=loss.ACTION_TOKENS,
    )


@register_criterion("roi")
def build_roi_criterion(cfg: CfgNode) -> RoICriterion:
    return RoICriterion(weight=cfg.LOSS.ACTION, action_loss=_element_loss(cfg, cfg.LOSS.ACTION_TYPE))


@register_criterion("label")
def build_label_criterion(cfg: CfgNode) -> LabelCriterion:
    """MODEL.LOSS_FUNC, where it is given, says what the data says: the rules between keys see to that."""
    return LabelCriterion(multi_label=LOSS_FUNCTIONS.get(cfg.MODEL.LOSS_FUNC, cfg.DATA.MULTI_LABEL))


@register_criterion("masked")
def build_masked_criterion(cfg: CfgNode) -> MaskedCriterion:
    """What MODEL.LOSS_FUNC may call multi_mse, as PySlowFast does."""
    return MaskedCriterion()


def _element_loss(cfg: CfgNode, kind: str) -> ElementLoss:
    loss = cfg.LOSS
    losses: dict[str, ElementLoss] = {
        "bce": binary_cross_entropy,
        "focal": partial(focal_loss, alpha=loss.FOCAL_ALPHA, gamma=loss.FOCAL_GAMMA),
        "asymmetric": partial(
            asymmetric_loss,
            gamma_pos=loss.ASYMMETRIC_GAMMA_POS,
            gamma_neg=loss.ASYMMETRIC_GAMMA_NEG,
            clip=loss.ASYMMETRIC_CLIP,
        ),
    }
    return losses[kind]
