"""Whether a run compiles its model with torch.compile (MODEL.COMPILE), why, and how."""

import importlib.util
import os
import shutil
import sysconfig
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import torch
from fvcore.common.config import CfgNode
from torch import Tensor, nn
from torch.torch_version import TorchVersion

from slowfast.engine.device.first_calls import FirstCalls
from slowfast.engine.device.parallel import blocks_of, is_cut
from slowfast.layers import kernels
from slowfast.utils.processes.shards import any_cut

# Seen on the CPU: 2.6 and 2.7 fail in a view of the attention's gradient, or change the gradient by 1.6e-3 of itself.
OLDEST_TORCH = (2, 8)


@dataclass(frozen=True)
class Compiling:
    """What MODEL.COMPILE comes to in this run: `on`, and why, in words for the log."""

    on: bool
    why: str

    def __str__(self) -> str:
        return f"model {'compiled' if self.on else 'not compiled'} by torch.compile: {self.why}"


def choose_compiling(cfg: CfgNode, device: torch.device) -> Compiling:
    """Raises ValueError where MODEL.COMPILE is on and something is missing that torch.compile needs."""
    setting = cfg.MODEL.COMPILE
    if setting == "off":
        return Compiling(False, "MODEL.COMPILE is off")
    if setting == "auto" and device.type != "cuda":
        return Compiling(False, "MODEL.COMPILE auto does so on a GPU only")
    if setting == "auto" and is_cut(cfg.TRAIN.PARALLEL):
        return Compiling(
            False, "MODEL.COMPILE auto leaves models as they are under TRAIN.PARALLEL fsdp: no GPU has shown a gain"
        )
    missing = _missing(device)
    if setting == "on" and missing:
        raise ValueError(f"MODEL.COMPILE is on, but {missing}; set MODEL.COMPILE auto to run without")
    if missing:
        return Compiling(False, missing)
    if _sizes_differ(cfg):
        return Compiling(False, "clips differ in size (DATA.RESIZE keep_aspect or DATA.MULTI_SCALE)")
    return Compiling(True, f"MODEL.COMPILE is {setting}; the first batches take longer, MODEL.COMPILE off avoids it")


def _sizes_differ(cfg: CfgNode) -> bool:
    return cfg.DATA.RESIZE == "keep_aspect" or bool(cfg.DATA.MULTI_SCALE)


def _missing(device: torch.device) -> str:
    """What torch.compile lacks on this machine; "" when nothing."""
    if TorchVersion(torch.__version__) < OLDEST_TORCH:  # type: ignore[operator]  # it compares with tuples
        return f"torch {torch.__version__} compiles the gradient of this attention wrongly (install torch 2.8 or newer)"
    if device.type != "cuda":
        found = os.environ.get("CXX") or any(map(shutil.which, ("g++", "clang++", "c++")))
        return "" if found else "no C++ compiler was found (install g++, or name one in CXX)"
    # On a GPU Triton makes the kernels, and builds a launcher for each in C.
    if importlib.util.find_spec("triton") is None:
        return "the package triton is not installed"
    if torch.cuda.get_device_capability(device) < (7, 0):
        return f"Triton needs a GPU of compute capability 7.0, and {torch.cuda.get_device_name(device)} has less"
    if not (os.environ.get("CC") or any(map(shutil.which, ("gcc", "clang", "cc")))):
        return "no C compiler was found for Triton (install gcc, or name one in CC)"
    scheme = sysconfig.get_default_scheme().replace("posix_local", "posix_prefix")  # as Triton looks for it
    header = Path(sysconfig.get_path("include", scheme), "Python.h")
    return "" if header.is_file() else f"Triton needs {header} (install the headers of this Python: python3-dev)"


def compile_in_place(
    cfg: CfgNode,
    model: nn.Module,
    device: torch.device,
    *,
    graphs: bool = False,
    compare: bool = True,
    leave_pixels_to: Callable[[nn.Module], None] | None = None,
) -> None:
    """Let calls of `model` run compiled code, if the run compiles. Names in its state dict stay as they are.

    graphs:  replay CUDA graphs, for testing only, where MODEL.KERNELS takes them. An output is overwritten by the next
             call, so copy it before.
    compare: compute the first batches as written, too; what differs is not used (`first_calls`)
    leave_pixels_to: told of the part that is compiled, whose first argument are the clips: of `Inputs`, which then leaves
             their normalisation to it
    """
    if not choose_compiling(cfg, device).on:
        return
    from torch._inductor import config  # only here: its import takes a second

    # Random numbers as the model as written draws them: a compiled run drops the same paths, and can be compared.
    config.fallback_random = True
    if any_cut(model):  # what gathers the weights runs between the blocks, as it is written
        blocks = blocks_of(model)
        # Blocks share the code that is compiled, and torch gives up after eight versions of it.
        limit = "recompile_limit" if hasattr(torch._dynamo.config, "recompile_limit") else "cache_size_limit"
        setattr(torch._dynamo.config, limit, max(getattr(torch._dynamo.config, limit), 2 * len(blocks)))
        for block in blocks:
            block.compile(dynamic=False)
        return
    # Shapes are static, and a model that takes boxes is given another number of them in every batch.
    part = model.get_submodule("backbone") if getattr(model, "takes_boxes", False) else model
    with hooks_inside():
        part.compile(dynamic=False, mode="reduce-overhead" if graphs and kernels.replays_graphs(device) else None)
    if leave_pixels_to is not None and _takes_hooks():
        leave_pixels_to(part)
    compiled = part._compiled_call_impl
    if compare and compiled is not None:
        part._compiled_call_impl = FirstCalls(part, compiled, required=cfg.MODEL.COMPILE == "on")


def hooks_inside() -> AbstractContextManager:
    """What is compiled in the block has the hooks of its module in its graph, where torch would run them before it."""
    return torch._dynamo.config.patch(wrap_top_frame=True) if _takes_hooks() else nullcontext()


def _takes_hooks() -> bool:
    return hasattr(torch._dynamo.config, "wrap_top_frame")


class FullBatches:
    """Keeps compilation to full batches: one with fewer clips runs code that exists, or else as it is written.

    The last batch of a test is smaller, and so is one with clips that cannot be read; compiling for its size would take
    longer than the batch. Of no effect on a model that is not compiled.
    """

    def __init__(self) -> None:
        self._most = 0

    def rule_for(self, clips: Tensor) -> AbstractContextManager:
        """The context to call the model in. clips (B, ...)."""
        self._most = max(self._most, len(clips))
        return nullcontext() if len(clips) == self._most else torch.compiler.set_stance("eager_on_recompile")
