"""Bytes and operations of a traced graph, if everything that can be fused is fused.

The rule. A graph (`traced`) has three kinds of operations:
- Kernels that nothing else is fused into: matrix products, convolutions, attention, our depthwise operators. Each reads each
  of its operands once and writes its results once.
- Views move nothing.
- All else (norms, GELU, sums, casts, concatenations, copies, poolings by maximum, gathers) is fused. Such operations that
  depend on each other, or read the same tensor, with no kernel between them are one region. A region reads each
  tensor that it did not make once (of a view or a gather, only what is looked at), and writes once what a kernel, another
  region or the caller looks at of each of its tensors. It lies as late in the graph as what reads it allows.
A wider type of a tensor, and the sum of two such, are made anew by what reads them, which takes no more bytes; so does Inductor.
Constants cost nothing until a kernel reads them. No compiler fuses more than this, and Inductor often less.
"""

import math
import operator
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.fx import Graph, Node
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

import slowfast.layers.kernels.depthwise.operators
import slowfast.layers.kernels.queries  # noqa: F401  # both register operators of ours

aten, prims = torch.ops.aten, torch.ops.prims
LINEAR, BIASES, ATTENTION = "linear layers", "bias columns of queries", "attention"
DEPTHWISE, PATCHES = "depthwise convolutions", "patch embedding"
NORMS, GELU, REST = "norms with their sums and copies", "GELU", "other sums, casts and copies"
KINDS = (PATCHES, LINEAR, BIASES, DEPTHWISE, ATTENTION, NORMS, GELU, REST)

_KERNELS = {
    aten.mm: LINEAR,
    aten.addmm: LINEAR,
    aten.bmm: BIASES,
    aten.baddbmm: BIASES,
    aten.convolution: PATCHES,
    aten.convolution_backward: PATCHES,
    aten._scaled_dot_product_flash_attention: ATTENTION,
    aten._scaled_dot_product_flash_attention_backward: ATTENTION,
    torch.ops.slowfast.append_biases: BIASES,
    torch.ops.slowfast.depthwise_conv: DEPTHWISE,
    torch.ops.slowfast.depthwise_conv_of_tokens: DEPTHWISE,
    torch.ops.slowfast.depthwise_conv_of_tokens_input_gradient: DEPTHWISE,
    torch.ops.slowfast.depthwise_conv_input_gradient: DEPTHWISE,
    torch.ops.slowfast.depthwise_conv_weight_gradient: DEPTHWISE,
}
_VIEWS = {
    aten.view, aten._unsafe_view, aten.reshape, aten.permute, aten.transpose, aten.t, aten.expand, aten.unsqueeze,
    aten.squeeze, aten.slice, aten.select, aten.split, aten.split_with_sizes, aten.alias, aten.detach, aten.as_strided,
}  # fmt: skip
_GATHERS = {aten.index, aten.index_select, aten.gather}


@dataclass(frozen=True)
class Piece:
    """A kernel or a fused region. kind: one of KINDS; operations: two for each multiply-add; of sums and the like none."""

    kind: str
    operations: float
    bytes: float
    names: tuple[str, ...]

    def seconds(self, rate: float, bandwidth: float) -> float:
        return max(self.operations / rate, self.bytes / bandwidth)


def pieces(graph: Graph) -> list[Piece]:
    """All kernels and regions of a graph whose nodes know their values (`meta["val"]`). It is changed (`_make_anew`)."""
    return _Fused(graph).pieces()


def _packet(node: Node) -> Any:
    return getattr(node.target, "overloadpacket", node.target)


def _tensors(value: object) -> list[Tensor]:
    return [leaf for leaf in tree_leaves(value) if isinstance(leaf, Tensor)]


def _bytes(node: Node) -> int:
    return sum(x.numel() * x.element_size() for x in _tensors(node.meta.get("val")))


def _looked_at(node: Node) -> int:
    """Bytes of what a view shows, repetitions of `expand` counted once."""
    x = node.meta["val"]
    return math.prod(size for size, step in zip(x.shape, x.stride(), strict=True) if step) * x.element_size()


def _is_view(node: Node) -> bool:
    return _packet(node) in _VIEWS or node.target is operator.getitem


def _make_anew(graph: Graph) -> None:
    """Give every reader of what is cheaper made than kept its own: a wider type of a tensor, the sum of two such."""
    cheap: set[Node] = set()
    for node in graph.nodes:
        if _is_cheap(node, cheap):
            cheap.add(node)
    for node in reversed(list(graph.nodes)):
        if node not in cheap:
            continue
        for user in list(node.users)[1:]:
            with graph.inserting_before(user):
                own = graph.node_copy(node)
            own.meta = node.meta
            user.replace_input_with(node, own)


def _is_cheap(node: Node, cheap: set[Node]) -> bool:
    """cheap: what was found to be so among the nodes before it."""
    inputs = node.all_input_nodes
    if node.op != "call_function" or not inputs:
        return False
    if _packet(node) is aten.add:
        return len(inputs) == 2 and not _is_short(node) and all(x in cheap or _is_short(x) for x in inputs)
    return _widens(node) or (_is_view(node) and inputs[0] in cheap)


def _is_short(node: Node) -> bool:
    value = node.meta.get("val")
    return isinstance(value, Tensor) and value.element_size() == 2


def _widens(node: Node) -> bool:
    return (
        _packet(node) in (prims.convert_element_type, aten._to_copy)
        and _is_short(node.all_input_nodes[0])
        and not _is_short(node)
    )


class _Fused:
    def __init__(self, graph: Graph) -> None:
        _make_anew(graph)
        self.nodes = [node for node in graph.nodes if node.op not in ("output", "get_attr")]
        output = next(node for node in graph.nodes if node.op == "output")
        self.returned = {self.base(node) for node in tree_leaves(output.args) if isinstance(node, Node)}
        self.work = [node for node in self.nodes if node.op == "call_function" and not _is_view(node)]
        self.kernels = {node for node in self.work if _packet(node) in _KERNELS}
        self.constants: set[Node] = set()
        for node in self.work:
            if node not in self.kernels and all(self.base(x) in self.constants for x in node.all_input_nodes):
                self.constants.add(node)
        self.fused = [node for node in self.work if node not in self.kernels and node not in self.constants]
        self.readers: dict[Node, list[Node]] = defaultdict(list)
        for node in self.work:
            for base in {self.base(x) for x in node.all_input_nodes}:
                self.readers[base].append(node)
        self.level = self._levels()

    def base(self, node: Node) -> Node:
        """The operation or input whose memory a view shows; of several results they count as one memory."""
        while node.op == "call_function" and _is_view(node):
            node = node.args[0]  # type: ignore[assignment]
        return node

    def _inputs(self, node: Node) -> list[Node]:
        return [self.base(x) for x in node.all_input_nodes]

    def _levels(self) -> dict[Node, int]:
        """How many kernels must have run before: of kernels as early, of fused operations as late as can be."""
        early: dict[Node, int] = {}
        for node in self.work:
            early[node] = max((early.get(x, 0) + (x in self.kernels) for x in self._inputs(node)), default=0)
        awaited = {node for node in self.kernels if self._is_awaited(node)}
        late: dict[Node, float] = {}
        for node in reversed(self.work):
            readers = self.readers[node]
            bounds = [late[x] for x in readers if x not in self.kernels]
            bounds += [early[x] for x in readers if x in awaited]
            late[node] = early[node] if node in self.kernels else min(bounds, default=math.inf)
        free = [node for node in self.fused if late[node] == math.inf]
        for node in free:  # nothing waits for it: with the last that reads what it reads
            beside = [late[x] for base in self._inputs(node) for x in self._fused_readers(base)]
            made_of = [late[x] for x in self._inputs(node) if x in late and x not in self.kernels]
            late[node] = max([early[node], *(x for x in (*beside, *made_of) if x < math.inf)])
        for node in reversed(free):  # and not before what reads it, but for kernels
            used = self._fused_readers(node)
            if used and len(used) == len(self.readers[node]):
                late[node] = max(late[node], min(late[x] for x in used))
        return {node: int(level) if level < math.inf else early[node] for node, level in late.items()}

    def _fused_readers(self, node: Node) -> list[Node]:
        return [reader for reader in self.readers[node] if reader not in self.kernels]

    def _is_awaited(self, kernel: Node) -> bool:
        """True where another kernel needs its result, directly or not: not for the gradient of a weight."""
        seen, open_nodes = set(), [kernel]
        while open_nodes:
            for reader in self.readers[open_nodes.pop()]:
                if reader in self.kernels:
                    return True
                if reader not in seen:
                    seen.add(reader)
                    open_nodes.append(reader)
        return False

    def pieces(self) -> list[Piece]:
        found = [self._kernel(node) for node in self.work if node in self.kernels]
        return found + [self._region(members) for members in self._regions()]

    def _kernel(self, node: Node) -> Piece:
        read = self._read([node])
        if any(self.base(x) in self.constants for x in node.all_input_nodes):  # somebody has to write them
            read += sum(_bytes(x) for x in {self.base(x) for x in node.all_input_nodes} & self.constants)
        return Piece(_KERNELS[_packet(node)], _operations(node), read + _bytes(node), (node.name,))

    def _read(self, members: Iterable[Node]) -> int:
        """Bytes that these operations read and did not make, each tensor once."""
        inside = set(members)
        looked = self._looks(inside)
        return sum(
            min(sum(views.values()), max(_bytes(base), 1)) for base, views in looked.items() if base not in inside
        )

    def _looks(self, readers: Iterable[Node]) -> dict[Node, dict[object, int]]:
        """Of each tensor, the bytes of every view that these operations look at."""
        looks: dict[Node, dict[object, int]] = defaultdict(dict)
        for node in readers:
            for x in node.all_input_nodes:
                base = self.base(x)
                if base in self.constants and node not in self.kernels:
                    continue
                shown = _looked_at(x) if isinstance(x.meta.get("val"), Tensor) else _bytes(x)
                if _packet(node) in _GATHERS and x is node.args[0]:
                    shown = min(shown, _bytes(node))
                view = x.meta.get("val")
                key = (view.storage_offset(), view.shape, view.stride()) if isinstance(view, Tensor) else x.name
                looks[base][key] = max(shown, looks[base].get(key, 0))
        return looks

    def _written(self, node: Node, inside: set[Node]) -> int:
        """Bytes of a region's tensor that others look at: kernels, other regions, the caller."""
        if node in self.returned:
            return _bytes(node)
        others = [reader for reader in self.readers[node] if reader not in inside]
        return min(sum(self._looks(others).get(node, {}).values()), _bytes(node))

    def _regions(self) -> Iterator[list[Node]]:
        parent = {node: node for node in self.fused}

        def find(node: Node) -> Node:
            while parent[node] is not node:
                parent[node] = node = parent[parent[node]]
            return node

        for base, readers in self.readers.items():
            together = [x for x in (base, *readers) if x in parent]
            for level in {self.level[x] for x in together}:
                same = [x for x in together if self.level[x] == level]
                for other in same[1:]:
                    parent[find(other)] = find(same[0])
        groups: dict[Node, list[Node]] = defaultdict(list)
        for node in self.fused:
            groups[find(node)].append(node)
        yield from groups.values()

    def _region(self, members: list[Node]) -> Piece:
        inside = set(members)
        written = sum(self._written(node, inside) for node in members)
        packets = {_packet(node) for node in members}
        kind = GELU if aten.erf in packets else NORMS if packets & {aten.var_mean, aten.rsqrt} else REST
        return Piece(kind, 0.0, self._read(members) + written, tuple(node.name for node in members))


def _operations(node: Node) -> float:
    values: list[Any] = [x.meta["val"] if isinstance(x, Node) else x for x in node.args]
    packet, out = _packet(node), node.meta["val"]
    if _KERNELS[packet] == DEPTHWISE:
        forward = (torch.ops.slowfast.depthwise_conv, torch.ops.slowfast.depthwise_conv_of_tokens)
        gradient_of_tokens = torch.ops.slowfast.depthwise_conv_of_tokens_input_gradient
        weight = values[1] if packet in forward else values[2] if packet is gradient_of_tokens else values[-2]
        positions = out if packet in forward else values[0]
        return 2.0 * positions.numel() * math.prod(weight.shape[2:])
    if packet is torch.ops.slowfast.append_biases:
        return 2.0 * values[0].numel() * sum(table.shape[1] for table in values[5:8])
    if packet is aten._scaled_dot_product_flash_attention:
        return _attention_operations(*values[:3], products=2)
    if packet is aten._scaled_dot_product_flash_attention_backward:
        return _attention_operations(*values[1:4], products=5)
    count: Callable[..., float] = flop_registry[packet]
    return float(count(*values, **node.kwargs, out_val=out))


def _attention_operations(q: Tensor, k: Tensor, v: Tensor, *, products: int) -> float:
    return 2.0 * products * math.prod(q.shape[:3]) * k.shape[2] * q.shape[3]
