"""From config to model; the only file of this package that sees a config."""

from collections.abc import Callable, Sequence
from typing import cast

from fvcore.common.config import CfgNode
from fvcore.common.registry import Registry
from torch import nn

from slowfast.config.classes import num_classes
from slowfast.config.extensions import import_extensions
from slowfast.config.registry import find_in, register_in
from slowfast.models.backbone import Backbone, encodes
from slowfast.models.backbones.frame_cnn_mvit import FrameCNNMViT
from slowfast.models.backbones.mvit import MViT
from slowfast.models.backbones.mvit_plan import plan_blocks
from slowfast.models.backbones.vit import ViT
from slowfast.models.classifier import VideoClassifier
from slowfast.models.detection.bmvit import BMViT
from slowfast.models.detection.heads import BMViTHeads
from slowfast.models.detection.postprocess import PostProcess
from slowfast.models.detection.token_select import TokenSelect
from slowfast.models.masked import MaskMViT

Builder = Callable[[CfgNode], nn.Module]

MODEL_REGISTRY = Registry("MODEL")
MODEL_REGISTRY.__doc__ = "Functions from a config to an nn.Module, by the name that MODEL.MODEL_NAME gives."
BACKBONE_REGISTRY = Registry("BACKBONE")
BACKBONE_REGISTRY.__doc__ = "Functions from a config to a backbone, by the name that MODEL.BACKBONE gives."


# The task that each registered model is made for: the name of a class in `slowfast/tasks`.
MODEL_TASKS: dict[str, str] = {}


def register_model(name: str, *, task: str = "Localization") -> Callable[[Builder], Builder]:
    """Decorate a builder so that MODEL.MODEL_NAME can name it. The model keeps its backbone as `backbone`.

    task: what its outputs are for: "Localization" (`model(clips)` gives Predictions), "TwoStage" (`model(clips, boxes)`
          gives RoIPredictions), "Classification" (`model(clips)` gives logits), "MaskedPretraining" (`model(clips, cells)`
          gives MaskedPredictions), or a task of yours
    """
    MODEL_TASKS[name] = task
    return register_in(MODEL_REGISTRY, name)


def register_backbone(name: str) -> Callable[[Builder], Builder]:
    """Decorate a builder so that MODEL.BACKBONE can name it.

    It returns a module that promises: `backbone(clips)`, (B, 3, T, H, W) normalised RGB -> (B, T', H', W', C) after
    its last norm; `backbone.dim`, C; `backbone.stride`, the (T, H, W) pixels one output token covers.
    For deep supervision (BMVIT.AUX_BLOCKS) and mean pooling (MVIT.USE_MEAN_POOLING) it also has `encode`, `block_dims`
    and `norm` as MViT does.
    """
    return register_in(BACKBONE_REGISTRY, name)


def build_model(cfg: CfgNode) -> nn.Module:
    """The model that MODEL.MODEL_NAME names, with fresh weights, of which MODEL.FREEZE says what is not trained.

    Raises ValueError naming the known models, or the parameters there are.
    """
    import_extensions(cfg)
    model = find_in(MODEL_REGISTRY, "MODEL.MODEL_NAME", cfg.MODEL.MODEL_NAME)(cfg)
    freeze(model, cfg.MODEL.FREEZE)
    return model


def freeze(model: nn.Module, beginnings: Sequence[str]) -> None:
    """Leave the parameters whose names begin so as they are in training. Raises ValueError where none begins so."""
    for beginning in beginnings:
        chosen = [parameter for name, parameter in model.named_parameters() if name.startswith(beginning)]
        if not chosen:
            parts = sorted({".".join(name.split(".")[:2]) for name, _ in model.named_parameters()})
            raise ValueError(
                f"MODEL.FREEZE: no parameter's name begins with {beginning!r}; names begin with {', '.join(parts)}"
            )
        for parameter in chosen:
            parameter.requires_grad_(False)


def task_of_model(cfg: CfgNode) -> str:
    """The task that the model is made for. Raises ValueError as `build_model`."""
    find_in(MODEL_REGISTRY, "MODEL.MODEL_NAME", cfg.MODEL.MODEL_NAME)
    return MODEL_TASKS[cfg.MODEL.MODEL_NAME]


def build_backbone(cfg: CfgNode) -> Backbone:
    """The backbone that MODEL.BACKBONE names. Raises ValueError naming the known ones."""
    return cast(Backbone, find_in(BACKBONE_REGISTRY, "MODEL.BACKBONE", cfg.MODEL.BACKBONE)(cfg))


def input_size(cfg: CfgNode) -> tuple[int, int, int]:
    """(T, H, W) of the training input: the size that position tables are made for."""
    crop = cfg.DATA.TRAIN_CROP_SIZE
    height, width = (crop, crop) if isinstance(crop, int) else crop
    return (cfg.DATA.NUM_FRAMES, height, width)


# ----------------------------------------------------------------------------------------------------- backbones


@register_backbone("MViT")
def build_mvit(cfg: CfgNode) -> MViT:
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


@register_backbone("ViT")
def build_vit(cfg: CfgNode) -> ViT:
    """A plain ViT is described by the MVIT keys that it shares; those that shrink or widen the grid must be off."""
    m = cfg.MVIT
    of_mvit_only = ("POOL_Q_STRIDE", "POOL_KV_STRIDE", "POOL_KV_STRIDE_ADAPTIVE", "DIM_MUL", "HEAD_MUL", "PATCH_2D")
    given = [f"MVIT.{key}" for key in of_mvit_only if m[key]]
    if given:
        raise ValueError(
            f"MODEL.BACKBONE ViT has one stage and no pooling; leave out {', '.join(given)} or choose MViT"
        )
    if tuple(m.PATCH_KERNEL) != tuple(m.PATCH_STRIDE) or any(m.PATCH_PADDING):
        raise ValueError(
            f"MODEL.BACKBONE ViT has tubelets that do not overlap: MVIT.PATCH_KERNEL ({m.PATCH_KERNEL}) must equal "
            f"MVIT.PATCH_STRIDE ({m.PATCH_STRIDE}) and MVIT.PATCH_PADDING ({m.PATCH_PADDING}) be zeros"
        )
    return ViT(
        depth=m.DEPTH,
        dim=m.EMBED_DIM,
        num_heads=m.NUM_HEADS,
        tubelet=m.PATCH_KERNEL,
        mlp_ratio=m.MLP_RATIO,
        qkv_bias=m.QKV_BIAS,
        dropout=m.DROPOUT_RATE,
        drop_path=m.DROPPATH_RATE,
        act_checkpoint=cfg.MODEL.ACT_CHECKPOINT,
    )


@register_backbone("FrameCNNMViT")
def build_frame_cnn_mvit(cfg: CfgNode) -> FrameCNNMViT:
    """Its blocks are described by the MVIT keys that it shares; those of a patch embedding must say what it has: stride
    16. Raises ValueError naming the others.
    """
    m, f = cfg.MVIT, cfg.FRAME_CNN
    if tuple(m.PATCH_STRIDE[1:]) != (16, 16) or m.PATCH_2D:
        raise ValueError(
            f"MODEL.BACKBONE FrameCNNMViT makes a token of 16 x 16 pixels of t frames: MVIT.PATCH_STRIDE ({m.PATCH_STRIDE}) "
            "must be [t, 16, 16] and MVIT.PATCH_2D False"
        )
    elsewhere = [
        f"MVIT.{key}" for key in ("DIM_MUL", "HEAD_MUL", "POOL_Q_STRIDE", "CLS_EMBED_ON", "USE_ABS_POS") if m[key]
    ]
    if elsewhere:
        raise ValueError(f"MODEL.BACKBONE FrameCNNMViT has one width and one stride; leave out {', '.join(elsewhere)}")
    times, height, width = input_size(cfg)
    plan = plan_blocks(
        depth=m.DEPTH,
        embed_dim=m.EMBED_DIM,
        num_heads=m.NUM_HEADS,
        in_size=(times // m.PATCH_STRIDE[0], height // 16, width // 16),
        dim_mul={},
        head_mul={},
        q_strides={},
        kv_strides={block: tuple(stride) for block, *stride in m.POOL_KV_STRIDE},
        adaptive_kv_stride=tuple(m.POOL_KV_STRIDE_ADAPTIVE) or None,
        kernel=tuple(m.POOL_KVQ_KERNEL) or None,
    )
    return FrameCNNMViT(
        plan,
        time_stride=m.PATCH_STRIDE[0],
        motion_channels=f.MOTION_CHANNELS,
        motion_radius=f.MOTION_RADIUS,
        input_dropout=f.INPUT_DROPOUT,
        drop_path=m.DROPPATH_RATE,
        mlp_ratio=m.MLP_RATIO,
        qkv_bias=m.QKV_BIAS,
        rel_pos_temporal=m.REL_POS_TEMPORAL,
        rel_pos_spatial=m.REL_POS_SPATIAL,
        residual_pooling=m.RESIDUAL_POOLING,
        act_checkpoint=cfg.MODEL.ACT_CHECKPOINT,
    )


# -------------------------------------------------------------------------------------------------------- models


@register_model("BMViT")
def build_bmvit(cfg: CfgNode) -> BMViT:
    b = cfg.BMVIT
    backbone = build_backbone(cfg)
    aux_widths = {}
    if encodes(backbone):
        aux_widths = {block: backbone.block_dims[block] for block in b.AUX_BLOCKS}
    elif b.AUX_BLOCKS:
        raise ValueError(
            f"BMVIT.AUX_BLOCKS ({b.AUX_BLOCKS}) needs a backbone with `encode`; {cfg.MODEL.BACKBONE} has none"
        )
    return BMViT(
        backbone,
        select=TokenSelect(box_tokens=b.BOX_TOKENS, action_tokens=b.ACTION_TOKENS),
        heads=_build_heads(cfg, backbone.dim),
        aux_heads={block: (nn.LayerNorm(dim, eps=1e-6), _build_heads(cfg, dim)) for block, dim in aux_widths.items()},
    )


def _build_heads(cfg: CfgNode, dim: int) -> BMViTHeads:
    b = cfg.BMVIT
    return BMViTHeads(
        dim,
        num_classes=num_classes(cfg),
        hidden=b.HEAD_HIDDEN or dim,
        depth=b.HEAD_DEPTH,
        actor_logits=b.ACTOR_LOGITS,
        box_prior=b.BOX_PRIOR,
        prior_size=tuple(b.BOX_PRIOR_SIZE) or None,
        dropout=b.HEAD_DROPOUT,
        rivals=b.RIVALS,
        action_scores=b.ACTION_SCORES,
    )


@register_model("MViT", task="Classification")
def build_classifier(cfg: CfgNode) -> VideoClassifier:
    """PySlowFast's MViT: a classifier of clips."""
    return VideoClassifier(
        build_backbone(cfg),
        num_classes=num_classes(cfg),
        mean_pooling=cfg.MVIT.USE_MEAN_POOLING,
        dropout=cfg.MODEL.DROPOUT_RATE,
        init_scale=cfg.MVIT.HEAD_INIT_SCALE,
    )


@register_model("TwoStage", task="TwoStage")
def build_two_stage(cfg: CfgNode) -> nn.Module:
    """PySlowFast's MViT with DETECTION.ENABLE: a classifier of given boxes."""
    from slowfast.models.detection.two_stage import TwoStage  # with torchvision, which no other model needs

    return TwoStage(
        build_backbone(cfg),
        num_classes=num_classes(cfg),
        resolution=cfg.DETECTION.ROI_XFORM_RESOLUTION,
        aligned=cfg.DETECTION.ALIGNED,
        action_scores=cfg.DETECTION.ACTION_SCORES,
        dropout=cfg.MODEL.DROPOUT_RATE,
        init_scale=cfg.MVIT.HEAD_INIT_SCALE,
    )


@register_model("MaskMViT", task="MaskedPretraining")
def build_masked(cfg: CfgNode) -> MaskMViT:
    """PySlowFast's MaskMViT as MaskFeat trains it: HOG of what is hidden."""
    mask, backbone = cfg.MASK, build_backbone(cfg)
    if not isinstance(backbone, MViT):
        raise ValueError(f"MODEL.MODEL_NAME MaskMViT needs MODEL.BACKBONE MViT, not {cfg.MODEL.BACKBONE}")
    if not mask.ENABLE or not mask.PRED_HOG or mask.HEAD_TYPE != "separate":
        raise ValueError(
            "MODEL.MODEL_NAME MaskMViT needs MASK.ENABLE True, MASK.PRED_HOG True, MASK.HEAD_TYPE separate"
        )
    return MaskMViT(backbone, depths=mask.PRETRAIN_DEPTH)


def build_postprocess(cfg: CfgNode) -> PostProcess:
    t = cfg.TEST
    return PostProcess(actor_threshold=t.ACTOR_THRESHOLD, nms_iou=t.NMS_IOU or None, max_people=t.MAX_PEOPLE or None)
