# ruff: noqa: N803 - constants of a compiled kernel are written as constants
"""Triton kernels of the depthwise convolution of channels-last token grids: forward and both gradients.

Legend: x (B, T, H, W, C), weight (C, 1, t, h, w), padding of half a kernel, out and its gradient (B, T', H', W', C).
A program computes a block of positions times a block of channels. Channels lie next to each other in memory, so every
load is coalesced, and the overlap between the windows of neighbouring positions is served by the caches: the grid moves
from and to memory about once, in the layout that the layers around have. Sums are float32 whatever the types.

Only imported where it is used: Triton comes with PyTorch for CUDA alone.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor

from slowfast.layers.token_grid import Size3

_POSITIONS = 64  # of a program of the forward kernel and of the input's gradient
_MOST_CHANNELS = 32  # of a program
_TERMS = 256  # positions x taps that a step of the weight's gradient adds up side by side
_PROGRAMS = 1024  # at most, for the weight's gradient: several for every multiprocessor of a large GPU


@triton.jit
def _place(row, time, height, width):
    """Number of a position -> its (clip, t, h, w)."""
    w = row % width
    h = row // width % height
    t = row // (width * height) % time
    return row // (width * height * time), t, h, w


@triton.jit
def forward_kernel(
    x,
    weight,  # (taps, C) float32
    out,
    x_clip,  # elements from one clip of x to the next
    time,
    height,
    width,
    out_time,
    out_height,
    out_width,
    positions,  # B T' H' W'
    channels,
    KT: tl.constexpr,
    KH: tl.constexpr,
    KW: tl.constexpr,
    ST: tl.constexpr,
    SH: tl.constexpr,
    SW: tl.constexpr,
    POSITIONS: tl.constexpr,
    CHANNELS: tl.constexpr,
):
    """out[p, c] = sum over the taps of x[p * stride + tap - half, c] * weight[tap, c]."""
    row = tl.program_id(0) * POSITIONS + tl.arange(0, POSITIONS)
    channel = tl.program_id(1) * CHANNELS + tl.arange(0, CHANNELS)
    in_row = row < positions
    clip, out_t, out_h, out_w = _place(row, out_time, out_height, out_width)
    t, h, w = out_t * ST - KT // 2, out_h * SH - KH // 2, out_w * SW - KW // 2  # the window's first corner
    corner = clip.to(tl.int64) * x_clip + ((t * height + h) * width + w).to(tl.int64) * channels
    corner = x + corner[:, None] + channel[None, :]
    total = tl.zeros((POSITIONS, CHANNELS), tl.float32)
    for kt in range(KT):  # not unrolled: all taps at once need more registers than there are
        in_t = in_row & (t + kt >= 0) & (t + kt < time)
        for kh in tl.static_range(KH):
            in_h = in_t & (h + kh >= 0) & (h + kh < height)
            for kw in tl.static_range(KW):
                inside = in_h & (w + kw >= 0) & (w + kw < width)
                step = ((kt * height + kh) * width + kw) * channels
                values = tl.load(corner + step, mask=inside[:, None], other=0.0)
                tap = tl.load(weight + ((kt * KH + kh) * KW + kw) * channels + channel)
                total += values.to(tl.float32) * tap[None, :]
    place = row.to(tl.int64)[:, None] * channels + channel[None, :]
    tl.store(out + place, total.to(out.dtype.element_ty), mask=in_row[:, None])


@triton.jit
def input_gradient_kernel(
    grad,
    weight,  # (taps, C) float32
    out,
    time,
    height,
    width,
    out_time,
    out_height,
    out_width,
    positions,  # B T H W
    channels,
    KT: tl.constexpr,
    KH: tl.constexpr,
    KW: tl.constexpr,
    ST: tl.constexpr,
    SH: tl.constexpr,
    SW: tl.constexpr,
    POSITIONS: tl.constexpr,
    CHANNELS: tl.constexpr,
):
    """out[i, c] = sum of grad[p, c] * weight[tap, c] over all (p, tap) with p * stride + tap - half = i.

    Along one axis those are tap = (i + half) mod stride and every stride-th after it, with p one less each time.
    """
    row = tl.program_id(0) * POSITIONS + tl.arange(0, POSITIONS)
    channel = tl.program_id(1) * CHANNELS + tl.arange(0, CHANNELS)
    in_row = row < positions
    clip, t, h, w = _place(row, time, height, width)
    start = clip.to(tl.int64) * out_time * out_height * out_width * channels
    total = tl.zeros((POSITIONS, CHANNELS), tl.float32)
    for jt in tl.static_range((KT + ST - 1) // ST):
        kt = (t + KT // 2) % ST + jt * ST
        p_t = (t + KT // 2) // ST - jt
        in_t = in_row & (kt < KT) & (p_t >= 0) & (p_t < out_time)
        for jh in tl.static_range((KH + SH - 1) // SH):
            kh = (h + KH // 2) % SH + jh * SH
            p_h = (h + KH // 2) // SH - jh
            in_h = in_t & (kh < KH) & (p_h >= 0) & (p_h < out_height)
            for jw in tl.static_range((KW + SW - 1) // SW):
                kw = (w + KW // 2) % SW + jw * SW
                p_w = (w + KW // 2) // SW - jw
                inside = in_h & (kw < KW) & (p_w >= 0) & (p_w < out_width)
                at = start + ((p_t * out_height + p_h) * out_width + p_w).to(tl.int64) * channels
                values = tl.load(grad + at[:, None] + channel[None, :], mask=inside[:, None], other=0.0)
                tap = ((kt * KH + kh) * KW + kw) * channels
                taps = tl.load(weight + tap[:, None] + channel[None, :], mask=inside[:, None], other=0.0)
                total += values.to(tl.float32) * taps
    place = row.to(tl.int64)[:, None] * channels + channel[None, :]
    tl.store(out + place, total.to(out.dtype.element_ty), mask=in_row[:, None])


@triton.jit
def weight_gradient_kernel(
    x,
    grad,
    partial,  # (programs, taps, C) float32
    x_clip,  # elements from one clip of x to the next
    time,
    height,
    width,
    out_time,
    out_height,
    out_width,
    positions,  # B T' H' W'
    steps,  # of POSITIONS that a program adds up
    channels,
    KT: tl.constexpr,
    KH: tl.constexpr,
    KW: tl.constexpr,
    ST: tl.constexpr,
    SH: tl.constexpr,
    SW: tl.constexpr,
    TAPS: tl.constexpr,  # KT KH KW rounded up to a power of two
    POSITIONS: tl.constexpr,
    CHANNELS: tl.constexpr,
):
    """partial[program, tap, c] = sum of grad[p, c] * x[p * stride + tap - half, c] over the program's positions p."""
    tap = tl.arange(0, TAPS)
    kt, kh, kw = tap // (KH * KW), tap // KW % KH, tap % KW
    channel = tl.program_id(1) * CHANNELS + tl.arange(0, CHANNELS)
    in_tap = tap < KT * KH * KW
    total = tl.zeros((POSITIONS, TAPS, CHANNELS), tl.float32)
    for step in range(steps):
        row = (tl.program_id(0) * steps + step) * POSITIONS + tl.arange(0, POSITIONS)
        in_row = row < positions
        clip, out_t, out_h, out_w = _place(row, out_time, out_height, out_width)
        t = out_t[:, None] * ST + kt[None, :] - KT // 2
        h = out_h[:, None] * SH + kh[None, :] - KH // 2
        w = out_w[:, None] * SW + kw[None, :] - KW // 2
        inside = in_row[:, None] & in_tap[None, :] & (t >= 0) & (t < time)
        inside = inside & (h >= 0) & (h < height) & (w >= 0) & (w < width)
        at = clip.to(tl.int64)[:, None] * x_clip + ((t * height + h) * width + w).to(tl.int64) * channels
        values = tl.load(x + at[:, :, None] + channel[None, None, :], mask=inside[:, :, None], other=0.0)
        place = row.to(tl.int64)[:, None] * channels + channel[None, :]
        slopes = tl.load(grad + place, mask=in_row[:, None], other=0.0)
        total += values.to(tl.float32) * slopes.to(tl.float32)[:, None, :]
    place = (tl.program_id(0) * KT * KH * KW + tap)[:, None] * channels + channel[None, :]
    tl.store(partial + place, tl.sum(total, axis=0), mask=in_tap[:, None])


def forward(x: Tensor, weight: Tensor, stride: Size3) -> Tensor:
    """(B, T, H, W, C), (C, 1, t, h, w) -> (B, T', H', W', C) contiguous. The clips of x may lie apart."""
    x, kernel = _grids_dense(x), tuple(weight.shape[2:])
    out = x.new_empty(out_shape(x, weight, stride))
    positions, channels = out.numel() // x.shape[-1], x.shape[-1]
    block = _channel_block(channels)
    launch = (triton.cdiv(positions, _POSITIONS), channels // block)
    sizes = (*x.shape[1:4], *out.shape[1:4], positions, channels)
    with torch.cuda.device_of(x):
        forward_kernel[launch](x, _by_tap(weight), out, x.stride(0), *sizes, *kernel, *stride, _POSITIONS, block)
    return out


def input_gradient(grad: Tensor, x: Tensor, weight: Tensor, stride: Size3) -> Tensor:
    """grad (B, T', H', W', C) of the result -> (B, T, H, W, C), the gradient of x; of x only the shape is used.

    At stride 1 with a kernel of odd sizes it is the convolution with the kernel turned round.
    """
    kernel = tuple(weight.shape[2:])
    if max(stride) == 1 and all(size % 2 for size in kernel):
        return forward(grad, weight.flip(2, 3, 4), stride)
    grad = grad.contiguous()
    out = grad.new_empty(x.shape)
    positions, channels = out.numel() // x.shape[-1], x.shape[-1]
    block = _channel_block(channels)
    launch = (triton.cdiv(positions, _POSITIONS), channels // block)
    sizes = (*x.shape[1:4], *grad.shape[1:4], positions, channels)
    with torch.cuda.device_of(x):
        input_gradient_kernel[launch](grad, _by_tap(weight), out, *sizes, *kernel, *stride, _POSITIONS, block)
    return out


def weight_gradient(grad: Tensor, x: Tensor, weight: Tensor, stride: Size3) -> Tensor:
    """grad (B, T', H', W', C) of the result -> (C, 1, t, h, w), the gradient of the weight.

    Every program adds up a part of the positions, and one sum adds the parts: the same numbers in every run.
    """
    x, grad, kernel = _grids_dense(x), grad.contiguous(), tuple(weight.shape[2:])
    count, channels = kernel[0] * kernel[1] * kernel[2], x.shape[-1]
    positions, block = grad.numel() // channels, _channel_block(channels)
    taps = triton.next_power_of_2(count)
    side_by_side = max(1, _TERMS // taps)
    channel_blocks = channels // block
    steps = triton.cdiv(positions, side_by_side * max(1, _PROGRAMS // channel_blocks))
    programs = triton.cdiv(positions, side_by_side * steps)
    partial = x.new_empty(programs, count, channels, dtype=torch.float32)
    sizes = (*x.shape[1:4], *grad.shape[1:4], positions, steps, channels)
    with torch.cuda.device_of(x):
        weight_gradient_kernel[programs, channel_blocks](
            x, grad, partial, x.stride(0), *sizes, *kernel, *stride, taps, side_by_side, block
        )
    # Contiguous, as compiled code was told: reshape alone leaves the transposed strides.
    return partial.sum(dim=0).to(weight.dtype).t().contiguous().view(weight.shape)


def out_shape(x: Tensor, weight: Tensor, stride: Size3) -> tuple[int, ...]:
    """(B, T', H', W', C) of the result."""
    axes = zip(x.shape[1:4], weight.shape[2:], stride, strict=True)
    return (x.shape[0], *((size + 2 * (k // 2) - k) // step + 1 for size, k, step in axes), x.shape[-1])


def _grids_dense(x: Tensor) -> Tensor:
    """x itself where each clip is dense, as in a sequence behind its class token; else a copy."""
    return x if x[0].is_contiguous() else x.contiguous()


def _by_tap(weight: Tensor) -> Tensor:
    """(C, 1, t, h, w) -> (t h w, C) float32: the channels of a tap next to each other."""
    return weight.float().flatten(1).t().contiguous()


def _channel_block(channels: int) -> int:
    """The largest power of two that divides the channels, up to _MOST_CHANNELS, so that no block is cut off."""
    return min(channels & -channels, _MOST_CHANNELS)
