"""From config to model; the only file of this package that sees a config."""

from collections.abc import Callable

from fvcore.common.config import CfgNode
from fvcore.common.registry import Registry
from torch import nn

from slowfast.models.bmvit import BMViT
from slowfast.models.classifier import VideoClassifier
from slowfast.models.heads import BMViTHeads
from slowfast.models.mvit import MViT
from slowfast.models.mvit_plan import plan_blocks
from slowfast.models.postprocess import PostProcess
from slowfast.models.token_select import TokenSelect

Builder = Callable[[CfgNode], nn.Module]

MODEL_REGISTRY = Registry("MODEL")
MODEL_REGISTRY.__doc__ = "Functions from a config to an nn.Module, by the name that MODEL.MODEL_NAME gives."


def register_model(name: str) -> Callable[[Builder], Builder]:
    """Decorate a builder so that MODEL.MODEL_NAME can name it."""

    def register(builder: Builder) -> Builder:
        builder.__name__ = name  # the registry files objects under their __name__
        MODEL_REGISTRY.register(builder)
        return builder

    return register


def build_model(cfg: CfgNode) -> nn.Module:
    """The model that MODEL.MODEL_NAME names, with fresh weights. Raises ValueError naming the known models."""
    name = cfg.MODEL.MODEL_NAME
    if name not in MODEL_REGISTRY:
        known = sorted(name for name, _ in MODEL_REGISTRY)
        raise ValueError(f"MODEL.MODEL_NAME {name!r} is not registered; known models: {known}")
    return MODEL_REGISTRY.get(name)(cfg)


def input_size(cfg: CfgNode) -> tuple[int, int, int]:
    """(T, H, W) of the training input: the size that position tables are made for."""
    crop = cfg.DATA.TRAIN_CROP_SIZE
    height, width = (crop, crop) if isinstance(crop, int) else crop
    return (cfg.DATA.NUM_FRAMES, height, width)


def build_backbone(cfg: CfgNode) -> MViT:
    m = cfg.MVIT
    patch_stride = (1, *m.PATCH_STRIDE) if m.PATCH_2D else m.PATCH_STRIDE
    grid = tuple(size // stride for size, stride in zip(input_size(cfg), patch_stride, strict=True))
    position = "none" if not m.USE_ABS_POS else "separable" if m.SEP_POS_EMBED else "joint"
    plan = plan_blocks(
        depth=m.DEPTH,
        embed_dim=m.EMBED_DIM,
        num_heads=m.NUM_HEADS,
        in_size=grid,
        dim_mul=dict(m.DIM_MUL),
        head_mul=dict(m.HEAD_MUL),
        q_strides={block: tuple(stride) for block, *stride in m.POOL_Q_STRIDE},
        kv_strides={block: tuple(stride) for block, *stride in m.POOL_KV_STRIDE},
        adaptive_kv_stride=tuple(m.POOL_KV_STRIDE_ADAPTIVE) or None,
        kernel=tuple(m.POOL_KVQ_KERNEL) or None,
        widen_in_attention=m.DIM_MUL_IN_ATT,
    )
    return MViT(
        plan,
        patch_kernel=m.PATCH_KERNEL,
        patch_stride=m.PATCH_STRIDE,
        patch_padding=m.PATCH_PADDING,
        image=m.PATCH_2D,
        class_token=m.CLS_EMBED_ON,
        position=position,
        rel_pos_temporal=m.REL_POS_TEMPORAL,
        rel_pos_spatial=m.REL_POS_SPATIAL,
        rel_pos_zero_init=m.REL_POS_ZERO_INIT,
        residual_pooling=m.RESIDUAL_POOLING,
        mlp_ratio=m.MLP_RATIO,
        qkv_bias=m.QKV_BIAS,
        separate_qkv=m.SEPARATE_QKV,
        dropout=m.DROPOUT_RATE,
        drop_path=m.DROPPATH_RATE,
        act_checkpoint=cfg.MODEL.ACT_CHECKPOINT,
    )


def _build_heads(cfg: CfgNode, dim: int) -> BMViTHeads:
    b = cfg.BMVIT
    return BMViTHeads(
        dim,
        num_classes=cfg.MODEL.NUM_CLASSES,
        hidden=b.HEAD_HIDDEN or dim,
        depth=b.HEAD_DEPTH,
        actor_logits=b.ACTOR_LOGITS,
        box_prior=b.BOX_PRIOR,
        prior_size=tuple(b.BOX_PRIOR_SIZE) or None,
    )


@register_model("BMViT")
def build_bmvit(cfg: CfgNode) -> BMViT:
    b = cfg.BMVIT
    backbone = build_backbone(cfg)
    aux_widths = {block: backbone.plan[block].dim_out for block in b.AUX_BLOCKS}
    return BMViT(
        backbone,
        select=TokenSelect(box_tokens=b.BOX_TOKENS, action_tokens=b.ACTION_TOKENS),
        heads=_build_heads(cfg, backbone.dim),
        aux_heads={block: (nn.LayerNorm(dim, eps=1e-6), _build_heads(cfg, dim)) for block, dim in aux_widths.items()},
    )


@register_model("MViT")
def build_mvit_classifier(cfg: CfgNode) -> VideoClassifier:
    return VideoClassifier(
        build_backbone(cfg),
        num_classes=cfg.MODEL.NUM_CLASSES,
        mean_pooling=cfg.MVIT.USE_MEAN_POOLING,
        dropout=cfg.MODEL.DROPOUT_RATE,
        init_scale=cfg.MVIT.HEAD_INIT_SCALE,
    )


def build_postprocess(cfg: CfgNode) -> PostProcess:
    t = cfg.TEST
    return PostProcess(actor_threshold=t.ACTOR_THRESHOLD, nms_iou=t.NMS_IOU or None, max_people=t.MAX_PEOPLE or None)
