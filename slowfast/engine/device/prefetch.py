"""The clips of the next step on their way to the GPU while it computes the present one."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import nullcontext

import torch
from torch import Tensor

from slowfast.structures.clip import ClipBatch

Step = list[ClipBatch]


class Prefetch:
    """Iterates over steps (the batches of one optimiser step, or one batch of a test) with their tensors on `device`.

    On a GPU `copy_next` takes the next step from the loader and starts its copy, uint8 from page-locked memory, on a
    stream of its own. Call it when the kernels of the present step are queued and before the host waits for one of
    their results: the GPU then computes while the host waits for the loader, and copies while the host solves the
    assignment. Where it was not called, a step is copied when it is asked for.
    On the CPU nothing is copied and `copy_next` does nothing.
    """

    def __init__(self, steps: Iterable[Sequence[ClipBatch]], device: torch.device) -> None:
        self._steps, self._device = iter(steps), device
        self._stream = torch.cuda.Stream(device) if device.type == "cuda" else None
        self._ahead: Step | None = None  # the step that copy_next took; empty when the loader has no more

    def __iter__(self) -> Iterator[Step]:
        while step := self._take() if self._ahead is None else self._ahead:
            self._ahead = None
            self._hand_over(step)
            yield step

    def copy_next(self) -> None:
        if self._stream is not None and self._ahead is None:
            self._ahead = self._take()

    def _take(self) -> Step:
        """The next step of the loader, its copies queued; empty when there is none."""
        step = next(self._steps, ())
        with nullcontext() if self._stream is None else torch.cuda.stream(self._stream):
            return [batch.to(self._device, non_blocking=True) for batch in step]

    def _hand_over(self, step: Step) -> None:
        """The present stream waits for the copies; their memory is not used again before its kernels are done."""
        if self._stream is None:
            return
        present = torch.cuda.current_stream(self._device)
        present.wait_stream(self._stream)

        def keep(tensor: Tensor) -> Tensor:
            tensor.record_stream(present)
            return tensor

        for batch in step:
            batch.map(keep)
