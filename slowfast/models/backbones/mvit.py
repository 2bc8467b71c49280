"""The MViT backbone: clip -> token grid (Fan et al. 2021, MViT; Li et al. 2022, MViTv2).

Parameter names are PySlowFast's, so that published weights load: patch_embed.proj, cls_token, pos_embed*, blocks.N.*,
norm.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from slowfast.layers.mvit_block import BlockSpec, MultiScaleBlock
from slowfast.layers.patch_embed import PatchEmbed
from slowfast.layers.position import JointPositionEmbedding, SeparablePositionEmbedding
from slowfast.layers.token_grid import Size3, size3, split_class_token
from slowfast.models.encoded import Encoded

# The published names of the absolute position tables, which are parameters of the network itself there.
_POSITION_NAMES = {
    "position.spatial": "pos_embed_spatial",
    "position.temporal": "pos_embed_temporal",
    "position.class_position": "pos_embed_class",
    "position.table": "pos_embed",
}


class MViT(nn.Module):
    """Multiscale vision transformer. clips (B, 3, T, H, W), normalised RGB -> (B, T', H', W', C) after the last norm.

    Any T x H x W that the patch stride divides works: relative and absolute positions are resized to the grid at hand.

    plan:           one BlockSpec per block (`plan_blocks`)
    position:       absolute positions: "none", "separable" (MViTv1 video) or "joint" (images)
    drop_path:      rate of the last block; it grows linearly from 0 at the first
    act_checkpoint: recompute each block in the backward pass instead of keeping its activations
    """

    def __init__(
        self,
        plan: Sequence[BlockSpec],
        *,
        patch_kernel: Sequence[int],
        patch_stride: Sequence[int],
        patch_padding: Sequence[int],
        image: bool = False,
        class_token: bool = True,
        position: str = "none",
        rel_pos_temporal: bool = True,
        rel_pos_spatial: bool = True,
        rel_pos_zero_init: bool = False,
        residual_pooling: bool = True,
        mlp_ratio: float = 4.0,
        qkv_bias: bool = True,
        separate_qkv: bool = False,
        dropout: float = 0.0,
        drop_path: float = 0.0,
        act_checkpoint: bool = False,
    ) -> None:
        super().__init__()
        dim, grid = plan[0].dim_in, plan[0].in_size
        self.plan = tuple(plan)
        self.act_checkpoint = act_checkpoint
        self.patch_embed = PatchEmbed(dim, kernel=patch_kernel, stride=patch_stride, padding=patch_padding, image=image)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, dim)) if class_token else None
        self.position = _make_position(position, dim, grid, class_token)
        self.position_dropout = nn.Dropout(dropout)
        rates = torch.linspace(0, drop_path, len(plan), device="cpu").tolist()
        self.blocks = nn.ModuleList(
            MultiScaleBlock(
                spec,
                class_token=class_token,
                rel_pos_temporal=rel_pos_temporal,
                rel_pos_spatial=rel_pos_spatial,
                residual_pooling=residual_pooling,
                mlp_ratio=mlp_ratio,
                qkv_bias=qkv_bias,
                separate_qkv=separate_qkv,
                dropout=dropout,
                drop_path=rate,
            )
            for spec, rate in zip(plan, rates, strict=True)
        )
        self.norm: nn.Module = nn.LayerNorm(plan[-1].dim_out, eps=1e-6)
        self._initialise(rel_pos_zero_init)
        self.register_state_dict_post_hook(_publish_names)
        self.register_load_state_dict_pre_hook(_accept_published_names)

    @property
    def dim(self) -> int:
        """Channels of the output tokens."""
        return self.plan[-1].dim_out

    @property
    def block_dims(self) -> tuple[int, ...]:
        """Channels that each block leaves."""
        return tuple(spec.dim_out for spec in self.plan)

    @property
    def stride(self) -> Size3:
        """Pixels of the input that one output token covers along (T, H, W)."""
        stride = self.patch_embed.stride
        for spec in self.plan:
            stride = size3(s * q for s, q in zip(stride, spec.q_stride, strict=True))
        return stride

    def _initialise(self, rel_pos_zero_init: bool) -> None:
        """Truncated normal 0.02 for weights and positions. Biases start at 0.02, as in the published networks."""
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.02)
            if isinstance(module, (nn.Linear, nn.LayerNorm)) and module.bias is not None:
                nn.init.constant_(module.bias, 0.02)
        if self.cls_token is not None:
            nn.init.trunc_normal_(self.cls_token, std=0.02)
        for name, parameter in self.named_parameters():
            if "rel_pos" in name and not rel_pos_zero_init:
                nn.init.trunc_normal_(parameter, std=0.02)

    def encode(self, clips: Tensor, *, keep_blocks: Sequence[int] = ()) -> Encoded:
        """Run the network: the final tokens, the class token, and the outputs of the blocks named in `keep_blocks`."""
        return self.encode_tokens(*self.patch_embed(clips), keep_blocks=keep_blocks)

    def encode_tokens(self, x: Tensor, grid: Size3, *, keep_blocks: Sequence[int] = ()) -> Encoded:
        """As `encode`, from what `patch_embed` gave: patch tokens (B, THW, dim) and their grid, without positions."""
        dtype = x.dtype  # under autocast not that of the parameters, which would make float32 of all tokens here
        if self.cls_token is not None:
            x = torch.cat([self.cls_token.to(dtype).expand(x.shape[0], -1, -1), x], dim=1)
        if self.position is not None:
            x = self.position(x, grid).to(dtype)
        x = self.position_dropout(x)
        kept = {}
        for index, block in enumerate(self.blocks):
            if self.act_checkpoint and self.training:
                x, grid = checkpoint(block, x, grid, use_reentrant=False)
            else:
                x, grid = block(x, grid)
            if index in keep_blocks:
                kept[index] = split_class_token(x, self.cls_token is not None)[1].unflatten(1, grid)
        first, rest = split_class_token(self.norm(x), self.cls_token is not None)
        return Encoded(rest.unflatten(1, grid), None if first is None else first[:, 0], kept)

    def forward(self, clips: Tensor) -> Tensor:
        return self.encode(clips).tokens


def _make_position(kind: str, dim: int, grid: Size3, class_token: bool) -> nn.Module | None:
    if kind == "none":
        return None
    if kind == "separable":
        return SeparablePositionEmbedding(dim, grid=grid, class_token=class_token)
    if kind == "joint":
        return JointPositionEmbedding(dim, grid=grid, class_token=class_token)
    raise ValueError(f"position must be 'none', 'separable' or 'joint', got {kind!r}")


def _publish_names(module: nn.Module, state: dict, prefix: str, _metadata: object) -> None:
    for ours, published in _POSITION_NAMES.items():
        if prefix + ours in state:
            state[prefix + published] = state.pop(prefix + ours)


def _accept_published_names(module: nn.Module, state: dict, prefix: str, *_: object) -> None:
    for ours, published in _POSITION_NAMES.items():
        if prefix + published in state:
            state[prefix + ours] = state.pop(prefix + published)
