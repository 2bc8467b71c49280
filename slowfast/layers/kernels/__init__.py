"""The operations of the networks that are computed in more than one way, each with its definition in one line.

    normed(norm, x)             norm(x)
    linear(x, W, b), Linear     x W^T + b
    mlp(x, fc1, fc2, dropout)   dropout(fc2(dropout(GELU(fc1(x)))))
    depthwise_conv(x, w, s)     conv3d(x, w of each channel, stride=s, padding=half a kernel, groups=channels), channels last
    project_and_pool(x, ...)    depthwise_conv(x W^T + b) for each Projection
    attend(q, k, v, tables)     softmax(q k^T / sqrt(D) + bias(q, tables)) v     (layers.attention.attend_plain)
    attend_pooled(q, norm, ..)  attend(norm(q), k, v, tables), norm(q)
    takes_pooled_apart(x, ..)   whether attend_pooled is to be called
    recomputed(f, x)            f(x)

The ways to compute them agree with the definitions up to rounding. `choice` decides which one is taken: `with plain()`
computes the definitions, `with for_export()` what other runtimes are fast at, `use` sets MODEL.KERNELS and
MODEL.DEPTHWISE, `describe` tells in words. `check_depthwise` compares kernels with float64, `refuse_depthwise` leaves ours
out, and `replays_graphs` says whether testing records CUDA graphs. Nothing outside this folder imports a module below
it, or asks for a backend.

Tokens: a tensor (..., C), or what `normed` returns; the operations that take an x take both.
"""

from slowfast.layers.kernels.attention import attend, attend_pooled, takes_pooled_apart
from slowfast.layers.kernels.choice import (
    DEPTHWISE,
    SETTINGS,
    check_depthwise,
    describe,
    for_export,
    is_plain,
    plain,
    refuse_depthwise,
    replays_graphs,
    use,
)
from slowfast.layers.kernels.depthwise.convolution import depthwise_conv
from slowfast.layers.kernels.hidden_layer import mlp
from slowfast.layers.kernels.linear_layer import Linear, linear
from slowfast.layers.kernels.projection import Apart, Projection, project_and_pool
from slowfast.layers.kernels.recompute import Tokens, normed, recomputed

__all__ = [
    "DEPTHWISE",
    "SETTINGS",
    "Apart",
    "Linear",
    "Projection",
    "Tokens",
    "attend",
    "attend_pooled",
    "check_depthwise",
    "depthwise_conv",
    "describe",
    "for_export",
    "is_plain",
    "linear",
    "mlp",
    "normed",
    "plain",
    "project_and_pool",
    "recomputed",
    "refuse_depthwise",
    "replays_graphs",
    "takes_pooled_apart",
    "use",
]
