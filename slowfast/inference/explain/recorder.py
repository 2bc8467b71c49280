"""What the attention of a backbone's last stage did: computed again beside the fast paths, which give no weights."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from slowfast.inference.explain.rollout import BlockAttention, Pooling
from slowfast.layers.attention import attention_weights
from slowfast.layers.pooling_attention import PoolingAttention
from slowfast.layers.precision import full_precision
from slowfast.layers.token_grid import Size3, size3
from slowfast.models.backbones.vit import ViTAttention


class AttentionRecorder:
    """Inside `with`, the weights of the last batch that the network was shown, of each block of its last stage.

    The last stage begins with the last block that pools its queries; a network without one has one stage. Weights are
    those of the definition in `layers/attention.py`, whatever kernel computed the tokens, averaged over the heads.

    Raises ValueError for a backbone whose blocks are of neither MViT nor ViT.
    """

    def __init__(self, backbone: nn.Module) -> None:
        blocks = list(getattr(backbone, "blocks", ()))
        if not blocks or not all(isinstance(_attention(block), PoolingAttention | ViTAttention) for block in blocks):
            raise ValueError(
                f"attention is explained of the blocks of MViT and ViT, and the backbone of this model "
                f"({type(backbone).__name__}, MODEL.BACKBONE) has others; leave --explain out"
            )
        pools = [i for i, block in enumerate(blocks) if max(_query_stride(block)) > 1]
        self.numbers = tuple(range(pools[-1] if pools else 0, len(blocks)))
        self._blocks = [blocks[i] for i in self.numbers]
        self._recorded: dict[int, BlockAttention] = {}
        self._handles: list[Any] = []

    def __enter__(self) -> "AttentionRecorder":
        for number, block in zip(self.numbers, self._blocks, strict=True):

            def record(module: nn.Module, arguments: tuple, number: int = number, block: nn.Module = block) -> None:
                self._recorded[number] = _block_attention(block, *arguments)

            self._handles.append(_attention(block).register_forward_pre_hook(record))
        return self

    def __exit__(self, *_: object) -> None:
        while self._handles:
            self._handles.pop().remove()
        self._recorded.clear()

    def of_clip(self, row: int) -> Sequence[BlockAttention]:
        """Of the clip at position `row` of the last batch, in the order of the network."""
        recorded = [self._recorded[number] for number in self.numbers]
        return [replace(block, weights=block.weights[row]) for block in recorded]


def _attention(block: nn.Module) -> Any:
    return getattr(block, "attn", None)


def _query_stride(block: nn.Module) -> Size3:
    return size3(getattr(_attention(block), "q_stride", (1, 1, 1)))


@torch.no_grad()
def _block_attention(block: Any, x: Any, grid: Size3) -> BlockAttention:
    """Weights (B, [1 +] Q, [1 +] K) of a whole batch."""
    attention = _attention(block)
    if isinstance(attention, ViTAttention):
        q, k, _ = attention.queries_keys_values(x)
        weights = _mean_of_heads(q, k, (None, None, None), q_grid=grid, k_grid=grid, class_token=False)
        return BlockAttention(weights, grid, grid, grid, False, None, None)
    q, k, _, q_grid, k_grid = attention.queries_keys_values(x, grid)
    has_class = attention.class_token
    weights = _mean_of_heads(q, k, attention.tables, q_grid=q_grid, k_grid=k_grid, class_token=has_class)
    keys = attention.pool_v and Pooling(attention.pool_v.weight.abs().mean(dim=(0, 1)), size3(attention.kv_stride))
    skip = block.pool_skip and Pooling(torch.ones(*block.pool_skip.kernel_size), size3(block.pool_skip.stride))
    return BlockAttention(weights, grid, q_grid, k_grid, has_class, keys, skip)


def _mean_of_heads(q: Tensor, k: Tensor, tables: tuple, **grids: Any) -> Tensor:
    """(B, N, Q, D) and (B, N, K, D) -> (B, Q, K) float32, head by head, as all (Q, K) matrices at once may not fit."""
    tables = tuple(None if table is None else table.float() for table in tables)
    total = q.new_zeros((), dtype=torch.float32)
    with full_precision(q.device):
        for head in range(q.shape[1]):
            one = slice(head, head + 1)
            total = total + attention_weights(q[:, one].float(), k[:, one].float(), tables, **grids)[:, 0]
    return total / q.shape[1]
