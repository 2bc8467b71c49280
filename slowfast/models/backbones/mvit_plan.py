"""The block table of an MViT: from PySlowFast's per-block multipliers and strides to one BlockSpec row per block."""

from collections.abc import Mapping

from slowfast.layers.mvit_block import BlockSpec
from slowfast.layers.token_grid import Size3, size3, volume


def round_width(width: int, multiplier: float, *, divisor: int, minimum: int = 1) -> int:
    """`width * multiplier` rounded to the nearest multiple of `divisor`, never more than 10 % below the exact product."""
    exact = width * multiplier
    rounded = max(minimum, int(exact + divisor / 2) // divisor * divisor)
    if rounded < 0.9 * exact:
        rounded += divisor
    return int(rounded)


def _kernel(stride: Size3, fixed: Size3 | None) -> Size3 | None:
    """The pooling kernel for a stride: the fixed one, or one wider than the stride; None when it would do nothing."""
    kernel = size3(fixed) if fixed is not None else size3(s + 1 if s > 1 else s for s in stride)
    return None if volume(kernel) == 1 and volume(stride) == 1 else kernel


def plan_blocks(
    *,
    depth: int,
    embed_dim: int,
    num_heads: int,
    in_size: Size3,
    dim_mul: Mapping[int, float],
    head_mul: Mapping[int, float],
    q_strides: Mapping[int, Size3],
    kv_strides: Mapping[int, Size3],
    adaptive_kv_stride: Size3 | None = None,
    kernel: Size3 | None = (3, 3, 3),
    widen_in_attention: bool = True,
) -> tuple[BlockSpec, ...]:
    """One row per block.

    dim_mul, head_mul:  block -> factor by which width and heads grow there
    q_strides:          block -> query stride; a block that is listed pools its queries, even with stride 1
    kv_strides:         block -> key and value stride, for a network without the adaptive rule
    adaptive_kv_stride: key and value stride of block 0; every query stride divides it from there on, down to 1
    kernel:             pooling kernel; None makes it one wider than the stride (stride 1: kernel 1)
    widen_in_attention: MViTv2 widens in the attention of the listed block; MViTv1 in the MLP of the block before it
    """
    rows: list[BlockSpec] = []
    width, heads, size = embed_dim, num_heads, size3(in_size)
    kv_stride = (1, 1, 1) if adaptive_kv_stride is None else size3(adaptive_kv_stride)
    for block in range(depth):
        q_stride = size3(q_strides.get(block, (1, 1, 1)))
        heads = round_width(heads, head_mul.get(block, 1.0), divisor=1)
        if adaptive_kv_stride is not None:
            kv_stride = size3(max(kv // q, 1) for kv, q in zip(kv_stride, q_stride, strict=True))
            pools_kv = True
        else:
            kv_stride = size3(kv_strides.get(block, (1, 1, 1)))
            pools_kv = block in kv_strides
        ahead = block if widen_in_attention else block + 1
        divisor = round_width(heads, head_mul.get(ahead, 1.0), divisor=1)
        dim_out = round_width(width, dim_mul.get(ahead, 1.0), divisor=divisor)
        rows.append(
            BlockSpec(
                dim_in=width,
                dim_out=dim_out,
                attention_dim=dim_out if widen_in_attention else width,
                num_heads=heads,
                in_size=size,
                q_stride=q_stride,
                kv_stride=kv_stride,
                q_kernel=_kernel(q_stride, kernel) if block in q_strides else None,
                kv_kernel=_kernel(kv_stride, kernel) if pools_kv else None,
            )
        )
        width, size = dim_out, rows[-1].out_size
    return tuple(rows)
