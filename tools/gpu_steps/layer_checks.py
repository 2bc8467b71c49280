"""Every depthwise convolution and every attention of a network by itself: numbers against float64, then times."""

import gc
from collections.abc import Callable, Mapping
from typing import Any

import torch
from bench.layer_calls import AttentionCall, record_calls
from bench.layers import Trial, attention_trials, difference, pooling_trials, query_trials
from bench.rows import Row, root_cause
from bench.timing import interleaved
from gpu_steps.profiling import kernels_of, short
from gpu_steps.report import Options, Report
from gpu_steps.setups import detector_setup, in_float64
from torch import Tensor
from torch.utils._pytree import tree_map_only

CLIPS = 4
# Of the largest value of a result or gradient: what rounding explains, with room. A wrong kernel is off by far more.
LIMITS = {torch.float32: 1e-4, torch.bfloat16: 0.03}
_LONG, _LONG_ENOUGH = 0.05, 0.01  # seconds from which one run is timed, and how long others are repeated


def depthwise(options: Options, report: Report) -> None:
    """By every way that tools/bench knows on this device."""
    device = torch.device(options.device)
    calls = record_calls(detector_setup(options, clips=1).cfg, device)[1]
    for call, blocks in sorted(calls.items(), key=lambda item: -item[0].channels * _volume(item[0].grid)):
        trials = pooling_trials(call, _clips(options), device)
        _check_and_time(f"depthwise {call}, {blocks} times", trials, options, report)


def attention(options: Options, report: Report) -> None:
    """The fused form, the widest first, because fused backward kernels have limits of width; names of its kernels."""
    device = torch.device(options.device)
    calls = record_calls(detector_setup(options, clips=1).cfg, device)[0]
    for call, blocks in sorted(calls.items(), key=lambda item: -_width(item[0])):
        trials = attention_trials(call, _clips(options), device)
        trials = {name: trials[name] for name in list(trials)[:2]}  # ours and plain: the others need a compiler
        title = f"attention {call}, {_width(call)} wide, {blocks} times"
        if not _check_and_time(title, trials, options, report):
            continue
        found = kernels_of(next(iter(trials.values())).both, device)[:4]
        names = [f"{short(one.name)} {one.seconds * 1e3:.2f} ms" for one in found]
        report.value(f"kernels of {title}", [one.name for one in found])
        report.row(Row("its longest kernels, forward + backward", "; ".join(names), "", ""))


def queries(options: Options, report: Report) -> None:
    """Pooled queries normed, with their biases beside them: products, as they run now, and the kernel that is off."""
    device = torch.device(options.device)
    calls = record_calls(detector_setup(options, clips=1).cfg, device)[0]
    for call, blocks in sorted(calls.items(), key=lambda item: -_width(item[0])):
        if trials := query_trials(call, _clips(options), device):
            _check_and_time(f"queries of {call}, {blocks} times", trials, options, report)


def _clips(options: Options) -> int:
    return 2 if options.tiny else CLIPS


def _volume(grid: tuple[int, int, int]) -> int:
    return grid[0] * grid[1] * grid[2]


def _width(call: AttentionCall) -> int:
    """Channels of queries and keys with the appended columns of the positions."""
    return call.channels + sum(size for size, used in zip(call.k_grid, call.axes, strict=True) if used)


def recast(trial: Trial, dtype: torch.dtype, direction: Tensor | None = None) -> Trial:
    """The same values in another type. direction: the gradient that comes in; without one, the trial's usual."""
    leaves = {id(leaf): leaf.detach().to(dtype).requires_grad_() for leaf in trial.leaves}
    args = tree_map_only(Tensor, lambda tensor: leaves[id(tensor)], trial.args)
    other = Trial(trial.way, args, trial.options, list(leaves.values()))
    if direction is not None:
        other.direction = direction.to(dtype)
    return other


def _check_and_time(title: str, trials: Mapping[str, Trial], options: Options, report: Report) -> bool:
    """Note a row, and a fault for each way that is wrong or raises. False where the first of them, ours, is one."""
    device = torch.device(options.device)
    first = next(iter(trials.values()))
    definition = recast(trials.get("plain", first), torch.float64)
    with in_float64():
        direction = definition.direction.to(first.leaves[0].dtype)  # numbers that every type below has
        definition.direction = direction.double()
        exact = definition.both()
    types = (torch.float32, torch.bfloat16) if device.type == "cuda" else (torch.float32,)
    found: dict[str, dict[str, Any]] = {}
    for name, trial in trials.items():
        found[name] = {}
        try:
            for dtype in types:
                found[name][str(dtype).removeprefix("torch.")] = _checked(recast(trial, dtype, direction), exact)
            found[name]["ms"] = [1e3 * _seconds(run, device) for run in (trial.forward, trial.both)]
        except Exception as error:  # a kernel that refuses is a result; the other shapes go on
            found[name]["error"] = root_cause(error)
    _note(title, found, report)
    del exact, definition, first
    gc.collect()
    return "error" not in found[next(iter(found))]


def _checked(trial: Trial, exact: list[Tensor]) -> float:
    """How far forward pass and gradients are off, relative to the largest value of each."""
    with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        results = trial.both()
    if not all(bool(torch.isfinite(one).all()) for one in results):
        return float("inf")
    return difference(results, exact)


def _seconds(run: Callable[[], object], device: torch.device) -> float:
    """Of one run: a long one is timed once, a short one often enough for the clock."""
    once = interleaved({"": run}, repeats=1, device=device)[""].median
    if once > _LONG:
        return once
    loops = max(1, round(_LONG_ENOUGH / once))

    def repeat() -> None:
        for _ in range(loops):
            run()

    return interleaved({"": repeat}, repeats=2, device=device)[""].median / loops


def _note(title: str, found: dict[str, dict[str, Any]], report: Report) -> None:
    report.value(title, found)
    for name, one in found.items():
        if "error" in one:
            report.fault(f"{title}, {name}: {one['error']}")
        for dtype, limit in LIMITS.items():
            off = one.get(str(dtype).removeprefix("torch."), 0.0)
            if not off <= limit:
                report.fault(f"{title}, {name}: in {dtype} off by {off:.1e} of the largest value; limit {limit:g}")
    ours = next(iter(found.values()))
    timed = [(one["ms"][1], name) for name, one in list(found.items())[1:] if "ms" in one]
    against, ratio = "", ""
    if timed and "ms" in ours:
        best, name = min(timed)
        against, ratio = f"{name} {found[name]['ms'][0]:.3f} / {best:.3f} ms", f"{best / ours['ms'][1]:.2f}x"
    errors = [f"{kind} off {off:.0e}" for kind, off in ours.items() if kind not in ("ms", "error")]
    times = f"{ours['ms'][0]:.3f} / {ours['ms'][1]:.3f} ms" if "ms" in ours else ours.get("error", "")
    report.row(Row(title, ", ".join([times, *errors]), against, ratio))
