"""Queries, keys and values: linear layers, and behind each a depthwise convolution of the token grid (MViT, section 3.1).

A pooling with gaps between its windows reads some of the tokens only; `choice` says where no others are projected
(`seen_tokens`).
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from slowfast.layers.kernels import choice
from slowfast.layers.kernels.depthwise.by_torch import of_channel
from slowfast.layers.kernels.depthwise.convolution import depthwise_conv, depthwise_conv_of_sequence
from slowfast.layers.kernels.exported import pool_channels, poolable, project_channels
from slowfast.layers.kernels.linear_layer import linear
from slowfast.layers.kernels.normed_layers import Layer, layers_of_norm
from slowfast.layers.kernels.recompute import Normed, Tokens, through
from slowfast.layers.kernels.seen_tokens import close_windows, places_seen, seen_tokens
from slowfast.layers.token_grid import Size3, size3, split_class_token


class Projection(NamedTuple):
    """Linear layers side by side, and one pooling of all they give: (B, [1 +] THW, K) -> (B, [1 +] T'H'W', C).

    layers: of each the weight (N, K) and the bias (N,) or None; C is the sum of all N
    kernel: of the pooling, (G, D, t, h, w), shared by the heads of a group (`depthwise_conv`); None for no pooling
    stride: of the pooling along (T, H, W)
    """

    layers: tuple[tuple[Tensor, Tensor | None], ...]
    kernel: Tensor | None
    stride: Size3


class Apart(NamedTuple):
    """A pooled sequence whose class token, which the pooling passes by, is not laid in front of it yet.

    first (B, 1, C) or None without one; rest (B, T', H', W', C)
    """

    first: Tensor | None
    rest: Tensor


def project_and_pool(
    x: Tokens, grid: Size3, *projections: Projection, class_token: bool, apart: bool = False
) -> tuple[tuple[Tensor | Apart, Size3], ...]:
    """pool(x W^T + b) for every projection, and its grid; the class token is projected and passes the pooling by.

    x (B, [1 +] THW, K) on `grid` -> for each projection (B, [1 +] T'H'W', C) and (T', H', W').

    apart: leave the class token of the first projection apart (`Apart`)
    """
    device = (x if isinstance(x, Tensor) else x.tokens).device
    plans = [_windows(grid, projection, device) for projection in projections]

    def project(tokens: Tensor) -> tuple[Tensor, ...]:
        return tuple(
            _project(tokens if seen_grid == grid else _seen(tokens, grid, projection, class_token), projection)
            for projection, (seen_grid, _) in zip(projections, plans, strict=True)
        )

    if choice.is_for_export():
        assert isinstance(x, Tensor)  # no norm is deferred in a graph
        first, rest = split_class_token(x, class_token)
        return tuple(
            _exported(first, rest, grid, projection, plan) for projection, plan in zip(projections, plans, strict=True)
        )
    if isinstance(x, Normed) and isinstance(x.norm, nn.LayerNorm) and choice.has_own_projection_gradient(x.tokens):
        waiting = _projected_at_once(x.tokens, x.norm, grid, projections, plans, class_token)
    else:
        waiting = list(through(project, x))
    pooled: list[tuple[Tensor | Apart, Size3]] = []
    for projection, (seen_grid, stride) in zip(projections, plans, strict=True):
        # Taken off the list, so that its memory is free before the next is pooled.
        if apart and not pooled:
            pooled.append(_pool_apart(waiting.pop(0), seen_grid, projection, stride, class_token))
        else:
            pooled.append(_pool(waiting.pop(0), seen_grid, projection.kernel, stride))
    return tuple(pooled)


def _windows(grid: Size3, projection: Projection, device: torch.device) -> tuple[Size3, Size3]:
    """The grid of the tokens that a projection is made of, and the stride of its pooling there."""
    if projection.kernel is None or not choice.reads_seen_tokens(device):
        return grid, projection.stride
    return close_windows(grid, size3(projection.kernel.shape[2:]), projection.stride)


def _seen(tokens: Tensor, grid: Size3, projection: Projection, class_token: bool) -> Tensor:
    assert projection.kernel is not None
    return seen_tokens(tokens, grid, size3(projection.kernel.shape[2:]), projection.stride, class_token)


def _project(tokens: Tensor, projection: Projection) -> Tensor:
    parts = [linear(tokens, weight, bias) for weight, bias in projection.layers]
    return parts[0] if len(parts) == 1 else torch.cat(parts, dim=-1)


def _projected_at_once(
    tokens: Tensor,
    norm: nn.LayerNorm,
    grid: Size3,
    projections: tuple[Projection, ...],
    plans: list[tuple[Size3, Size3]],
    class_token: bool,
) -> list[Tensor]:
    """The same as `_project` gives of each, from one function with gradients of its own."""
    layers = []
    for (these, kernel, stride), (seen_grid, _) in zip(projections, plans, strict=True):
        places = None
        if kernel is not None and seen_grid != grid:
            places = places_seen(grid, size3(kernel.shape[2:]), stride, class_token, tokens.device)
        layers += [Layer(weight, bias, places) for weight, bias in these]
    parts = iter(layers_of_norm(tokens, norm, layers))
    by_projection = [[next(parts) for _ in projection.layers] for projection in projections]
    return [these[0] if len(these) == 1 else torch.cat(these, dim=-1) for these in by_projection]


def _exported(
    first: Tensor | None, rest: Tensor, grid: Size3, projection: Projection, plan: tuple[Size3, Size3]
) -> tuple[Tensor, Size3]:
    """The same for other runtimes: of the class token and the others, which stay apart until all of it is small."""
    kernel, (seen_grid, stride) = projection.kernel, plan
    tokens = rest if seen_grid == grid else _seen(rest, grid, projection, False)
    if kernel is None or not poolable(kernel, stride):
        pooled, grid = _pool(_project(tokens, projection), seen_grid, kernel, stride)
    else:
        parts = [project_channels(tokens, weight, bias) for weight, bias in projection.layers]
        channels = parts[0] if len(parts) == 1 else torch.cat(parts, dim=1)
        on_grid = pool_channels(channels.unflatten(2, seen_grid), of_channel(kernel, channels.shape[1]), stride)
        pooled, grid = on_grid.flatten(1, 3), size3(on_grid.shape[1:4])
    return (pooled if first is None else torch.cat([_project(first, projection), pooled], dim=1)), grid


def _pool_apart(
    x: Tensor, grid: Size3, projection: Projection, stride: Size3, class_token: bool
) -> tuple[Apart, Size3]:
    assert projection.kernel is not None
    if choice.has_depthwise_operator(x):
        whole, grid = depthwise_conv_of_sequence(x, grid, projection.kernel, stride)
        first, rest = split_class_token(whole, class_token)
        return Apart(first, rest.unflatten(1, grid)), grid
    first, rest = split_class_token(x, class_token)
    pooled = depthwise_conv(rest.unflatten(1, grid), projection.kernel, stride)
    return Apart(first, pooled), size3(pooled.shape[1:4])


def _pool(x: Tensor, grid: Size3, kernel: Tensor | None, stride: Size3) -> tuple[Tensor, Size3]:
    if kernel is None:
        return x, grid
    return depthwise_conv_of_sequence(x, grid, kernel, stride)
