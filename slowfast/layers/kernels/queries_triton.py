# ruff: noqa: N803 - constants of a compiled kernel are written as constants
"""A Triton kernel for what happens to pooled queries before attention: norm, biases, and both side by side.

Legend: B clips, N heads, (T, H, W) the grid of the queries, D channels of a head. A program takes one head and a part of
one row of the grid: all its queries share the rows of the tables along t and h, so two of the three biases are small matrix
products. Queries are read once and written once.

Only imported where it is used: Triton comes with PyTorch for CUDA alone.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor

_MOST_QUERIES = 32  # of a program
_SMALLEST_PRODUCT = 16  # rows and columns that the matrix units take at least


@triton.jit
def _normed(x, weight, bias, eps, d, D: tl.constexpr):
    """x (queries, channels) float32, zero beyond D -> its layer norm, zero beyond D."""
    inside = d < D
    mean = tl.sum(x, 1) / D
    centred = tl.where(inside[None, :], x - mean[:, None], 0.0)
    scale = 1 / tl.sqrt(tl.sum(centred * centred, 1) / D + eps)
    gain, shift = tl.load(weight + d, mask=inside, other=0.0), tl.load(bias + d, mask=inside, other=0.0)
    return centred * scale[:, None] * gain[None, :] + shift[None, :]


@triton.jit
def _along(
    q, rows, out, in_row, d, D: tl.constexpr, KEYS: tl.constexpr, PADDED: tl.constexpr, PRECISION: tl.constexpr
):  # fmt: skip
    """Write q . rows, the biases along an axis on which all queries of the program have one place; rows (KEYS, D)."""
    key = tl.arange(0, PADDED)
    known = (key < KEYS)[:, None] & (d < D)[None, :]
    table = tl.load(rows + key[:, None] * D + d[None, :], mask=known, other=0.0)
    found = tl.dot(q.to(tl.float32), tl.trans(table.to(tl.float32)), input_precision=PRECISION)
    tl.store(out[:, None] + key[None, :], found.to(out.dtype.element_ty), mask=in_row[:, None] & (key < KEYS)[None, :])


@triton.jit
def _across(
    q, rows, out, in_row, w, d, D: tl.constexpr, KEYS: tl.constexpr, PADDED: tl.constexpr, QUERIES: tl.constexpr
):  # fmt: skip
    """Write the biases along the axis on which each query w of the program has a place of its own; rows (W, KEYS, D)."""
    key = tl.arange(0, PADDED)
    found = tl.zeros((QUERIES, PADDED), tl.float32)
    inside = in_row[:, None] & (d < D)[None, :]
    for k in range(KEYS):
        table = tl.load(rows + (w * KEYS + k)[:, None] * D + d[None, :], mask=inside, other=0.0)
        one = tl.sum(q.to(tl.float32) * table.to(tl.float32), 1)
        found = tl.where((key == k)[None, :], one[:, None], found)
    tl.store(out[:, None] + key[None, :], found.to(out.dtype.element_ty), mask=in_row[:, None] & (key < KEYS)[None, :])


@triton.jit
def append_kernel(
    x,  # (B, T, H, W, N, D)
    first,  # (B, N, D), the class tokens; not read without
    weight,
    bias,
    eps,
    rows_t,  # (T, KT, D)
    rows_h,
    rows_w,
    out,  # (B, N, CLASS + T H W, WIDTH)
    first_clip,  # elements from one clip of `first` to the next
    heads,
    time,
    height,
    width,
    grid_rows,  # B N T H
    CLASS: tl.constexpr,
    D: tl.constexpr,
    KT: tl.constexpr,
    KH: tl.constexpr,
    KW: tl.constexpr,
    WIDTH: tl.constexpr,
    QUERIES: tl.constexpr,
    CHANNELS: tl.constexpr,
    PT: tl.constexpr,
    PH: tl.constexpr,
    PW: tl.constexpr,
    PRECISION: tl.constexpr,
):
    """out = [norm(x), norm(x) . rows_t[t], norm(x) . rows_h[h], norm(x) . rows_w[w], 0]; of a class token [norm, 0].

    The programs after the last row of the grid take a class token each.
    """
    row = tl.program_id(0)
    w = tl.program_id(1) * QUERIES + tl.arange(0, QUERIES)
    d = tl.arange(0, CHANNELS)
    tail = tl.arange(0, 8)
    length = time * height * width + CLASS
    in_row, is_class = w < width, row >= grid_rows
    clip_head = tl.where(is_class, row - grid_rows, row // (time * height)).to(tl.int64)
    clip, head = clip_head // heads, clip_head % heads
    t, h = row // height % time, row % height
    if is_class:
        in_row = w < 1
    place = (t * height + h) * width + w
    at = x + ((clip * time * height * width + place) * heads + head)[:, None] * D
    if is_class:
        at = first + (clip * first_clip + head * D + w * 0)[:, None]
        place = w * 0 - CLASS
    values = tl.load(at + d[None, :], mask=in_row[:, None] & (d < D)[None, :], other=0.0).to(tl.float32)
    q = _normed(values, weight, bias, eps, d, D).to(out.dtype.element_ty)
    to = out + (clip_head * length + CLASS + place) * WIDTH
    tl.store(to[:, None] + d[None, :], q, mask=in_row[:, None] & (d < D)[None, :])
    if is_class:
        columns = tl.arange(0, CHANNELS)
        for start in range(D, WIDTH, CHANNELS):
            zeros = tl.zeros((QUERIES, CHANNELS), out.dtype.element_ty)
            tl.store(
                to[:, None] + start + columns[None, :],
                zeros,
                mask=in_row[:, None] & (start + columns < WIDTH)[None, :],
            )
    else:
        _along(q, rows_t + t * KT * D, to + D, in_row, d, D, KT, PT, PRECISION)
        _along(q, rows_h + h * KH * D, to + D + KT, in_row, d, D, KH, PH, PRECISION)
        begin = to + D + KT + KH
        _across(q, rows_w, begin, in_row, w, d, D, KW, PW, QUERIES)
        zeros = tl.zeros((QUERIES, 8), out.dtype.element_ty)
        unused = WIDTH - D - KT - KH - KW
        tl.store(begin[:, None] + KW + tail[None, :], zeros, mask=in_row[:, None] & (tail < unused)[None, :])


def append(
    x: Tensor,
    first: Tensor | None,
    weight: Tensor,
    bias: Tensor,
    eps: float,
    rows: tuple[Tensor, Tensor, Tensor],
    width: int,
) -> Tensor:
    """As `queries.append_biases_op`; all tensors on one GPU."""
    batch, time, height, wide, heads, channels = x.shape
    x, tables = x.contiguous(), [table.contiguous() for table in rows]
    has_class = first is not None
    out = x.new_empty(batch, heads, time * height * wide + has_class, width)
    queries = min(max(triton.next_power_of_2(wide), _SMALLEST_PRODUCT), _MOST_QUERIES)
    keys = [table.shape[1] for table in tables]
    padded = [max(triton.next_power_of_2(size), _SMALLEST_PRODUCT) for size in keys]
    grid_rows = batch * heads * time * height
    launch = (grid_rows + has_class * batch * heads, triton.cdiv(wide, queries))
    class_tokens = x if first is None else first.reshape(batch, heads * channels)
    with torch.cuda.device_of(x):
        append_kernel[launch](
            x, class_tokens, weight.float(), bias.float(), eps, *tables, out, class_tokens.stride(0), heads, time,
            height, wide, grid_rows, int(has_class), channels, *keys, width, queries,
            max(triton.next_power_of_2(channels), _SMALLEST_PRODUCT), *padded,
            "ieee" if x.dtype == torch.float32 else "tf32",  # which holds all digits of the shorter types
        )  # fmt: skip
    return out
