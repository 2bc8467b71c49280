"""Pooled queries made ready for attention on a CPU: normed, with their biases beside them, and no copy of them made.

An einsum copies all queries for each axis of positions. Here each axis is a batch of small matrix products that reads the
queries where they lie: tokens in raster order, the heads of a token side by side. Legend as in `queries`.
"""

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

Rows = tuple[Tensor, Tensor, Tensor]


def append_biases(x: Tensor, first: Tensor | None, norm: torch.nn.LayerNorm, rows: Rows, width: int) -> Tensor:
    """[norm(x), biases along t, h and w, zeros] -> (B, N, [1 +] T H W, width), the heads of a token side by side in
    memory; the class token's biases are 0.
    """
    return _AppendBiases.apply(x, first, norm.weight, norm.bias, norm.eps, *rows, width)


class _AppendBiases(torch.autograd.Function):
    """For the gradients x is kept, and the result, which attention keeps anyway."""

    @staticmethod
    def forward(
        ctx, x: Tensor, first: Tensor | None, weight: Tensor, bias: Tensor, eps: float, rows_t: Tensor,
        rows_h: Tensor, rows_w: Tensor, width: int,
    ) -> Tensor:  # fmt: skip
        batch, time, height, wide, heads, channels = x.shape
        begin, rows = int(first is not None), (rows_t, rows_h, rows_w)
        out = x.new_empty(batch, begin + time * height * wide, heads, width)
        q, mean, scale = torch.native_layer_norm(x, (channels,), weight, bias, eps)
        on_grid = out[:, begin:].unflatten(1, (time, height, wide))
        parts = on_grid.split([channels, *(table.shape[1] for table in rows), width - _columns(channels, rows)], dim=-1)
        parts[0].copy_(q)
        for axis, table in enumerate(rows):
            found = _batched(q, axis) @ _for_each_batch(table, axis, x).transpose(1, 2)
            parts[1 + axis].copy_(_as_grid(found, axis, x))
        parts[-1].zero_()
        if first is not None:
            out[:, 0, :, :channels] = F.layer_norm(first, (channels,), weight, bias, eps)
            out[:, 0, :, channels:] = 0
        ctx.eps = eps
        out = out.transpose(1, 2)
        ctx.save_for_backward(x, first, weight, bias, mean, scale, *rows, out)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, first, weight, bias, mean, scale, *rows, out = ctx.saved_tensors
        channels, begin = x.shape[-1], int(first is not None)
        of_grid, grid = (tensor.transpose(1, 2)[:, begin:].unflatten(1, x.shape[1:4]) for tensor in (grad, out))
        lengths = [channels, *(table.shape[1] for table in rows)]
        lengths.append(grad.shape[-1] - sum(lengths))
        of_q, *of_biases, _ = of_grid.split(lengths, dim=-1)
        q, of_q = grid[..., :channels], of_q.contiguous()
        of_rows = []
        for axis, (table, part) in enumerate(zip(rows, of_biases, strict=True)):
            slopes = _batched(part.contiguous(), axis)
            of_q += _as_grid(slopes @ _for_each_batch(table, axis, x), axis, x)
            of_rows.append(_for_table(slopes.transpose(1, 2) @ _batched(q, axis), axis, x))
        masks = [True, True, True]
        of_x, of_weight, of_bias = torch.ops.aten.native_layer_norm_backward(
            of_q, x, (channels,), mean, scale, weight, bias, masks
        )
        of_first = None
        if first is not None:
            _, mean, scale = torch.native_layer_norm(first, (channels,), weight, bias, ctx.eps)
            of_first, more_weight, more_bias = torch.ops.aten.native_layer_norm_backward(
                grad[:, :, 0, :channels].contiguous(), first, (channels,), mean, scale, weight, bias, masks
            )
            of_weight, of_bias = of_weight + more_weight, of_bias + more_bias
        return of_x, of_first, of_weight, of_bias, None, *of_rows, None


def _columns(channels: int, rows: Rows) -> int:
    return channels + sum(table.shape[1] for table in rows)


def _batched(x: Tensor, axis: int) -> Tensor:
    """(B, T, H, W, N, C) -> a batch of matrices (M, rows, C) of x, each with queries of one place along the axis.

    Along t a matrix is a frame of a clip, along h a row of a frame; along w it is a column of all frames, of one head.
    """
    if axis == 0:
        return x.flatten(2, 4).flatten(0, 1)
    if axis == 1:
        return x.flatten(3, 4).flatten(0, 2)
    return x.flatten(3, 4).flatten(0, 2).transpose(0, 1)


def _as_grid(batched: Tensor, axis: int, x: Tensor) -> Tensor:
    """The inverse of `_batched`; of x only the shape is used."""
    return (batched.transpose(0, 1) if axis == 2 else batched).reshape(*x.shape[:5], -1)


def _for_each_batch(table: Tensor, axis: int, x: Tensor) -> Tensor:
    """(size of the axis, k, D) -> (M, k, D): the rows that each matrix of `_batched` meets."""
    if axis == 2:
        return table[:, None].expand(-1, x.shape[4], -1, -1).flatten(0, 1)
    repeats = x.shape[0] if axis == 0 else x.shape[0] * x.shape[1]
    return table.expand(repeats, *table.shape).flatten(0, 1)


def _for_table(batched: Tensor, axis: int, x: Tensor) -> Tensor:
    """(M, k, D) -> (size of the axis, k, D): the sum over all matrices of one place."""
    if axis == 2:
        return batched.unflatten(0, (-1, x.shape[4])).sum(1)
    return batched.unflatten(0, (-1, x.shape[1 + axis])).sum(0)
