"""Model FLOP utilisation: how much of the device's matrix rate a model's own multiply-adds make use of."""

from collections.abc import Callable

import torch
from bench.timing import Timing

from slowfast.layers.kernels import linear

MATRIX = "matrix product"
TRAINING_PASSES = 3  # forward, and twice as much for the gradients of inputs and of weights
_PRODUCTS = 10  # in a row, so that a GPU is never waiting for the next


class MatrixProduct:
    """Large square matrix products by the kernel that the layers choose there.

    dtype: without one bfloat16 on a GPU and float32 on a CPU
    """

    def __init__(self, device: torch.device, dtype: torch.dtype | None = None) -> None:
        self.size, usual = (8192, torch.bfloat16) if device.type == "cuda" else (1024, torch.float32)
        shape = (self.size, self.size)
        self.left, self.right = (torch.randn(shape, device=device, dtype=dtype or usual) for _ in range(2))
        self.flops = 2 * self.size**3 * _PRODUCTS

    @torch.no_grad()
    def __call__(self) -> None:
        for _ in range(_PRODUCTS):
            linear(self.left, self.right, None)


def with_matrix_product(cases: dict[str, Callable], device: torch.device) -> dict[str, Callable]:
    """The cases and a matrix product, to be timed in the same run."""
    return {**cases, MATRIX: MatrixProduct(device)}


def utilisation(flops: float, seconds: float, rate: float) -> float:
    """flops / seconds as a share of `rate`, in operations a second."""
    return flops / seconds / rate


def print_utilisation(
    timings: dict[str, Timing], *, gmacs: float, clips: int, passes: int, device: torch.device
) -> dict[str, float]:
    """Print and return the share of each case; `gmacs` of one clip's forward pass, a multiply-add being two operations.

    From wall time on a GPU. On a CPU from CPU time, of all threads on both sides, which a busy machine hardly changes.
    """

    def seconds(name: str) -> float:
        return timings[name].median if device.type == "cuda" else timings[name].cpu_median

    flops = 2e9 * gmacs * clips * passes
    rate = MatrixProduct(device).flops / seconds(MATRIX)
    shares = {name: utilisation(flops, seconds(name), rate) for name in timings if name != MATRIX}
    kind = "bfloat16" if device.type == "cuda" else "float32, a CPU second"
    print(f"matrix rate {rate / 1e12:.3f} TFLOP/s ({kind}); a clip takes {2 * gmacs * passes:.0f} GFLOP")
    for name, share in shares.items():
        print(f"model FLOP utilisation {name:<24}{share:>7.1%}")
    return shares
