"""What a network's passes must move and compute on a GPU, from its traced graphs: no GPU is needed.

Three times for each layer type, on a GPU of RATE operations and BANDWIDTH bytes a second where every kernel takes the longer of
its two: the graph that torch.compile makes with everything fused that can be (`traffic`), an ideal, and the operations alone.

The ideal (`ideal`): everything in bfloat16. Each of these is one kernel, which reads what goes in once and writes what comes out
once: a norm; a matrix product with its bias, GELU and the sum with the skip; a pooling with its norm; attention, which
makes its biases itself and adds the queries. Backward, a matrix product is two, and GELU and norms are made again on the
way in. Class tokens and heads are left out of it.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch
from bench.traced import trace
from bench.traffic import ATTENTION, DEPTHWISE, GELU, KINDS, LINEAR, NORMS, PATCHES, REST, Piece, pieces
from fvcore.common.config import CfgNode
from torch.fx import GraphModule

from slowfast.layers import kernels
from slowfast.layers.kernels.seen_tokens import close_windows
from slowfast.layers.mvit_block import BlockSpec
from slowfast.layers.token_grid import volume
from slowfast.models.backbones.mvit import MViT
from slowfast.models.build import build_model, input_size

RATE, BANDWIDTH = 800e12, 3e12
BF16, F32 = 2, 4


@dataclass(frozen=True)
class Sum:
    """Operations, bytes and milliseconds of some pieces; alone: milliseconds of the operations by themselves."""

    operations: float
    bytes: float
    milliseconds: float
    alone: float


def summed(found: Iterable[Piece]) -> Sum:
    found = list(found)
    operations = sum(piece.operations for piece in found)
    return Sum(
        operations,
        sum(piece.bytes for piece in found),
        1e3 * sum(piece.seconds(RATE, BANDWIDTH) for piece in found),
        1e3 * operations / RATE,
    )


def traced_pieces(cfg: CfgNode, clips: int, *, training: bool) -> list[Piece]:
    """Of the compiled network of a config, with the kernels of its MODEL.KERNELS."""
    kernels.use(cfg.MODEL.KERNELS)
    with torch.device("meta"):
        model = build_model(cfg)
    graphs = trace(model, (clips, 3, *input_size(cfg)), training=training)
    return [piece for graph in (graphs.forward, graphs.backward) if graph is not None for piece in _pieces(graph)]


def _pieces(graph: GraphModule) -> list[Piece]:
    return pieces(graph.graph)


# ------------------------------------------------------------------------------------------------ ideal


def ideal_pieces(cfg: CfgNode, clips: int, *, training: bool) -> list[Piece]:
    """The ideal of an MViT's config. Raises ValueError for another backbone."""
    with torch.device("meta"):
        backbone = build_model(cfg).get_submodule("backbone")
    if not isinstance(backbone, MViT):
        raise ValueError(f"the ideal is known for an MViT, and this config has a {type(backbone).__name__}")
    patches = clips * volume(backbone.plan[0].in_size)
    kernel = backbone.patch_embed.proj.weight[0].numel()
    pixels = clips * 3 * math.prod(input_size(cfg))
    dim = backbone.plan[0].dim_in
    found = [Piece(PATCHES, 2.0 * patches * dim * kernel, pixels + BF16 * patches * dim, ("forward",))]
    if training:
        found.append(Piece(PATCHES, 2.0 * patches * dim * kernel, pixels + BF16 * patches * dim, ("backward",)))
    for spec in backbone.plan:
        found += _Block(spec, clips).pieces(training)
    tokens = clips * volume(backbone.plan[-1].out_size) * backbone.dim
    return [*found, *_norm(tokens, training)]


def _norm(size: int, training: bool) -> Iterator[Piece]:
    yield Piece(NORMS, 0.0, BF16 * 2 * size, ("forward",))
    if training:  # its input, its gradient, that of the skip; the gradient of its input
        yield Piece(NORMS, 0.0, BF16 * 4 * size, ("backward",))


def _linear(rows: int, wide_in: int, wide_out: int, training: bool, *, beside: int = 0) -> Iterator[Piece]:
    """beside: elements of another operand, read in the product's epilogue: a skip, or GELU's input backward."""
    operations, weights = 2.0 * rows * wide_in * wide_out, wide_in * wide_out
    moved = rows * (wide_in + wide_out)
    yield Piece(LINEAR, operations, BF16 * (moved + weights + beside), ("forward",))
    if training:
        yield Piece(LINEAR, operations, BF16 * (moved + weights), ("input gradient",))
        yield Piece(LINEAR, operations, BF16 * moved + F32 * weights, ("weight gradient",))


class _Block:
    def __init__(self, spec: BlockSpec, clips: int) -> None:
        self.spec = spec
        self.tokens, self.queries = (clips * volume(size) for size in (spec.in_size, spec.out_size))
        seen = spec.in_size
        if spec.kv_kernel is not None:
            seen = close_windows(spec.in_size, spec.kv_kernel, spec.kv_stride)[0]
        self.seen = clips * volume(seen)
        self.keys = clips * math.prod(-(-s // k) for s, k in zip(spec.in_size, spec.kv_stride, strict=True))
        self.clips = clips

    def pieces(self, training: bool) -> Iterator[Piece]:
        spec, inner = self.spec, self.spec.attention_dim
        yield from _norm(self.tokens * spec.dim_in, training)
        yield from _linear(self.tokens, spec.dim_in, inner, training)
        yield from _linear(self.seen, spec.dim_in, 2 * inner, training)
        yield from self._pooling(self.tokens, self.queries, inner, spec.q_kernel, training)
        yield from self._pooling(self.seen, self.keys, 2 * inner, spec.kv_kernel, training)
        yield from self._attention(training)
        if inner != spec.dim_in:
            yield from _linear(self.tokens, spec.dim_in, inner, training)
        if training and max(spec.q_stride) > 1:  # the skip's pooling backward
            yield Piece(REST, 0.0, BF16 * inner * (self.tokens + self.queries), ("backward",))
        yield from _linear(self.queries, inner, inner, training, beside=self.tokens * inner)
        yield from _norm(self.queries * inner, training)
        hidden = 4 * inner
        yield from _linear(self.queries, inner, hidden, training)
        if spec.dim_out != inner:
            yield from _linear(self.queries, inner, spec.dim_out, training)
        yield from _linear(self.queries, hidden, spec.dim_out, training, beside=self.queries * spec.dim_out)
        if training:  # GELU's input, in the epilogue of the product that makes its gradient
            yield Piece(GELU, 0.0, BF16 * self.queries * hidden, ("backward",))

    def _pooling(self, tokens: int, pooled: int, width: int, kernel, training: bool) -> Iterator[Piece]:
        if kernel is None:
            return
        operations, moved = 2.0 * pooled * width * volume(kernel), BF16 * width * (tokens + pooled)
        yield Piece(DEPTHWISE, operations, moved, ("forward",))
        if training:  # both read what the norm has read, for its gradient
            yield Piece(DEPTHWISE, operations, moved + BF16 * width * pooled, ("input gradient",))
            yield Piece(DEPTHWISE, operations, moved + BF16 * width * pooled, ("weight gradient",))

    def _attention(self, training: bool) -> Iterator[Piece]:
        inner = self.spec.attention_dim
        pairs = 2.0 * self.queries * (self.keys / self.clips) * inner
        moved = BF16 * inner * (self.queries + self.keys)
        yield Piece(ATTENTION, 2 * pairs, 2 * moved, ("forward",))
        if training:
            yield Piece(ATTENTION, 5 * pairs, 4 * moved, ("backward",))


# ------------------------------------------------------------------------------------------------ the table

_HEADING = "| {} | operations, T | bytes, GB | ms | ideal bytes, GB | ideal ms | operations alone, ms |"


def table(cfg: CfgNode, clips: int, *, training: bool) -> list[str]:
    """Lines of a Markdown table, a layer type a row, and one of all."""
    found, wanted = (function(cfg, clips, training=training) for function in (traced_pieces, ideal_pieces))
    what = "train step (forward, backward)" if training else "forward"
    lines = [_HEADING.format(f"{what}, {clips} clips"), "|---|" + "---:|" * 6]
    for kind in KINDS:
        lines.append(
            _row(kind, summed(p for p in found if p.kind == kind), summed(p for p in wanted if p.kind == kind))
        )
    ours, best = summed(found), summed(wanted)
    lines.append(_row("**all**", ours, best))
    lines.append("")
    lines.append(
        f"traced bytes are {ours.bytes / best.bytes:.2f}x of the ideal, times {ours.milliseconds / best.milliseconds:.2f}x"
    )
    return lines


def _row(name: str, ours: Sum, best: Sum) -> str:
    return (f"| {name} | {ours.operations / 1e12:.3f} | {ours.bytes / 1e9:.2f} | {ours.milliseconds:.2f} | "
            f"{best.bytes / 1e9:.2f} | {best.milliseconds:.2f} | {ours.alone:.2f} |")  # fmt: skip


def main(cfg: CfgNode, clips: int) -> None:
    """Print both tables."""
    print(
        f"a GPU of {RATE / 1e12:.0f} TFLOP/s and {BANDWIDTH / 1e12:.0f} TB/s, bfloat16 autocast, torch {torch.__version__}"
    )
    for training in (False, True):
        print("\n".join(table(cfg, clips, training=training)), flush=True)
