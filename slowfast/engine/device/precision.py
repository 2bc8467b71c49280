"""In which precision a model computes: MODEL.PRECISION, for training and testing alike."""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import torch

AUTOCAST_TYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}
PRECISIONS = ("float32", *AUTOCAST_TYPES)
AUTO = "auto"
SETTINGS = (AUTO, *PRECISIONS)  # of MODEL.PRECISION
_HAS_BFLOAT16 = (8, 0)  # compute capability from which a GPU multiplies matrices in bfloat16, and in TF32


@dataclass(frozen=True)
class Precision:
    """name: "float32"; or "bf16", "fp16": matrix products in that type, matching, losses and boxes in float32."""

    name: str = "float32"

    def __post_init__(self) -> None:
        if self.name not in PRECISIONS:
            raise ValueError(f"precision must be one of {', '.join(PRECISIONS)}, got {self.name!r} (MODEL.PRECISION)")

    @property
    def autocasts(self) -> bool:
        return self.name in AUTOCAST_TYPES

    def autocast(self, device: torch.device) -> AbstractContextManager:
        """The context to call a model in."""
        return torch.autocast(device.type, AUTOCAST_TYPES.get(self.name, torch.bfloat16), enabled=self.autocasts)

    def scaler(self, device: torch.device) -> torch.amp.GradScaler:
        """Scales the loss so that gradients do not vanish in float16; does nothing in the other precisions."""
        return torch.amp.GradScaler(device.type, enabled=self.name == "fp16")


def choose_precision(setting: str, device: torch.device) -> Precision:
    """What MODEL.PRECISION comes to on a device: auto is bf16 on a GPU that has it, else float32.

    On a CPU it is float32 also where that has units for bfloat16: what they gain there was never measured.
    """
    if setting != AUTO:
        return Precision(setting)
    return Precision("bf16" if _multiplies_in_bfloat16(device) else "float32")


def take_tf32(precision: Precision, device: torch.device) -> str:
    """In float32 on a GPU: let this process multiply matrices and convolve in TF32. What is computed how, for the log.

    In bf16 and fp16 nothing is changed: what stays in float32 there, boxes and losses, is computed in full.
    """
    if precision.autocasts:
        slow = device.type == "cpu" and not (precision.name == "bf16" and has_bfloat16_units())
        return f"precision {precision.name}" + ", for which this CPU has no units" * slow
    if not _multiplies_in_bfloat16(device):
        if device.type == "cpu" and has_bfloat16_units():
            return "precision float32 (this CPU multiplies in bfloat16, too: MODEL.PRECISION bf16; never measured)"
        return "precision float32"
    torch.backends.cuda.matmul.allow_tf32 = True
    torch.backends.cudnn.allow_tf32 = True
    return "precision float32, with matrix products and convolutions in TF32 (NVIDIA_TF32_OVERRIDE=0 avoids it)"


def has_bfloat16_units(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """True where this CPU multiplies in bfloat16 (AVX512-BF16 or AMX), as Linux tells; False on other systems."""
    if not cpuinfo.is_file():
        return False
    lines = cpuinfo.read_text(errors="replace").splitlines()
    flags = next((line.partition(":")[2].split() for line in lines if line.startswith("flags")), [])
    return not {"avx512_bf16", "amx_bf16"}.isdisjoint(flags)


def _multiplies_in_bfloat16(device: torch.device) -> bool:
    return device.type == "cuda" and torch.cuda.get_device_capability(device) >= _HAS_BFLOAT16
