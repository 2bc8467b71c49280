"""Runs the Triton kernels in Triton's interpreter, which reads TRITON_INTERPRET when it is imported: hence a process.

Prints as JSON, for every case, how far values and gradients are from F.conv3d in float64, relative to the largest value.
"""

import json

import torch
import torch.nn.functional as F

from slowfast.layers.kernels.depthwise import by_triton

# Small ones: a program of the interpreter takes as long as the arithmetic of thousands of values. Together they hold every
# kind of edge: strides less than the kernel, the same and more; several clips, frames, blocks of channels and of positions.
CASES = {  # name: (B, T, H, W), channels, kernel, stride; and (groups, channels of a head) where heads share kernels
    "toy": ((2, 2, 4, 5), 16, (3, 3, 3), (1, 1, 1)),
    "toy, stride 2": ((1, 2, 4, 6), 48, (3, 3, 3), (1, 2, 2)),
    "toy, stride 4": ((1, 2, 8, 8), 16, (3, 3, 3), (1, 4, 4)),
    "stride 8": ((1, 1, 16, 16), 16, (3, 3, 3), (1, 8, 8)),
    "stride 3": ((1, 3, 7, 8), 32, (3, 3, 3), (1, 3, 3)),
    "odd grid": ((1, 2, 5, 7), 12, (3, 3, 3), (1, 2, 2)),
    "strides that differ": ((1, 3, 4, 3), 8, (3, 3, 3), (1, 2, 1)),
    "kernel of one frame": ((2, 1, 5, 6), 8, (1, 3, 3), (1, 1, 1)),
    "kernel wider than the grid": ((1, 1, 3, 3), 16, (3, 5, 5), (1, 1, 1)),
    "more positions than a program has": ((1, 1, 9, 11), 2, (3, 3, 3), (1, 1, 1)),
    "even kernel": ((1, 2, 4, 4), 16, (1, 2, 2), (1, 1, 1)),
    "one channel": ((1, 1, 4, 4), 1, (3, 3, 3), (1, 1, 1)),
    "two heads": ((1, 1, 4, 5), 2 * 12, (3, 3, 3), (1, 1, 1), (1, 12)),
    "keys and values of two heads": ((1, 1, 4, 6), 4 * 64, (3, 3, 3), (1, 2, 2), (2, 64)),
    "keys and values of one head": ((1, 2, 4, 4), 2 * 16, (3, 3, 3), (1, 4, 4), (2, 16)),
}
WALKED = {  # cases where four programs at most walk through several frames, clips or steps, the last of them through fewer
    "frames and steps": ((1, 5, 6, 6), 4, (3, 3, 3), (1, 1, 2)),
    "clips": ((3, 2, 3, 4), 4, (3, 3, 3), (1, 1, 2)),
}
OF_ALL_TYPES = ("toy, stride 4", "keys and values of one head")  # each runs all three kernels
TYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def off(found: torch.Tensor, expected: torch.Tensor) -> float:
    if found.shape != expected.shape:
        return float("inf")
    return ((found.double() - expected).abs().max() / expected.abs().max()).item()


def behind_a_token(grid: torch.Tensor) -> torch.Tensor:
    """A copy of (B, T, H, W, C) as it lies in a sequence behind its class token."""
    sequence = torch.cat([grid.new_zeros(len(grid), 1, grid.shape[-1]), grid.flatten(1, 3)], dim=1)
    return sequence[:, 1:].unflatten(1, grid.shape[1:4])


def check(
    grid: tuple, channels: int, kernel: tuple, stride: tuple, shared: tuple[int, int] | None = None, *,
    dtype: torch.dtype, device: str = "cpu",
) -> dict[str, float]:  # fmt: skip
    torch.manual_seed(0)
    # As behind a class token: each clip is dense, but they do not touch.
    length = grid[1] * grid[2] * grid[3]
    x = torch.randn(grid[0], 1 + length, channels).to(device, dtype)[:, 1:].unflatten(1, grid[1:])
    weight = torch.randn(*(shared or (channels, 1)), *kernel).to(device, dtype)
    exact_x, exact_weight = x.double().requires_grad_(), weight.double().requires_grad_()
    of_channels = exact_weight
    if shared:  # what a layer did before: the kernels of a head, once for each head
        repeated = [one[:, None].repeat(channels // (shared[0] * shared[1]), 1, 1, 1, 1) for one in exact_weight]
        of_channels = torch.cat(repeated)
    padding = [size // 2 for size in kernel]
    exact = F.conv3d(exact_x.permute(0, 4, 1, 2, 3), of_channels, None, stride, padding, 1, channels)
    exact = exact.permute(0, 2, 3, 4, 1)
    grad = torch.randn(exact.shape).to(device, dtype)
    exact_of_x, exact_of_weight = torch.autograd.grad(exact, (exact_x, exact_weight), grad.double())
    out = by_triton.forward(x, weight, stride)
    of_x = by_triton.input_gradient(grad, x, weight, stride)
    of_weight = by_triton.weight_gradient(grad, x, weight, stride)
    results = (out, of_x, of_weight)
    if any(result.dtype != dtype or not result.is_contiguous() for result in results):
        return {"type or layout": float("inf")}
    return {
        "values": off(out, exact),
        "gradient of x": off(of_x, exact_of_x),
        "gradient of the weight": off(of_weight, exact_of_weight),
    }


def check_behind_a_token() -> dict[str, float]:
    """Results written into sequences with a class token, strided and not."""
    torch.manual_seed(0)
    found = {}
    for stride in ((1, 1, 1), (1, 2, 2)):
        x, weight = torch.randn(2, 2, 4, 6, 16), torch.randn(1, 8, 3, 3, 3)
        out = by_triton.forward(x, weight, stride)
        grad = torch.randn_like(out)
        of_x = by_triton.input_gradient(grad, x, weight, stride)
        there, of_x_there = behind_a_token(out * 0), behind_a_token(x * 0)
        by_triton.forward(x, weight, stride, out=there)
        by_triton.input_gradient(behind_a_token(grad), x, weight, stride, out=of_x_there)
        found[f"values, stride {stride[1]}"] = off(there, out.double())
        found[f"gradient of x, stride {stride[1]}"] = off(of_x_there, of_x.double())
    return found


def check_far_apart() -> dict[str, float]:
    """Clips that lie more than 2^31 elements apart: memory that is only reserved, but for the clips themselves."""
    torch.manual_seed(0)
    grid, channels, stride, far = (2, 4, 4), 8, (1, 2, 2), 2**31 + 64
    weight = torch.randn(channels, 1, 3, 3, 3)

    def apart(tensor: torch.Tensor) -> torch.Tensor:
        held = torch.empty(far + tensor[0].numel(), dtype=torch.float32)
        strides = (far, *tensor.stride()[1:])
        return held.as_strided(tensor.shape, strides).copy_(tensor)

    x = torch.randn(2, *grid, channels)
    out = by_triton.forward(x, weight, stride)
    grad = torch.randn_like(out)
    of_x = by_triton.input_gradient(grad, x, weight, stride)
    of_weight = by_triton.weight_gradient(grad, x, weight, stride)
    far_x, far_grad = apart(x), apart(grad)
    return {
        "values": off(by_triton.convolve_into(apart(out * 0), far_x, weight, stride), out.double()),
        "gradient of x": off(by_triton.spread_into(apart(x * 0), far_grad, weight, stride), of_x.double()),
        "gradient of the weight": off(by_triton.weight_gradient(far_grad, far_x, weight, stride), of_weight.double()),
    }


if __name__ == "__main__":
    found = {
        f"{name}, {type_name}": check(*case, dtype=dtype)
        for name, case in CASES.items()
        for type_name, dtype in TYPES.items()
        if type_name == "float32" or name in OF_ALL_TYPES
    }
    found["clips far apart, float32"] = check_far_apart()
    found["behind a class token, float32"] = check_behind_a_token()
    by_triton._PROGRAMS = 4
    found |= {f"few programs, {name}, float32": check(*case, dtype=torch.float32) for name, case in WALKED.items()}
    print(json.dumps(found))
