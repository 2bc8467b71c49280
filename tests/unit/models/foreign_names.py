"""State dicts of our models under the names of other projects, as their published files write them."""

import re

from torch import Tensor

State = dict[str, Tensor]


def split_qkv(state: State) -> State:
    """PySlowFast with SEPARATE_QKV: attn.q, attn.k and attn.v instead of attn.qkv."""
    split = {}
    for name, tensor in state.items():
        if ".attn.qkv." not in name:
            split[name] = tensor
            continue
        for part, rows in zip("qkv", tensor.chunk(3), strict=True):
            split[name.replace(".qkv.", f".{part}.")] = rows.clone()
    return split


def mmaction2(state: State) -> State:
    """Recognizer3D with MViT and MViTHead."""
    foreign = {}
    for name, tensor in state.items():
        name = name.replace("patch_embed.proj.", "patch_embed.projection.")
        name = re.sub(r"^norm\.", "norm3.", name)
        head = name.startswith("head.projection.")
        foreign[name.replace("head.projection.", "cls_head.fc_cls.") if head else "backbone." + name] = tensor
    return foreign


def image_mvit(state: State) -> State:
    """facebookresearch/mvit: the pooling kernels are those of 2-D convolutions."""
    return {
        name: tensor.squeeze(2) if re.search(r"\.pool_[qkv]\.weight$", name) else tensor
        for name, tensor in state.items()
    }


def videomae(state: State) -> State:
    """VideoMAE after fine-tuning: the last norm is fc_norm, the classifier is head."""
    renamed = {re.sub(r"^norm\.", "fc_norm.", name): tensor for name, tensor in state.items()}
    return {name.replace("head.projection.", "head."): tensor for name, tensor in renamed.items()}


def videomae_pretraining(state: State) -> State:
    """VideoMAE before fine-tuning: an encoder without a classifier, and a decoder."""
    encoder = {f"encoder.{name}": tensor for name, tensor in state.items() if not name.startswith("head.")}
    some = next(iter(state.values()))
    return encoder | {"decoder.blocks.0.norm1.weight": some, "encoder_to_decoder.weight": some, "mask_token": some}


def maskfeat_pretraining(state: State) -> State:
    """PySlowFast's MaskFeat, from our MaskMViT, whose names are the same: its file also holds the filters of its HOG."""
    filters = {f"hogs.0.weight_{axis}": state["mask_token"].new_ones(3, 1, 3, 3) for axis in "xy"}
    return state | filters
