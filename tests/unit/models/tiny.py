"""A BMViT of a few thousand parameters: 4 x 16 x 16 clips, 2 x 2 x 2 tokens, 4 candidates. It has one block or two."""

import torch

from slowfast.models.backbones.mvit import MViT
from slowfast.models.backbones.mvit_plan import plan_blocks
from slowfast.models.detection.bmvit import BMViT
from slowfast.models.detection.heads import BMViTHeads
from slowfast.models.detection.token_select import TokenSelect

CLIP_SHAPE = (3, 4, 16, 16)


def tiny_bmvit(
    *,
    num_classes: int = 3,
    actor_logits: int = 1,
    aux: bool = False,
    box_tokens: str = "central_pair",
    action_tokens: str = "temporal_mean",
    class_token: bool = False,
    position: str = "none",
    seed: int = 0,
    depth: int = 2,
) -> BMViT:
    """depth: 1 leaves the first block out, and the head that it widens by."""
    torch.manual_seed(seed)
    wider = {1: 2.0} if depth == 2 else {}
    plan = plan_blocks(
        depth=depth,
        embed_dim=8,
        num_heads=1,
        in_size=(2, 4, 4),
        dim_mul=wider,
        head_mul=wider,
        q_strides={0: (1, 2, 2)} if depth == 1 else {0: (1, 1, 1), 1: (1, 2, 2)},
        kv_strides={},
        adaptive_kv_stride=(1, 2, 2),
    )
    backbone = MViT(
        plan,
        patch_kernel=(3, 7, 7),
        patch_stride=(2, 4, 4),
        patch_padding=(1, 3, 3),
        class_token=class_token,
        position=position,
    )

    def heads(dim: int) -> BMViTHeads:
        return BMViTHeads(
            dim,
            num_classes=num_classes,
            hidden=12,
            depth=2,
            actor_logits=actor_logits,
            box_prior=True,
            prior_size=(0.3, 0.5),
        )

    return BMViT(
        backbone,
        select=TokenSelect(box_tokens=box_tokens, action_tokens=action_tokens),
        heads=heads(backbone.dim),
        aux_heads={0: (torch.nn.LayerNorm(8), heads(8))} if aux else None,
    )


def random_clips(count: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(count, *CLIP_SHAPE, generator=torch.Generator().manual_seed(seed))
