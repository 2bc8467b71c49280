"""Pooled queries made ready for attention: normed, with their biases beside them (`attention`). Two ways.

`append_by_products`: matrix products that read the queries where they lie, and one copy at the end.
`append_biases`: one operator, which a compiler does not look into. On a GPU it is one Triton kernel (`queries_triton`);
elsewhere it computes its definition. Its gradients are ordinary operations, which a compiler sees.

Legend: x (B, T, H, W, N, D) the pooled queries of N heads; first (B, N, D) the class tokens, or None; rows: along (t, h, w) the
table's rows for each place of a query and of a key, (T, k_t, D), (H, k_h, D) and (W, k_w, D), of the type of x.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

_AXES = ("bnthwk,tkd->bnthwd", "bnthwk,hkd->bnthwd", "bnthwk,wkd->bnthwd")


def append_biases(
    x: Tensor, first: Tensor | None, norm: torch.nn.LayerNorm, rows: tuple[Tensor, Tensor, Tensor], width: int
) -> Tensor:
    """[norm(x), biases along t, h and w, zeros] -> (B, N, [1 +] T H W, width); the class token's biases are 0."""
    return append_biases_op(x, first, norm.weight, norm.bias, norm.eps, *rows, width)


def append_by_products(
    x: Tensor, first: Tensor | None, norm: torch.nn.LayerNorm, rows: tuple[Tensor, Tensor, Tensor], width: int
) -> Tensor:
    """As `append_biases`, by two products that copy no queries, where an einsum copies all of them for each axis.

    The queries of a row (t, h) of the grid share the tables of t and h: one product for each row, with both tables side by
    side. Those of a column w and a head are a matrix with long steps between its rows: one product for each column and head.
    """
    batch, time, height, wide, heads, channels = x.shape
    along_t, along_h, along_w = rows
    q = norm(x)
    table = torch.cat([along_t[:, None].expand(-1, height, -1, -1), along_h.expand(time, -1, -1, -1)], dim=2)
    table = table.expand(batch, -1, -1, -1, -1).flatten(0, 2)  # (B T H, k_t + k_h, D)
    of_row = torch.bmm(q.flatten(3, 4).flatten(0, 2), table.transpose(1, 2))  # (B T H, W N, k_t + k_h)
    columns = q.flatten(3, 4).flatten(0, 2).transpose(0, 1)  # (W N, B T H, D)
    table = along_w[:, None].expand(-1, heads, -1, -1).flatten(0, 1)
    of_column = torch.bmm(columns, table.transpose(1, 2)).transpose(0, 1)  # (B T H, W N, k_w)
    on_grid = torch.cat([q.flatten(3, 4).flatten(0, 2), of_row, of_column], dim=2)
    on_grid = on_grid.view(batch, time * height * wide, heads, -1).transpose(1, 2)
    found = F.pad(on_grid, (0, width - on_grid.shape[-1]))
    if first is None:
        return found
    return torch.cat([F.pad(norm(first), (0, width - channels))[:, :, None], found], dim=2)


@torch.library.custom_op(
    "slowfast::append_biases",
    mutates_args=(),
    schema=(
        "(Tensor x, Tensor? first, Tensor weight, Tensor bias, float eps, Tensor rows_t, Tensor rows_h, Tensor rows_w, "
        "int width) -> Tensor"
    ),
)
def append_biases_op(
    x: Tensor, first: Tensor | None, weight: Tensor, bias: Tensor, eps: float, rows_t: Tensor, rows_h: Tensor,
    rows_w: Tensor, width: int,
) -> Tensor:  # fmt: skip
    if x.device.type == "cuda":
        from slowfast.layers.kernels import queries_triton

        return queries_triton.append(x, first, weight, bias, eps, (rows_t, rows_h, rows_w), width)
    return defined(x, first, weight, bias, eps, (rows_t, rows_h, rows_w), width)


def defined(
    x: Tensor,
    first: Tensor | None,
    weight: Tensor,
    bias: Tensor,
    eps: float,
    rows: tuple[Tensor, Tensor, Tensor],
    width: int,
) -> Tensor:
    """The same in PyTorch's plainest operations, with the statistics in float32 at least."""
    shape, wide = (x.shape[-1],), torch.promote_types(x.dtype, torch.float32)

    def normed(queries: Tensor) -> Tensor:
        return F.layer_norm(queries.to(wide), shape, weight.to(wide), bias.to(wide), eps).to(x.dtype)

    q = normed(x).permute(0, 4, 1, 2, 3, 5)  # (B, N, T, H, W, D)
    equations = ("bnthwd,tkd->bnthwk", "bnthwd,hkd->bnthwk", "bnthwd,wkd->bnthwk")
    biases = [torch.einsum(equation, q, table) for equation, table in zip(equations, rows, strict=True)]
    found = torch.cat([q, *biases], dim=-1).flatten(2, 4)
    found = F.pad(found, (0, width - found.shape[-1]))
    if first is None:
        return found
    return torch.cat([F.pad(normed(first), (0, width - shape[0]))[:, :, None], found], dim=2)


@append_biases_op.register_fake
def _(x, first, weight, bias, eps, rows_t, rows_h, rows_w, width):
    batch, time, height, wide, heads, _ = x.shape
    return x.new_empty(batch, heads, time * height * wide + (first is not None), width)


def _keep(ctx, inputs: tuple, output: Tensor) -> None:
    x, first, weight, bias, ctx.eps, *rows, _ = inputs
    ctx.save_for_backward(x, first, weight, bias, *rows, output)


def _backward(ctx, grad: Tensor) -> tuple[Tensor | None, ...]:
    x, first, weight, bias, *rows, out = ctx.saved_tensors
    channels, begin = x.shape[-1], int(first is not None)
    lengths = [channels, *(table.shape[1] for table in rows), grad.shape[-1] - channels]
    lengths[-1] -= sum(lengths[1:-1])
    on_grid = (tensor[:, :, begin:].unflatten(2, x.shape[1:4]) for tensor in (grad, out))
    (of_q, *of_biases, _), q = (next(on_grid).split(lengths, dim=-1), next(on_grid)[..., :channels])
    of_rows = [torch.einsum(f"bnthwk,bnthwd->{axis}kd", part, q) for axis, part in zip("thw", of_biases, strict=True)]
    for equation, part, table in zip(_AXES, of_biases, rows, strict=True):
        of_q = of_q + torch.einsum(equation, part, table)
    of_x, of_weight, of_bias = _norm_gradient(of_q.permute(0, 2, 3, 4, 1, 5), x, weight, ctx.eps)
    of_first = None
    if first is not None:
        of_first, more_weight, more_bias = _norm_gradient(grad[:, :, 0, :channels], first, weight, ctx.eps)
        of_weight, of_bias = of_weight + more_weight, of_bias + more_bias
    return of_x, of_first, of_weight.to(weight.dtype), of_bias.to(bias.dtype), None, *of_rows, None


def _norm_gradient(grad: Tensor, x: Tensor, weight: Tensor, eps: float) -> tuple[Tensor, Tensor, Tensor]:
    """Of a layer norm over the last axis: gradients of x, of the weight and of the bias, summed in float32 at least."""
    wide = torch.promote_types(x.dtype, torch.float32)
    variance, mean = torch.var_mean(x.to(wide), dim=-1, correction=0, keepdim=True)
    scale = torch.rsqrt(variance + eps)
    normal, grad = (x.to(wide) - mean) * scale, grad.to(wide)
    others = tuple(range(grad.ndim - 1))
    inner = grad * weight.to(wide)
    of_x = inner - inner.mean(-1, keepdim=True) - normal * (inner * normal).mean(-1, keepdim=True)
    return (of_x * scale).to(x.dtype), (grad * normal).sum(others), grad.sum(others)


append_biases_op.register_autograd(_backward, setup_context=_keep)
