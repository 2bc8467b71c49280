"""The graphs that torch.compile makes of a network on a GPU, traced without one: tensors without numbers, on a pretended device.

Two steps, because PyTorch's autograd wants a driver as soon as it meets a tensor of a GPU:
1. `torch.compile` takes the network on fake CUDA tensors, as the engine calls it. Every choice that looks at the device, and
   every cast of autocast, is made there, and becomes an operation of the graph.
2. That graph is taken apart again on fake CPU tensors by what Inductor uses for a GPU, its decompositions and its division
   into a forward and a backward graph. This step chooses nothing by device.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch._functorch.aot_autograd import aot_module_simplified
from torch._functorch.partitioners import min_cut_rematerialization_partition
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.fx import GraphModule
from torch.fx.experimental.proxy_tensor import make_fx
from torch.utils._pytree import tree_leaves, tree_map_only

from slowfast.engine.device.compiling import hooks_inside
from slowfast.engine.device.pixels import Pixels

CUDA, CPU = torch.device("cuda", 0), torch.device("cpu")


@dataclass(frozen=True)
class Traced:
    """Graphs of ATen operations. forward: of inference, or the first half of a training step; backward: the second half."""

    forward: GraphModule
    backward: GraphModule | None


@contextmanager
def bfloat16_on_cuda(enabled: bool) -> Iterator[None]:
    """Autocast as on a GPU. `torch.autocast` turns itself off where torch sees none."""
    before = torch.is_autocast_enabled("cuda"), torch.get_autocast_dtype("cuda")
    torch.set_autocast_enabled("cuda", enabled)
    torch.set_autocast_dtype("cuda", torch.bfloat16)
    try:
        yield
    finally:
        torch.set_autocast_enabled("cuda", before[0])
        torch.set_autocast_dtype("cuda", before[1])


def fake_copy(model: nn.Module, device: torch.device) -> nn.Module:
    """The same module with fake parameters and buffers; to call in a FakeTensorMode, on a model built on "meta"."""
    for module in model.modules():
        for name, parameter in list(module.named_parameters(recurse=False)):
            fake = torch.empty(parameter.shape, dtype=parameter.dtype, device=device)
            setattr(module, name, nn.Parameter(fake, requires_grad=parameter.requires_grad))
        for name, buffer in list(module.named_buffers(recurse=False)):
            setattr(module, name, torch.empty(buffer.shape, dtype=buffer.dtype, device=device))
    return model


def trace(model: nn.Module, clips: tuple[int, ...], *, training: bool, bfloat16: bool = True) -> Traced:
    """The graphs of `model`, built on "meta", for uint8 clips of this shape, which it normalises as in a run. It is left
    with fake parameters."""
    torch._dynamo.reset()
    captured: list[tuple[GraphModule, list[Tensor]]] = []

    def capture(module: GraphModule, inputs: list[Tensor]):
        captured.append((module, inputs))
        return module.forward

    with FakeTensorMode():
        model = fake_copy(model, CUDA).train(training)
        colours = torch.empty(2, 3, device=CUDA)
        model.register_forward_pre_hook(Pixels(colours[0], colours[1]))
        fake_clips = torch.empty(clips, dtype=torch.uint8, device=CUDA)
        with hooks_inside():
            model.compile(backend=capture, dynamic=False, fullgraph=True)
        with bfloat16_on_cuda(bfloat16), torch.set_grad_enabled(training):
            model(fake_clips)
        torch._dynamo.reset()
        ((module, inputs),) = captured
        wanted = [x.requires_grad for x in inputs]
        with bfloat16_on_cuda(bfloat16), torch.no_grad():
            _name_attention(module)
            flat = make_fx(lambda *args: tree_leaves(module(*args)))(*inputs)
        _move_to_cpu(flat)
        shapes = [(x.shape, x.dtype, x.stride()) for x in inputs]
    return _divide(flat, shapes, wanted, training)


def _name_attention(module: GraphModule) -> None:
    """Every attention becomes FlashAttention, which PyTorch would choose on a GPU; without one it writes out the matrix."""
    for node in module.graph.nodes:
        if node.target is F.scaled_dot_product_attention:
            node.target = _flash_attention
    module.recompile()


def _flash_attention(q: Tensor, k: Tensor, v: Tensor, *, scale: float | None = None) -> Tensor:
    if torch.is_autocast_enabled("cuda"):
        q, k, v = (x.to(torch.get_autocast_dtype("cuda")) for x in (q, k, v))
    return torch.ops.aten._scaled_dot_product_flash_attention(q, k, v, 0.0, False, scale=scale)[0]


def _move_to_cpu(module: GraphModule) -> None:
    for node in module.graph.nodes:
        node.args = tree_map_only(torch.device, lambda _: CPU, node.args)
        node.kwargs = tree_map_only(torch.device, lambda _: CPU, node.kwargs)
    module.recompile()


def _divide(flat: GraphModule, shapes: list, wanted: list[bool], training: bool) -> Traced:
    import torch._inductor.lowering  # some decompositions look into it
    from torch._inductor.decomposition import select_decomp_table

    found: dict[str, GraphModule] = {}

    def keep(name: str):
        def compiler(module: GraphModule, _: list):
            found[name] = module
            return module.forward

        return compiler

    def divide(*args, **options):
        return min_cut_rematerialization_partition(*args, compiler="inductor", **options)

    with FakeTensorMode(), torch.set_grad_enabled(training):
        inputs = [
            torch.empty_strided(shape, stride, dtype=dtype).requires_grad_(training and wants)
            for (shape, dtype, stride), wants in zip(shapes, wanted, strict=True)
        ]
        function = aot_module_simplified(
            flat,
            inputs,
            fw_compiler=keep("forward"),
            bw_compiler=keep("backward"),
            inference_compiler=keep("forward"),
            decompositions=select_decomp_table(),
            partition_fn=divide,
        )
        results = function(*inputs)
        if training:
            sums = [x.float().sum() for x in results if isinstance(x, Tensor) and x.requires_grad]
            torch.stack(sums).sum().backward()
    return Traced(found["forward"], found.get("backward"))
