"""Pooling and attention as operations that ONNX Runtime computes fast on a CPU, for `with for_export()`.

What it is fast at, and by how much, is measured in docs/PERFORMANCE.md ("ONNX Runtime"). Every operation is a standard one.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from slowfast.layers.token_grid import Size3

# Logits of one part of the queries, over all heads: 8 MB of float32, which a cache of the third level holds.
_LOGITS_AT_ONCE = 2**21


def poolable(kernel: Tensor, stride: Size3) -> bool:
    """True for depthwise kernels (C, 1, t, h, w) that `pool_channels` takes: odd ones with stride 1 in time."""
    return stride[0] == 1 and all(size % 2 for size in kernel.shape[2:])


def project_channels(tokens: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """tokens (B, L, K), weight (N, K), bias (N,) -> (B, N, L): a linear layer that leaves channels in front.

    A convolution wants them there, and this is the only place where it costs nothing to turn them.
    """
    x = weight @ tokens.transpose(1, 2)
    return x if bias is None else x + bias[:, None]


def pool_channels(x: Tensor, weight: Tensor, stride: Size3) -> Tensor:
    """Depthwise convolution of a volume, (B, C, T, H, W) -> (B, T', H', W', C); weight (C, 1, t, h, w) as in `poolable`.

    ONNX Runtime has fast depthwise convolutions of images, and none of volumes. So the frames of a clip become one tall
    image, each with rows of zeros below it, as many as the kernel reaches past a frame. Steps in time are then rows one
    frame apart, which is a dilation; each row of the kernel is a convolution of its own, with paddings that shift it up
    or down, and the runtime adds one to the next without leaving its own layout.
    """
    frames, height = x.shape[2:4]
    steps, rows, columns = weight.shape[2:]
    tall = (
        -(-(height + rows // 2) // stride[1]) * stride[1]
    )  # of a frame and its zeros; a stride meets each frame alike
    image = F.pad(x, (0, 0, 0, tall - height)).flatten(2, 3)
    total: Tensor | None = None
    for row in range(rows):
        above, below = (tall * (steps // 2) + shift for shift in (rows // 2 - row, row - rows // 2))
        padded = F.pad(image, (columns // 2, columns // 2, above, below))
        part = F.conv2d(padded, weight[:, :, :, row], stride=stride[1:], dilation=(tall, 1), groups=x.shape[1])
        total = part if total is None else total + part
    assert total is not None
    kept = (height - 1) // stride[1] + 1
    return total.permute(0, 2, 3, 1).unflatten(1, (frames, tall // stride[1]))[:, :, :kept]


def attend_in_parts(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """softmax(q k^T) v, (B, N, Q, D) with (B, N, K, D) and (B, N, K, C) -> (B, N, Q, C).

    In parts of the queries where the logits would not stay in the cache: two products and a softmax then read them from
    there. The parts are fixed in the graph, for a batch of one.
    """
    heads, queries = q.shape[1:3]
    k = k.transpose(-2, -1)
    parts = -(-heads * queries * k.shape[-1] // _LOGITS_AT_ONCE)
    done = [(part @ k).softmax(dim=-1) @ v for part in q.split(-(-queries // parts), dim=2)]
    return done[0] if len(done) == 1 else torch.cat(done, dim=2)
