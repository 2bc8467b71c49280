# ruff: noqa: N803 - constants of a compiled kernel are written as constants
"""Triton kernels of the depthwise convolution of channels-last token grids: forward and both gradients.

Legend: x (B, T, H, W, C), weight (G, D, t, h, w) with t of 1 or 3 and a stride of 1 in time, padding of half a kernel,
out and its gradient (B, T, H', W', C). Channels lie next to each other in memory, so every load is coalesced, and the
overlap between the windows of neighbouring positions is served by the caches. Sums are float32 whatever the types.
Channels share kernels as `by_torch.of_channel` says: a program's channels lie within one head, and so do its kernels.

A program stays at its positions (h, w) and walks through time: where they are, and which of their taps are outside, is
computed once. The convolution and its input's gradient read a frame once for all three time steps of the kernel. Offsets
within a frame are 32 bits wide, those of frames and clips 64.

Only imported where it is used: Triton comes with PyTorch for CUDA alone.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor

from slowfast.layers.kernels.depthwise.by_torch import of_channel
from slowfast.layers.token_grid import Size3

WARPS = 8  # of a program; its registers leave room for three programs on a multiprocessor
POSITIONS = {"forward": 64, "input_gradient": 64, "weight_gradient": 4}  # of a program, at most
_MOST_CHANNELS = 32  # of a program
_PROGRAMS = 1024  # several for every multiprocessor of a large GPU


@triton.jit
def forward_kernel(
    x,
    weight,  # (taps, G D) float32
    out,
    x_clip,  # elements from one clip of x to the next
    out_clip,
    time,
    height,
    width,
    out_height,
    out_width,
    channels,
    group,  # channels that share D kernels
    frames,  # of out, that a program computes
    HEAD: tl.constexpr,  # D
    KERNELS: tl.constexpr,  # G D
    KT: tl.constexpr,
    KH: tl.constexpr,
    KW: tl.constexpr,
    SH: tl.constexpr,
    SW: tl.constexpr,
    POSITIONS: tl.constexpr,
    CHANNELS: tl.constexpr,
):
    """out[t, p, c] = sum over the taps of x[t + kt - KT // 2, p * stride + tap - half, c] * weight[kt, tap, c]."""
    row = tl.program_id(0) * POSITIONS + tl.arange(0, POSITIONS)
    begin = tl.program_id(1) * CHANNELS
    channel = begin + tl.arange(0, CHANNELS)
    shared = tl.multiple_of(begin // group * HEAD + begin % HEAD, CHANNELS) + tl.arange(0, CHANNELS)
    parts = tl.cdiv(time, frames)
    clip = tl.program_id(2).to(tl.int64) // parts
    first = tl.program_id(2).to(tl.int64) % parts * frames
    in_row = row < out_height * out_width
    h, w = row // out_width * SH - KH // 2, row % out_width * SW - KW // 2  # the window's first corner
    corner = ((h * width + w) * channels)[:, None] + channel[None, :]
    place = (row * channels)[:, None] + channel[None, :]
    before = tl.zeros((POSITIONS, CHANNELS), tl.float32)  # out of the frame before t, of t, and of the one after
    now = tl.zeros((POSITIONS, CHANNELS), tl.float32)
    for step in range(frames + KT // 2 * 2):
        t = first + step - KT // 2
        frame = x + (clip * x_clip + t * (height * width * channels))
        in_time = in_row & (t >= 0) & (t < time)
        after = tl.zeros((POSITIONS, CHANNELS), tl.float32)
        for kh in range(KH):  # not unrolled: all taps at once need twice the registers
            in_h = in_time & (h + kh >= 0) & (h + kh < height)
            for kw in tl.static_range(KW):
                inside = in_h & (w + kw >= 0) & (w + kw < width)
                values = tl.load(frame + (corner + (kh * width + kw) * channels), mask=inside[:, None], other=0.0)
                values = values.to(tl.float32)
                tap = weight + (kh * KW + kw) * KERNELS + shared
                if KT == 3:
                    after += values * tl.load(tap)[None, :]
                    now += values * tl.load(tap + KH * KW * KERNELS)[None, :]
                    before += values * tl.load(tap + 2 * KH * KW * KERNELS)[None, :]
                else:
                    before += values * tl.load(tap)[None, :]
        done = t - KT // 2
        whole = in_row & (done >= first) & (done < time)
        frame_out = out + (clip * out_clip + done * (out_height * out_width * channels))
        tl.store(frame_out + place, before.to(out.dtype.element_ty), mask=whole[:, None])
        before = now
        now = after


@triton.jit
def input_gradient_kernel(
    grad,
    weight,  # (taps, C) float32
    out,
    grad_clip,  # elements from one clip of grad to the next
    out_clip,
    time,
    height,
    width,
    out_height,
    out_width,
    channels,
    frames,  # of out, that a program computes
    KT: tl.constexpr,
    KH: tl.constexpr,
    KW: tl.constexpr,
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
    parts = tl.cdiv(time, frames)
    clip = tl.program_id(2).to(tl.int64) // parts
    first = tl.program_id(2).to(tl.int64) % parts * frames
    in_row = row < height * width
    h, w = row // width + KH // 2, row % width + KW // 2
    place = (row * channels)[:, None] + channel[None, :]
    before = tl.zeros((POSITIONS, CHANNELS), tl.float32)  # out of the frame before t, of t, and of the one after
    now = tl.zeros((POSITIONS, CHANNELS), tl.float32)
    for step in range(frames + KT // 2 * 2):
        t = first + step - KT // 2
        frame = grad + (clip * grad_clip + t * (out_height * out_width * channels))
        in_time = in_row & (t >= 0) & (t < time)
        after = tl.zeros((POSITIONS, CHANNELS), tl.float32)
        for jh in range((KH + SH - 1) // SH):
            kh, p_h = h % SH + jh * SH, h // SH - jh
            in_h = in_time & (kh < KH) & (p_h >= 0) & (p_h < out_height)
            for jw in tl.static_range((KW + SW - 1) // SW):
                kw, p_w = w % SW + jw * SW, w // SW - jw
                inside = (in_h & (kw < KW) & (p_w >= 0) & (p_w < out_width))[:, None]
                at = ((p_h * out_width + p_w) * channels)[:, None] + channel[None, :]
                values = tl.load(frame + at, mask=inside, other=0.0).to(tl.float32)
                tap = weight + (((kh * KW + kw) * channels)[:, None] + channel[None, :])
                if KT == 3:
                    before += values * tl.load(tap, mask=inside, other=0.0)
                    now += values * tl.load(tap + KH * KW * channels, mask=inside, other=0.0)
                    after += values * tl.load(tap + 2 * KH * KW * channels, mask=inside, other=0.0)
                else:
                    before += values * tl.load(tap, mask=inside, other=0.0)
        done = t - KT // 2
        whole = in_row & (done >= first) & (done < time)
        frame_out = out + (clip * out_clip + done * (height * width * channels))
        tl.store(frame_out + place, before.to(out.dtype.element_ty), mask=whole[:, None])
        before = now
        now = after


@triton.jit
def weight_gradient_kernel(
    x,
    grad,
    partial,  # (programs along 0 and 2, taps, C) float32
    x_clip,  # elements from one clip of x to the next
    grad_clip,
    clips,
    clips_each,  # that a program adds up
    time,
    height,
    width,
    out_height,
    out_width,
    channels,
    steps,  # of POSITIONS that a program adds up
    KT: tl.constexpr,
    KH: tl.constexpr,
    KW: tl.constexpr,
    SH: tl.constexpr,
    SW: tl.constexpr,
    TAPS: tl.constexpr,  # KT KH KW rounded up to a power of two
    POSITIONS: tl.constexpr,
    CHANNELS: tl.constexpr,
):
    """partial[program, tap, c] = sum of grad[p, c] * x[p * stride + tap - half, c] over the program's positions p."""
    tap = tl.arange(0, TAPS)
    kt, kh, kw = tap // (KH * KW) - KT // 2, tap // KW % KH - KH // 2, tap % KW - KW // 2
    channel = tl.program_id(1) * CHANNELS + tl.arange(0, CHANNELS)
    total = tl.zeros((TAPS, POSITIONS, CHANNELS), tl.float32)
    for step in range(steps):
        row = (tl.program_id(0) * steps + step) * POSITIONS + tl.arange(0, POSITIONS)
        in_row = row < out_height * out_width
        h = row[None, :] // out_width * SH + kh[:, None]
        w = row[None, :] % out_width * SW + kw[:, None]
        inside = in_row[None, :] & (tap < KT * KH * KW)[:, None] & (h >= 0) & (h < height) & (w >= 0) & (w < width)
        at = ((kt[:, None] * height + h) * width + w) * channels
        at = at[:, :, None] + channel[None, None, :]
        place = (row * channels)[:, None] + channel[None, :]
        for number in range(clips_each):
            clip = tl.program_id(2).to(tl.int64) * clips_each + number
            frame, slope = x + clip * x_clip, grad + clip * grad_clip
            for t in range(time):
                here = inside & (kt + t >= 0)[:, None] & (kt + t < time)[:, None] & (clip < clips)
                values = tl.load(frame + at, mask=here[:, :, None], other=0.0)
                slopes = tl.load(slope + place, mask=(in_row & (clip < clips))[:, None], other=0.0)
                total += values.to(tl.float32) * slopes.to(tl.float32)[None, :, :]
                frame += height * width * channels
                slope += out_height * out_width * channels
    program = tl.program_id(2) * tl.num_programs(0) + tl.program_id(0)
    place = (program * (KT * KH * KW) + tap)[:, None] * channels + channel[None, :]
    tl.store(partial + place, tl.sum(total, axis=1), mask=(tap < KT * KH * KW)[:, None])


def supports(kernel: Size3, stride: Size3) -> bool:
    """True for the poolings that these kernels compute: any in space; in time 1 or 3 steps with a stride of 1."""
    return stride[0] == 1 and kernel[0] in (1, 3)


def forward(x: Tensor, weight: Tensor, stride: Size3, *, out: Tensor | None = None) -> Tensor:
    """(B, T, H, W, C), (G, D, t, h, w) -> (B, T', H', W', C) contiguous, or into `out`. The clips of x and out may lie apart."""
    x = _grids_dense(x)
    return convolve_into(x.new_empty(out_shape(x, weight, stride)) if out is None else out, x, weight, stride)


def convolve_into(out: Tensor, x: Tensor, weight: Tensor, stride: Size3) -> Tensor:
    """`forward` into a tensor whose clips are dense, as those of x."""
    launch, frames = _launch(forward_kernel, out, weight, POSITIONS["forward"])
    group, *constants = _sharing(weight, x.shape[-1])
    grids = (*x.shape[1:4], *out.shape[2:4], x.shape[-1], group, frames, *constants)
    launch(x, _by_tap(weight), out, x.stride(0), out.stride(0), *grids, *weight.shape[2:], *stride[1:])
    return out


def input_gradient(grad: Tensor, x: Tensor, weight: Tensor, stride: Size3, *, out: Tensor | None = None) -> Tensor:
    """grad (B, T, H', W', C) of the result -> (B, T, H, W, C), the gradient of x; of x only the shape is used.
    out: as in `forward`

    At stride 1 with a kernel of odd sizes it is the convolution with the kernel turned round.
    """
    if max(stride) == 1 and all(size % 2 for size in weight.shape[2:]):
        return forward(grad, weight.flip(2, 3, 4), stride, out=out)
    grad = _grids_dense(grad)
    return spread_into(grad.new_empty(x.shape) if out is None else out, grad, weight, stride)


def spread_into(out: Tensor, grad: Tensor, weight: Tensor, stride: Size3) -> Tensor:
    """`input_gradient` into a tensor whose clips are dense, as those of grad."""
    weight = of_channel(weight, grad.shape[-1])  # repeated: to find the shared ones takes 88 registers, not 76 (sm_90)
    launch, frames = _launch(input_gradient_kernel, out, weight, POSITIONS["input_gradient"])
    grids = (*out.shape[1:4], *grad.shape[2:4], grad.shape[-1], frames)
    launch(grad, _by_tap(weight), out, grad.stride(0), out.stride(0), *grids, *weight.shape[2:], *stride[1:])
    return out


def weight_gradient(grad: Tensor, x: Tensor, weight: Tensor, stride: Size3) -> Tensor:
    """grad (B, T, H', W', C) of the result -> (G, D, t, h, w), the gradient of the weight.

    Every program adds up a part of the positions, and one sum adds the parts: the same numbers in every run.
    """
    x, grad, kernel = _grids_dense(x), _grids_dense(grad), tuple(weight.shape[2:])
    count, (clips, time), channels = kernel[0] * kernel[1] * kernel[2], x.shape[:2], x.shape[-1]
    group, head, _ = _sharing(weight, channels)
    positions, block = POSITIONS["weight_gradient"], channel_block(head)
    blocks, wanted = triton.cdiv(grad.shape[2] * grad.shape[3], positions), max(1, _PROGRAMS // (channels // block))
    steps = triton.cdiv(blocks, wanted)
    programs = triton.cdiv(blocks, steps)
    clips_each = triton.cdiv(clips, max(1, wanted // programs))
    parts = triton.cdiv(clips, clips_each)
    partial = x.new_empty(parts * programs, count, channels, dtype=torch.float32)
    grids = (time, *x.shape[2:4], *grad.shape[2:4], channels)
    constants = (*kernel, *stride[1:], triton.next_power_of_2(count), positions, block)
    with torch.cuda.device_of(x):
        weight_gradient_kernel[programs, channels // block, parts](
            x, grad, partial, x.stride(0), grad.stride(0), clips, clips_each, *grids, steps, *constants, num_warps=WARPS
        )
    # One sum over programs and heads. Contiguous, as compiled code was told: reshape alone leaves the transposed strides.
    total = partial.view(-1, count, channels // group, group // head, head).sum(dim=(0, 3))
    return total.to(weight.dtype).flatten(1).t().contiguous().view(weight.shape)


def _launch(kernel, out: Tensor, weight: Tensor, most: int):
    """A function that runs `kernel` for all of `out` (B, T, H, W, C), and the frames of it that a program computes."""
    clips, time, height, width, channels = out.shape
    block = channel_block(_sharing(weight, channels)[1])
    positions = min(most, max(16, triton.next_power_of_2(height * width)))
    in_space = triton.cdiv(height * width, positions) * (channels // block)
    # As many frames as leave programs for all multiprocessors: where a part begins, frames are read once more.
    frames = triton.cdiv(time, max(1, min(time, _PROGRAMS // 2 // (in_space * clips))))
    grid = (triton.cdiv(height * width, positions), channels // block, clips * triton.cdiv(time, frames))

    def launch(*arguments) -> None:
        with torch.cuda.device_of(out):
            kernel[grid](*arguments, positions, block, num_warps=WARPS)

    return launch, frames


def out_shape(x: Tensor, weight: Tensor, stride: Size3) -> tuple[int, ...]:
    """(B, T', H', W', C) of the result."""
    axes = zip(x.shape[1:4], weight.shape[2:], stride, strict=True)
    return (x.shape[0], *((size + 2 * (k // 2) - k) // step + 1 for size, k, step in axes), x.shape[-1])


def _grids_dense(x: Tensor) -> Tensor:
    """x itself where each clip is dense, as in a sequence behind its class token; else a copy."""
    return x if x[0].is_contiguous() else x.contiguous()


def _by_tap(weight: Tensor) -> Tensor:
    """(G, D, t, h, w) -> (t h w, G D) float32: the channels of a tap next to each other."""
    return weight.float().flatten(0, 1).flatten(1).t().contiguous()


def _sharing(weight: Tensor, channels: int) -> tuple[int, int, int]:
    """(channels that share the D kernels of a group, D, G D) of a weight (G, D, t, h, w); of one head all are one group."""
    groups, head = weight.shape[:2]
    kernels = groups * head
    return (channels, channels, kernels) if kernels == channels else (channels // groups, head, kernels)


def channel_block(head: int) -> int:
    """Of a program: the largest power of two that divides the channels of a head, up to _MOST_CHANNELS; none is cut off."""
    return min(head & -head, _MOST_CHANNELS)
