"""The layers of a config one by one: ways to compute its attentions and its poolings, equal numbers first."""

import gc
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import NamedTuple, cast

import torch
import torch.nn.functional as F
from bench.layer_calls import AttentionCall, PoolingCall, record_calls
from bench.rows import Row, root_cause
from bench.timing import interleaved
from fvcore.common.config import CfgNode
from torch import Tensor, nn
from torch.utils._pytree import tree_map_only

from slowfast.layers.attention import attend_plain, spread_biases
from slowfast.layers.kernels import depthwise_conv, queries
from slowfast.layers.kernels.attention import attend_fused
from slowfast.layers.kernels.depthwise import by_torch
from slowfast.layers.rel_pos import axis_biases
from slowfast.layers.token_grid import split_class_token

Way = Callable[..., Tensor]
_LONG_ENOUGH = 0.02  # seconds
FORWARD_ONLY, BOTH = "forward", "forward + backward"
# Of the largest value: float32 rounding on a CPU; on a GPU, what inputs and results in bfloat16 explain.
AGREEMENT = {"cpu": 1e-5, "cuda": 0.05}


def masked(q: Tensor, k: Tensor, v: Tensor, tables, *, q_grid, k_grid, class_token) -> Tensor:
    """The bias of every query and key made first and given to PyTorch's attention as its mask."""
    _, on_grid = split_class_token(q, class_token)
    bias = spread_biases(axis_biases(on_grid, tables, q_grid, k_grid), tables, k_grid)
    return F.scaled_dot_product_attention(q, k, v, attn_mask=F.pad(bias, (1, 0, 1, 0)) if class_token else bias)


@torch.compile(dynamic=False, fullgraph=True)
def _flex_kernel(q: Tensor, k: Tensor, v: Tensor, biases: list[Tensor], axes: list[int], k_grid, first: int) -> Tensor:
    """biases: (B, N, Q, k_axis) of every query along every axis in `axes`; first: of the keys, those without position."""
    from torch.nn.attention.flex_attention import flex_attention

    def add_bias(score, clip, head, query, key):
        place = key - first
        at = (place // (k_grid[1] * k_grid[2]), place // k_grid[2] % k_grid[1], place % k_grid[2])
        for axis, bias in zip(axes, biases, strict=True):
            part = bias[clip, head, query, at[axis].clamp(min=0)]
            score = score + (torch.where(place >= 0, part, 0.0) if first else part)
        return score

    return flex_attention(q, k, v, score_mod=add_bias)


def flexed(q: Tensor, k: Tensor, v: Tensor, tables, *, q_grid, k_grid, class_token) -> Tensor:
    """FlexAttention, which adds the bias of each query and key inside its kernel."""
    _, on_grid = split_class_token(q, class_token)
    axes = [axis for axis, table in enumerate(tables) if table is not None]
    # Made outside the compiled part: inductor's CPU template (2.15) takes only buffers that come from outside.
    biases = [F.pad(bias, (0, 0, int(class_token), 0)) for bias in axis_biases(on_grid, tables, q_grid, k_grid)]
    return _flex_kernel(q, k, v, biases, axes, k_grid, int(class_token))


class Trial:
    """One way to compute a layer on fixed tensors: forward, or forward and backward of all `leaves`."""

    def __init__(self, way: Way, args: tuple, options: dict, leaves: list[Tensor]) -> None:
        self.way, self.args, self.options, self.leaves = way, args, options, leaves
        # FlexAttention refuses inputs on a CPU that want a gradient, even where none is kept.
        self.constants = tree_map_only(Tensor, Tensor.detach, args)

    @torch.no_grad()
    def forward(self) -> Tensor:
        return self.way(*self.constants, **self.options)

    def both(self) -> list[Tensor]:
        out = self.way(*self.args, **self.options)
        return [out.detach(), *torch.autograd.grad(out, self.leaves, self.direction)]

    @cached_property
    def direction(self) -> Tensor:
        """The gradient that comes in: the same random numbers for every way."""
        out = self.forward()
        return torch.randn(out.shape, generator=torch.Generator().manual_seed(0)).to(out.device, out.dtype)


def difference(found: list[Tensor], expected: list[Tensor]) -> float:
    """The worst deviation of a value or a gradient, relative to the largest of its tensor."""
    worst = 0.0
    largest = max(one.abs().max().item() for one in expected)
    for a, b in zip(found, expected, strict=True):
        size = b.abs().max().item()
        # A gradient that is zero but for rounding (what all keys share cancels) is compared with the largest one.
        size = size if size > 1e-4 * largest else largest
        worst = max(worst, (a.float() - b.float()).abs().max().item() / size)
    return worst


def compare(title: str, trials: Mapping[str, Trial], *, repeats: int, device: torch.device) -> list[Row]:
    """Print the times of all ways; the first is ours, the second the definition, with which the others must agree."""
    ours, definition = list(trials)[:2]
    cases, notes = {}, {}
    for part, method in ((FORWARD_ONLY, "forward"), (BOTH, "both")):
        exact = getattr(trials[definition], method)()
        for name, trial in trials.items():
            run = getattr(trial, method)
            try:
                result = run()
            except Exception as error:  # whatever a compiler comes up with: it is printed in place of a number
                notes[name, part] = root_cause(error)
                continue
            pair = (result, exact) if method == "both" else ([result], [exact])
            off = difference(*pair)
            if off <= AGREEMENT[device.type]:
                cases[name, part] = run
            else:
                notes[name, part] = f"not timed: off by {off:.1e} of the largest value"
    loops = {case: _loops(run, device) for case, run in cases.items()}
    timings = interleaved(
        {case: _looped(run, loops[case]) for case, run in cases.items()}, repeats=repeats, device=device
    )
    seconds = {case: _seconds(timing, device) / loops[case] for case, timing in timings.items()}
    print(title)
    rows = []
    for name in trials:
        shown = []
        for part in (FORWARD_ONLY, BOTH):
            if (name, part) in notes:
                shown.append(notes[name, part])
                continue
            shown.append(f"{seconds[name, part] * 1e3:.2f} ms")
            if (ours, part) in seconds:
                shown[-1] += f" ({seconds[ours, part] / seconds[name, part]:.2f}x of ours)"
        print(f"  {name:<26}{FORWARD_ONLY} {shown[0]:<28}{BOTH} {shown[1]}", flush=True)
        rows.append(Row(f"{title}: {name}", shown[0], "", shown[1]))
    return rows


def _loops(run: Callable[[], object], device: torch.device) -> int:
    """Runs in a row that take long enough for the clock and begin with data where the last run left it."""
    once = interleaved({"": run}, repeats=1, device=device)[""].median
    return max(1, round(_LONG_ENOUGH / once))


def _looped(run: Callable[[], object], loops: int) -> Callable[[], None]:
    def repeat() -> None:
        for _ in range(loops):
            run()

    return repeat


def _seconds(timing, device: torch.device) -> float:
    return timing.median if device.type == "cuda" else timing.cpu_median


def _dtype(device: torch.device) -> torch.dtype:
    return torch.bfloat16 if device.type == "cuda" else torch.float32


def attention_trials(call: AttentionCall, clips: int, device: torch.device) -> dict[str, Trial]:
    """Every way to compute one attention, on the same random tensors."""
    torch.manual_seed(0)

    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, device=device, dtype=_dtype(device)).requires_grad_()

    queries, keys = call.lengths
    q, k, v = (draw(clips, call.heads, length, call.channels) for length in (queries, keys, keys))
    sizes = (2 * max(q_size, k_size) - 1 for q_size, k_size in zip(call.q_grid, call.k_grid, strict=True))
    tables = tuple(draw(rows, call.channels) if used else None for rows, used in zip(sizes, call.axes, strict=True))
    with torch.no_grad():
        for table in tables:
            if table is not None:
                table.mul_(0.2)  # so that no single key takes the whole softmax
    leaves = [q, k, v, *(table for table in tables if table is not None)]
    options = {"q_grid": call.q_grid, "k_grid": call.k_grid, "class_token": call.class_token}
    ways: dict[str, Way] = {"ours, in the product": attend_fused, "plain": attend_plain}
    if any(call.axes):
        ways |= {"mask given to PyTorch": masked, "FlexAttention, compiled": flexed}
    return {name: Trial(way, (q, k, v, tables), options, leaves) for name, way in ways.items()}


class _Norm(NamedTuple):
    """A layer norm whose weights are operands; statistics in float32 at least, as in `layers.norm`."""

    weight: Tensor
    bias: Tensor
    eps: float = 1e-6

    def __call__(self, x: Tensor) -> Tensor:
        wide = torch.promote_types(x.dtype, torch.float32)
        return F.layer_norm(x.to(wide), x.shape[-1:], self.weight.to(wide), self.bias.to(wide), self.eps).to(x.dtype)


def _by_products(x: Tensor, first: Tensor | None, weight: Tensor, bias: Tensor, *rows: Tensor, width: int) -> Tensor:
    return queries.append_by_products(
        x, first, cast(nn.LayerNorm, _Norm(weight, bias)), (rows[0], rows[1], rows[2]), width
    )


def _by_one_kernel(x: Tensor, first: Tensor | None, weight: Tensor, bias: Tensor, *rows: Tensor, width: int) -> Tensor:
    return queries.append_biases_op(x, first, weight, bias, _Norm(weight, bias).eps, *rows, width)


def _by_definition(x: Tensor, first: Tensor | None, weight: Tensor, bias: Tensor, *rows: Tensor, width: int) -> Tensor:
    return queries.defined(x, first, weight, bias, _Norm(weight, bias).eps, (rows[0], rows[1], rows[2]), width)


def query_trials(call: AttentionCall, clips: int, device: torch.device) -> dict[str, Trial]:
    """Every way to norm the pooled queries of an attention and lay their biases beside them; none without three axes."""
    if not all(call.axes):
        return {}
    torch.manual_seed(0)

    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, device=device, dtype=_dtype(device)).requires_grad_()

    x = draw(clips, *call.q_grid, call.heads, call.channels)
    first = draw(clips, call.heads, call.channels) if call.class_token else None
    weights = [torch.randn(call.channels, device=device).requires_grad_() for _ in range(2)]
    rows = [draw(q_size, k_size, call.channels) for q_size, k_size in zip(call.q_grid, call.k_grid, strict=True)]
    args = (x, first, *weights, *rows)
    options = {"width": -(-(call.channels + sum(call.k_grid)) // 8) * 8}
    leaves = [one for one in args if one is not None]
    ways: dict[str, Way] = {"matrix products": _by_products, "one kernel": _by_one_kernel, "plain": _by_definition}
    return {name: Trial(way, args, options, leaves) for name, way in ways.items()}


class _InLayout(torch.autograd.Function):
    """PyTorch's convolution and its gradients with x in that layout in memory."""

    @staticmethod
    def forward(ctx, x: Tensor, weight: Tensor, stride, layout: torch.memory_format) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.stride, ctx.layout = stride, layout
        return by_torch.forward(x, weight, stride, layout)

    @staticmethod
    def backward(ctx, grad: Tensor):
        args = (grad, *ctx.saved_tensors, ctx.stride, ctx.layout)
        return by_torch.input_gradient(*args), by_torch.weight_gradient(*args), None, None


def pooling_trials(call: PoolingCall, clips: int, device: torch.device) -> dict[str, Trial]:
    """Every way to compute one depthwise convolution, on the same random tensors."""
    torch.manual_seed(0)
    length = call.grid[0] * call.grid[1] * call.grid[2] + call.class_token
    sequence = torch.randn(clips, length, call.channels, device=device, dtype=_dtype(device))
    x = sequence[:, int(call.class_token) :].unflatten(1, call.grid).requires_grad_()
    weight = (torch.randn(*call.shared, *call.kernel, device=device) / 5).to(_dtype(device)).requires_grad_()
    ways: dict[str, Way] = {"ours": depthwise_conv}
    for name, layout in by_torch.LAYOUTS.items():
        ways[f"PyTorch, {name}"] = lambda x, weight, stride, layout=layout: _InLayout.apply(x, weight, stride, layout)
    return {name: Trial(way, (x, weight, call.stride), {}, [x, weight]) for name, way in ways.items()}


def attention(cfg: CfgNode, *, clips: int, repeats: int, device: torch.device) -> list[Row]:
    """Print the times of every way to compute every distinct attention of a config."""
    return _all(record_calls(cfg, device)[0], attention_trials, clips, repeats, device)


def pooling(cfg: CfgNode, *, clips: int, repeats: int, device: torch.device) -> list[Row]:
    """Print the times of every way to compute every distinct depthwise convolution of a config."""
    return _all(record_calls(cfg, device)[1], pooling_trials, clips, repeats, device)


def _all(calls: Mapping, make: Callable, clips: int, repeats: int, device: torch.device) -> list[Row]:
    rows = []
    for call, blocks in calls.items():
        torch.compiler.reset()  # one function is compiled for a few shapes only, and here each shape is a new one
        trials = make(call, clips, device)
        rows += compare(f"{blocks} x {call}", trials, repeats=repeats, device=device)
        del trials
        gc.collect()
    return rows
