"""Of several ways to compute the same thing, the one that was fastest on the tensors at hand."""

from collections.abc import Callable, Hashable, Mapping
from functools import partial
from typing import Protocol

import torch
from torch import Tensor

from slowfast.utils.logging import get_logger

_ROUNDS = 3  # a candidate counts with the best of them
_HOPELESS = 3  # times as slow as the fastest so far: not measured again
# Of the largest value. Far above the rounding of bfloat16 or TF32, far below what a wrong kernel gives.
_AGREEMENT = 0.02

Candidate = Callable[..., Tensor]


class Clock(Protocol):
    """What tells the time of kernels on one type of device."""

    device_type: str

    def may_run(self) -> bool:
        """False while timing is impossible: a graph of kernels is being recorded, say."""

    def milliseconds(self, run: Callable[[], object]) -> float:
        """The time of one `run()`."""


class CudaClock:
    """CUDA events around a few launches in a row."""

    device_type = "cuda"
    _LAUNCHES = 5
    # Cycles that the GPU sleeps first, about a millisecond: the launches queue up meanwhile, or short kernels would wait
    # for the host and its time would be measured.
    _HEAD_START = 2_000_000

    def may_run(self) -> bool:
        return not torch.cuda.is_current_stream_capturing()

    def milliseconds(self, run: Callable[[], object]) -> float:
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        torch.cuda._sleep(self._HEAD_START)
        start.record()
        for _ in range(self._LAUNCHES):
            run()
        end.record()
        end.synchronize()
        return start.elapsed_time(end) / self._LAUNCHES


class Fastest:
    """Calls the fastest of `candidates`, measured on the first call for each shape, layout and type of the arguments.

    The first candidate is the definition: the others must agree with it, and it is taken where nothing is measured: on
    devices without this clock, for a batch of no clips, and with torch.use_deterministic_algorithms, since a choice by
    time may fall differently in the next run. Two processes of one training may choose differently, too: their results
    then differ by rounding, as they do between kernels, and the gradients that they average stay the same on all of them.

    A candidate that raises, or that disagrees, is named in a warning and not used again in this process. Running out of
    memory is nobody's fault and passes through.
    """

    def __init__(self, what: str, candidates: Mapping[str, Candidate], *, clock: Clock | None = None) -> None:
        self.what, self.candidates, self.clock = what, dict(candidates), clock or CudaClock()
        self.chosen: dict[Hashable, Candidate] = {}

    def __call__(self, *args: object) -> Tensor:
        default = next(iter(self.candidates.values()))
        tensors = [arg for arg in args if isinstance(arg, Tensor)]
        device, nothing_to_do = tensors[0].device, any(tensor.numel() == 0 for tensor in tensors)
        if device.type != self.clock.device_type or nothing_to_do or torch.are_deterministic_algorithms_enabled():
            return default(*args)
        key = (device, *(_describe(arg) for arg in args))
        if key not in self.chosen:
            if not self.clock.may_run():
                get_logger().warning(
                    "%s: %s was not met before the recording of a CUDA graph, so the graph holds the default; run the "
                    "model once on clips of this shape before recording it",
                    self.what,
                    _shapes(args),
                )
                return default(*args)
            found = self._measure(args)
            if found is None:
                return default(*args)
            self.chosen[key] = self.candidates[found]
        return self.chosen[key](*args)

    def _measure(self, args: tuple[object, ...]) -> str | None:
        """Name of the fastest candidate; None when numbers that are not finite leave nothing to compare."""
        names, expected = [], None
        for name in tuple(self.candidates):
            result = self._try(name, args)
            if result is None:
                continue
            if expected is None:
                expected = result
                if not torch.isfinite(expected).all():
                    return None
            elif (why := _difference(result, expected)) is not None:
                self._strike_off(name, why)
                continue
            names.append(name)
        best = dict.fromkeys(names, float("inf"))
        for _ in range(_ROUNDS):
            hopeless = _HOPELESS * min(best.values())
            for name in [name for name in names if best[name] <= hopeless]:
                run = self.candidates[name]
                best[name] = min(best[name], self.clock.milliseconds(partial(run, *args)))
        fastest = min(best, key=best.__getitem__)
        times = ", ".join(f"{name} {time:.3f} ms" for name, time in best.items())
        get_logger().info("%s, %s: %s (%s)", self.what, _shapes(args), fastest, times)
        return fastest

    def _try(self, name: str, args: tuple[object, ...]) -> Tensor | None:
        """The result of a candidate, or None when it raised; the error of the last one left is raised."""
        try:
            result = self.candidates[name](*args)
            self.clock.milliseconds(lambda: None)  # waits for the device, so that its errors show here
            return result
        except torch.OutOfMemoryError:
            raise
        except Exception as error:  # whatever a compiler or a driver comes up with
            if len(self.candidates) == 1:
                raise
            self._strike_off(name, f"{type(error).__name__}: {error}")
            return None

    def _strike_off(self, name: str, why: str) -> None:
        gone = self.candidates.pop(name)
        self.chosen = {key: candidate for key, candidate in self.chosen.items() if candidate is not gone}
        get_logger().warning("%s: %s is not used: %s", self.what, name, why)


def _difference(found: Tensor, expected: Tensor) -> str | None:
    if found.shape != expected.shape:
        return f"its shape is {tuple(found.shape)}, expected {tuple(expected.shape)}"
    worst, largest = (found - expected).abs().max().item(), expected.abs().max().item()
    if worst <= _AGREEMENT * largest:
        return None
    return f"it is off by {worst:.3g} where the largest value is {largest:.3g}"


def _describe(arg: object) -> Hashable:
    return (arg.dtype, tuple(arg.shape), arg.stride()) if isinstance(arg, Tensor) else arg


def _shapes(args: tuple[object, ...]) -> str:
    shown = (
        f"{'x'.join(map(str, arg.shape))} {str(arg.dtype).removeprefix('torch.')}" if isinstance(arg, Tensor) else arg
        for arg in args
    )
    return " | ".join(map(str, shown))
