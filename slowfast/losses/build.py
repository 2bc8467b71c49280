"""From config to matcher and criterion; the only file of this package that sees a config."""

from functools import partial

from fvcore.common.config import CfgNode

from slowfast.losses.matcher import HungarianMatcher
from slowfast.losses.roi_criterion import RoICriterion
from slowfast.losses.set_criterion import ElementLoss, SetCriterion
from slowfast.losses.terms import asymmetric_loss, binary_cross_entropy, focal_loss


def build_matcher(cfg: CfgNode) -> HungarianMatcher:
    m = cfg.MATCHER
    return HungarianMatcher(actor_cost=m.ACTOR, l1_cost=m.L1, giou_cost=m.GIOU, action_cost=m.ACTION)


def build_criterion(cfg: CfgNode) -> SetCriterion | RoICriterion:
    loss = cfg.LOSS
    if cfg.DETECTION.ENABLE:
        return RoICriterion(weight=loss.ACTION, action_loss=_element_loss(cfg, loss.ACTION_TYPE))
    return SetCriterion(
        build_matcher(cfg),
        weights={"actor": loss.ACTOR, "box_l1": loss.BOX_L1, "box_giou": loss.BOX_GIOU, "action": loss.ACTION},
        no_actor_weight=loss.NO_ACTOR_WEIGHT or None,
        focal_actor=_element_loss(cfg, "focal") if loss.ACTOR_TYPE == "focal" else None,
        action_loss=_element_loss(cfg, loss.ACTION_TYPE),
        action_tokens=loss.ACTION_TOKENS,
    )


def _element_loss(cfg: CfgNode, kind: str) -> ElementLoss:
    loss = cfg.LOSS
    if kind == "focal":
        return partial(focal_loss, alpha=loss.FOCAL_ALPHA, gamma=loss.FOCAL_GAMMA)
    if kind == "asymmetric":
        return partial(
            asymmetric_loss,
            gamma_pos=loss.ASYMMETRIC_GAMMA_POS,
            gamma_neg=loss.ASYMMETRIC_GAMMA_NEG,
            clip=loss.ASYMMETRIC_CLIP,
        )
    return binary_cross_entropy
