"""Whose names a checkpoint uses, and the tables that turn them into ours (PySlowFast's for MViT, VideoMAE's for ViT).

Every name of a file is renamed by a row, dropped by a row that says why, or left as it is.
"""

import re
from dataclasses import dataclass

from slowfast.weights.entries import COUNTERS


@dataclass(frozen=True)
class Naming:
    """One published naming.

    title:   as the report calls it
    marker:  a pattern; the naming is recognised by a name that it matches
    renames: (pattern, replacement) rows, applied one after the other
    drops:   (pattern, why) rows for what this project has no use for
    starts:  (pattern, why) rows for parameters of ours that such a file never holds and that start afresh
    """

    title: str
    marker: str
    renames: tuple[tuple[str, str], ...] = ()
    drops: tuple[tuple[str, str], ...] = ()
    starts: tuple[tuple[str, str], ...] = ()


_PRETRAINING = "part of the masked pre-training only"
_AFTER_PRETRAINING = "a masked pre-training has none"

_HUGGING_FACE = (
    (r"^videomae\.", ""),
    (r"^embeddings\.patch_embeddings\.projection\.", "patch_embed.proj."),
    (r"^encoder\.layer\.(\d+)\.", r"blocks.\1."),
    (r"\.attention\.attention\.(q|v)_bias$", r".attn.\1_bias"),
    (r"\.attention\.attention\.(q|v)(uery|alue)\.bias$", r".attn.\1_bias"),
    (r"\.attention\.attention\.(q|k|v)(uery|ey|alue)\.weight$", r".attn.\1.weight"),
    (r"\.attention\.output\.dense\.", ".attn.proj."),
    (r"\.intermediate\.dense\.", ".mlp.fc1."),
    (r"\.output\.dense\.", ".mlp.fc2."),
    (r"\.layernorm_before\.", ".norm1."),
    (r"\.layernorm_after\.", ".norm2."),
    (r"^(fc_norm|layernorm)\.", "norm."),
    (r"^classifier\.", "head.projection."),
)
_HUGGING_FACE_DROPS = (
    (r"\.attention\.attention\.key\.bias$", "moves all logits of a query alike, which softmax does not see"),
    (r"^(videomae\.)?embeddings\.position_embeddings$", "positions are sines and cosines by a formula"),
)

# Order matters: the first naming whose marker is found is taken, the most specific ones first.
NAMINGS = (
    Naming("BMViT of this project", r"^heads\.box\.\d+\.weight$", renames=((r"^backbone\.", ""),)),
    Naming(
        "torchvision",
        r"^conv_proj\.weight$",
        renames=(
            (r"^conv_proj\.", "patch_embed.proj."),
            (r"^pos_encoding\.class_token$", "cls_token"),
            (r"^pos_encoding\.(spatial|temporal|class)_pos$", r"pos_embed_\1"),
            (r"\.attn\.project\.0\.", ".attn.proj."),
            (r"\.attn\.pool_([qkv])\.pool\.", r".attn.pool_\1."),
            (r"\.attn\.pool_([qkv])\.norm_act\.0\.", r".attn.norm_\1."),
            (r"^(blocks\.\d+)\.project\.", r"\1.proj."),
            (r"\.mlp\.0\.", ".mlp.fc1."),
            (r"\.mlp\.3\.", ".mlp.fc2."),
            (r"^head\.1\.", "head.projection."),
        ),
    ),
    Naming(
        "mmaction2",
        r"^(backbone\.)?patch_embed\.projection\.weight$",
        renames=(
            (r"^backbone\.", ""),
            (r"^patch_embed\.projection\.", "patch_embed.proj."),
            (r"^norm\d+\.", "norm."),
            (r"^cls_head\.fc_cls\.", "head.projection."),
        ),
        drops=((r"^data_preprocessor\.", "normalisation is DATA.MEAN and DATA.STD here"),),
    ),
    Naming(
        "Hugging Face VideoMAE pre-training",
        r"^decoder\.decoder_layers\.",
        renames=_HUGGING_FACE,
        drops=(
            (r"^(decoder\.|encoder_to_decoder\.|mask_token$|position_embeddings$)", _PRETRAINING),
            *_HUGGING_FACE_DROPS,
        ),
        starts=((r"^(head\.projection|norm)\.", _AFTER_PRETRAINING),),
    ),
    Naming(
        "Hugging Face VideoMAE",
        r"^(videomae\.)?embeddings\.patch_embeddings\.projection\.weight$",
        renames=_HUGGING_FACE,
        drops=_HUGGING_FACE_DROPS,
    ),
    Naming(
        "VideoMAE pre-training",
        r"^encoder\.blocks\.0\.",
        renames=((r"^encoder\.", ""),),
        drops=((r"^(decoder\.|encoder_to_decoder\.|mask_token$|pos_embed$)", _PRETRAINING),),
        starts=((r"^head\.projection\.", _AFTER_PRETRAINING),),
    ),
    Naming(
        "VideoMAE",
        r"^(backbone\.)?blocks\.0\.attn\.q_bias$",
        renames=((r"^backbone\.", ""), (r"^fc_norm\.", "norm."), (r"^head\.(weight|bias)$", r"head.projection.\1")),
    ),
    Naming(
        "PySlowFast pre-training",
        r"^(mask_token$|pred_head\.)",
        drops=((r"^(mask_token$|pred_head\.|hogs\.|decoder_|dec_pos_embed)", _PRETRAINING),),
        starts=((r"^(norm|head\.projection)\.", _AFTER_PRETRAINING),),
    ),
    Naming(
        "EfficientNet-Lite in PyTorch",
        r"^_conv_stem\.weight$",
        renames=(
            (r"^_conv_stem\.", "frames.stem.conv."),
            (r"^_bn0\.", "frames.stem.norm."),
            (r"^_blocks\.", "frames.blocks."),
            (r"\._expand_conv\.", ".expand.conv."),
            (r"\._bn0\.", ".expand.norm."),
            (r"\._depthwise_conv\.", ".depthwise.conv."),
            (r"\._bn1\.", ".depthwise.norm."),
            (r"\._project_conv\.", ".project.conv."),
            (r"\._bn2\.", ".project.norm."),
        ),
        drops=((r"^(_conv_head|_bn1|_fc)\.", "the classifier of images; this model has heads of its own"),),
        starts=((r"^(?!frames\.|heads?\.|aux_)", "an image network has none"),),
    ),
    Naming("PySlowFast", r"^patch_embed\.proj\.weight$"),
    Naming("this project", r"^backbone\.", renames=((r"^backbone\.", ""),)),
)
UNKNOWN = Naming("unknown names", "")

# What every wrapper around a model may put before all names: DataParallel and AveragedModel, torch.compile, Lightning.
_WRAPPERS = ("module.", "_orig_mod.", "model.", "net.", "network.")


def strip_wrappers(names: list[str], *, lightning: bool = False) -> tuple[dict[str, str], dict[str, str]]:
    """The names without what wrappers put before every one, and the names that are no parameters of the network.

    lightning: the names are those of a Lightning module, which may have a loss and metrics beside its network

    Returns file name -> name without the prefixes, and file name -> why it is left out.
    """
    counted = [name for name in names if name.rsplit(".", 1)[-1] in COUNTERS and name.count(".") <= 1]
    beside = dict.fromkeys(counted, "counts the steps of the average")
    stripped = {name: name for name in names if name not in beside}
    if not any(name.startswith("module.") for name in stripped):
        beside, stripped = {}, {name: name for name in names}
    wrappers = (*_WRAPPERS, "backbone.") if lightning else _WRAPPERS
    changed = True
    while changed and stripped:
        changed = False
        for prefix in wrappers:
            if all(name.startswith(prefix) for name in stripped.values()):
                stripped = {original: name.removeprefix(prefix) for original, name in stripped.items()}
                changed = True
    if lightning and recognise(list(stripped.values())) == UNKNOWN:
        for prefix in _WRAPPERS:
            inside = {o: name.removeprefix(prefix) for o, name in stripped.items() if name.startswith(prefix)}
            if recognise(list(inside.values())) != UNKNOWN:
                outside = [original for original in stripped if original not in inside]
                return inside, beside | dict.fromkeys(outside, f"beside the network, which is under {prefix[:-1]}")
    return stripped, beside


def recognise(names: list[str]) -> Naming:
    """The naming of a file from its parameter names; UNKNOWN when none is recognised."""
    for naming in NAMINGS:
        if any(re.search(naming.marker, name) for name in names):
            return naming
    return UNKNOWN


def rename(name: str, naming: Naming) -> str:
    """The name that a parameter of such a file has here, without a `backbone.` prefix."""
    for pattern, replacement in naming.renames:
        name = re.sub(pattern, replacement, name)
    return name


def reason(name: str, rows: tuple[tuple[str, str], ...]) -> str | None:
    """The reason of the first row whose pattern matches `name`; None when none does."""
    return next((why for pattern, why in rows if re.search(pattern, name)), None)
