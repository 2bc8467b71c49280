"""Runs the Triton kernel of the queries in Triton's interpreter, which reads TRITON_INTERPRET when it is imported: a process.

Prints as JSON, for every case, how far the result is from its definition in float64, relative to the largest value.
"""

import json

import torch

from slowfast.layers.kernels.queries import defined

CASES = {  # name: (B, T, H, W), heads, channels, keys along (t, h, w), class token
    "toy": ((2, 2, 4, 5), 2, 16, (2, 4, 3), True),
    "without class token": ((2, 2, 3, 5), 2, 16, (2, 4, 3), False),
    "heads of 96": ((1, 1, 2, 3), 2, 96, (8, 16, 16), True),
    "a row in two parts": ((1, 1, 2, 40), 1, 24, (1, 2, 20), True),
}


def make(grid, heads: int, channels: int, keys, class_token: bool, dtype: torch.dtype, device: str = "cpu") -> tuple:
    """Arguments of `queries_triton.append`."""
    torch.manual_seed(0)
    tokens = torch.randn(grid[0], class_token + grid[1] * grid[2] * grid[3], heads * channels).to(device, dtype)
    x = tokens[:, int(class_token) :].reshape(*grid, heads, channels) * 3 + 1
    first = tokens[:, 0].unflatten(1, (heads, channels)) if class_token else None
    weight, bias = torch.randn(2, channels, device=device)
    rows = tuple(torch.randn(q, k, channels).to(device, dtype) for q, k in zip(grid[1:], keys, strict=True))
    width = -(-(channels + sum(keys)) // 8) * 8
    return x, first, weight, bias, 1e-6, rows, width


def check(*case, dtype: torch.dtype, device: str = "cpu") -> float:
    from slowfast.layers.kernels import queries_triton

    x, first, weight, bias, eps, rows, width = arguments = make(*case, dtype, device)
    found = queries_triton.append(*arguments)
    wide = [None if tensor is None else tensor.double() for tensor in (x, first, weight, bias)]
    exact = defined(*wide, eps, tuple(table.double() for table in rows), width)
    if found.dtype != dtype or found.shape != exact.shape or not found.is_contiguous():
        return float("inf")
    return ((found.double() - exact).abs().max() / exact.abs().max()).item()


if __name__ == "__main__":
    types = {"float32": torch.float32, "bfloat16": torch.bfloat16}
    print(json.dumps({f"{n}, {t}": check(*case, dtype=types[t]) for n, case in CASES.items() for t in types}))
