"""In which precision a model computes: MODEL.PRECISION, for training and testing alike."""

from contextlib import AbstractContextManager
from dataclasses import dataclass

import torch

AUTOCAST_TYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}
PRECISIONS = ("float32", *AUTOCAST_TYPES)


@dataclass(frozen=True)
class Precision:
    """name: "float32"; or "bf16", "fp16": matrix products in that type, matching, losses and boxes in float32."""

    name: str = "float32"

    def __post_init__(self) -> None:
        if self.name not in PRECISIONS:
            raise ValueError(f"precision must be one of {', '.join(PRECISIONS)}, got {self.name!r} (MODEL.PRECISION)")

    def autocast(self, device: torch.device) -> AbstractContextManager:
        """The context to call a model in."""
        return torch.autocast(
            device.type, AUTOCAST_TYPES.get(self.name, torch.bfloat16), enabled=self.name in AUTOCAST_TYPES
        )

    def scaler(self, device: torch.device) -> torch.amp.GradScaler:
        """Scales the loss so that gradients do not vanish in float16; does nothing in the other precisions."""
        return torch.amp.GradScaler(device.type, enabled=self.name == "fp16")
