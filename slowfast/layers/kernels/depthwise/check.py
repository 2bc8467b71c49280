"""Our Triton kernels of the depthwise convolution are compared with float64 once before they are used.

What is computed how never depends on a clock: two runs, and all processes of one run, take the same kernels. Where the
comparison fails PyTorch's kernels are taken from then on, and a warning says why.
"""

import importlib
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from slowfast.layers.kernels.depthwise import by_torch
from slowfast.layers.token_grid import Size3, size3
from slowfast.utils.logging import get_logger

OPERATIONS = ("forward", "input_gradient", "weight_gradient")
# Of the largest value: three times what rounding gives (sums are float32 for all types), far below a wrong kernel.
LIMITS = {torch.float32: 1e-5, torch.bfloat16: 2**-7, torch.float16: 2**-9}
_SHARED, _HEADS = (2, 96), 2  # keys and values: their kernels, of a head of MViT, and heads


class Pooling(NamedTuple):
    """What Triton makes kernels for: each is compared by itself."""

    dtype: torch.dtype
    kernel: Size3
    stride: Size3

    def __str__(self) -> str:
        kernel, stride = ("x".join(map(str, sizes)) for sizes in (self.kernel, self.stride))
        return f"kernel {kernel}, stride {stride}, {str(self.dtype).removeprefix('torch.')}"


def poolings_of(model: nn.Module, dtype: torch.dtype, *, closed: bool = False) -> list[Pooling]:
    """What the depthwise convolutions of a model come to. closed: gaps between windows are left out before (`seen_tokens`)."""
    found: dict[Pooling, None] = {}
    for module in model.modules():
        if isinstance(module, nn.Conv3d) and module.groups == module.in_channels == module.out_channels > 1:
            kernel, stride = size3(module.kernel_size), size3(module.stride)
            if closed:
                stride = size3(min(s, k) if k % 2 else s for k, s in zip(kernel, stride, strict=True))
            found[Pooling(dtype, kernel, stride)] = None
    return list(found)


class Checked:
    """The operations of our kernels on `device_type`; PyTorch's on other devices, of other sizes, where ours are refused.

    load:     gives the module that has OPERATIONS and `supports(kernel, stride)`; it may raise
    required: a refusal is an error (MODEL.DEPTHWISE triton)
    refused:  why ours are not used any more in this process, "" while they are
    """

    def __init__(self, load: Callable[[], Any], *, device_type: str = "cuda") -> None:
        self._load, self._device_type = load, device_type
        self.required, self.refused = False, ""
        self._passed: set[tuple[torch.device, Pooling]] = set()
        self._warned: set[Pooling] = set()

    def run(self, operation: str, *args: Any, out: Tensor | None = None) -> Tensor:
        """One of OPERATIONS; args end with x, weight and stride. Running out of memory says nothing against a kernel.

        out: where the forward pass or the input's gradient is written, its clips dense
        """
        x, weight, stride = args[-3:]
        there = {} if out is None else {"out": out}
        if self._takes(x, Pooling(x.dtype, size3(weight.shape[2:]), stride)):
            try:
                return getattr(self._load(), operation)(*args, **there)
            except torch.OutOfMemoryError:
                raise
            except Exception as error:  # whatever a compiler or a driver comes up with
                self.refuse(f"{operation}: {_told(error)}")
        result = getattr(by_torch, operation)(*args)
        return result if out is None else out.copy_(result)

    def check(self, poolings: Iterable[Pooling], device: torch.device) -> str:
        """What is wrong with the first that is wrong; "" for nothing. Those that passed are not compared again."""
        for pooling in poolings:
            if (device, pooling) in self._passed:
                continue
            try:
                if not self._load().supports(pooling.kernel, pooling.stride):
                    continue
                why = fault_of(self._load(), pooling, device)
            except Exception as error:  # out of memory, too: a comparison needs a megabyte, and must not end a run
                why = _told(error)
            if why:
                return f"{pooling}: {why}"
            self._passed.add((device, pooling))
        return ""

    def refuse(self, why: str) -> None:
        """Take PyTorch's kernels from now on, and say so once. Raises ValueError where ours are required."""
        if self.required:
            raise ValueError(f"MODEL.DEPTHWISE is triton, but {why}; set MODEL.DEPTHWISE auto to go on with PyTorch's")
        if not self.refused:
            get_logger().warning(
                "depthwise convolutions by PyTorch from now on, which may be many times slower in bfloat16: our Triton "
                "kernels are not used, %s (MODEL.DEPTHWISE torch leaves them out without a warning)",
                why,
            )
        self.refused = why

    def _takes(self, x: Tensor, pooling: Pooling) -> bool:
        if x.device.type != self._device_type or self.refused or not x.numel():
            return False
        if (x.device, pooling) in self._passed:
            return True
        if _is_recording(x.device):  # a comparison waits for the device, which a recording forbids
            if pooling not in self._warned:
                self._warned.add(pooling)
                get_logger().warning(
                    "a CUDA graph is recorded before %s was met, so it holds PyTorch's kernel: run the model once before",
                    pooling,
                )
            return False
        if why := self.check([pooling], x.device):
            self.refuse(why)
        elif (x.device, pooling) not in self._passed and pooling not in self._warned:
            self._warned.add(pooling)
            get_logger().warning("%s: there is no Triton kernel of ours for it, PyTorch's is taken", pooling)
        return (x.device, pooling) in self._passed


def fault_of(ours: Any, pooling: Pooling, device: torch.device) -> str:
    """How far the three operations of `ours` are off float64 on numbers made up here, in words; "" within rounding."""
    x, weight, grad = _made_up(pooling)
    exact = {
        "forward": by_torch.forward(x, weight, pooling.stride),
        "input_gradient": by_torch.input_gradient(grad, x, weight, pooling.stride),
        "weight_gradient": by_torch.weight_gradient(grad, x, weight, pooling.stride),
    }
    tensors = [tensor.to(device, pooling.dtype) for tensor in (grad, x, weight)]
    limit = LIMITS[pooling.dtype]
    for operation, expected in exact.items():
        args = tensors[1:] if operation == "forward" else tensors
        found = getattr(ours, operation)(*args, pooling.stride)
        if found.shape != expected.shape:
            return f"the {operation} has the shape {tuple(found.shape)} and not {tuple(expected.shape)}"
        off = ((found.double().cpu() - expected).abs().max() / expected.abs().max()).item()
        if not off <= limit:
            return f"the {operation} is off by {off:.2g} of the largest value (limit {limit:.2g})"
    return ""


def _made_up(pooling: Pooling) -> tuple[Tensor, Tensor, Tensor]:
    """x, weight and gradient of the result, float64 on the CPU, of numbers that the type has. Clips do not touch, as
    behind a class token; windows hang over every edge; heads share kernels."""
    draw = torch.Generator().manual_seed(0)

    def numbers(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=draw).to(pooling.dtype).double()

    grid = [3 * step + 2 for step in pooling.stride]
    x = numbers(2, 1 + grid[0] * grid[1] * grid[2], _SHARED[0] * _HEADS * _SHARED[1])[:, 1:].unflatten(1, grid)
    weight = numbers(*_SHARED, *pooling.kernel)
    return x, weight, numbers(*by_torch.forward(x, weight, pooling.stride).shape)


def _is_recording(device: torch.device) -> bool:
    return device.type == "cuda" and torch.cuda.is_current_stream_capturing()


def _told(error: Exception) -> str:
    first = str(error).strip().splitlines()[:1]
    return ": ".join([type(error).__name__, *first])


TRITON = Checked(lambda: importlib.import_module("slowfast.layers.kernels.depthwise.by_triton"))
