"""Steps of the optimiser, left out where the gradient is not finite, without waiting for a GPU to know that."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from slowfast.engine.record.epoch_report import EpochReport

MAX_SKIPPED_STEPS = 5
MAX_SKIPPED_STEPS_SCALED = 24  # in float16 a skipped step first halves the scale of the loss, from 65536 on


@dataclass(frozen=True)
class _Pending:
    """A step whose gradient nobody has looked at. finite: () bool on the host, there once `copied` is over."""

    finite: Tensor
    norm: Tensor
    copied: torch.cuda.Event | None
    on_skip: Callable[[EpochReport], None]


class Updates:
    """Moves the weights, unless the gradient is not finite: all processes see the same norm, so they agree.

    A fused optimiser is told so on the device: it then leaves weights and moments as they are. The host learns of it in
    the next step, when it has waited for the device anyway; the weights are still those of the step. Other optimisers,
    and those of a scaled loss (float16), wait for the norm.
    """

    def __init__(self, optimizer: torch.optim.Optimizer, scaler: torch.amp.GradScaler, report: EpochReport) -> None:
        self._optimizer, self._scaler, self._report = optimizer, scaler, report
        self._judges = bool(getattr(optimizer, "_step_supports_amp_scaling", False)) and not scaler.is_enabled()
        self._pending: _Pending | None = None

    def step(self, norm: Tensor, on_skip: Callable[[EpochReport], None]) -> None:
        """norm: of the whole gradient, () on its device. on_skip: called, on all processes, for a step that is left out.

        Raises FloatingPointError where too many are in a row, of this one or of the one before.
        """
        self.settle()
        finite = torch.isfinite(norm)
        if self._judges:
            self._judged_step(finite)
            copied = torch.cuda.Event() if norm.is_cuda else None
            host = finite.to("cpu", non_blocking=True)  # into page-locked memory
            if copied is not None:
                copied.record()
            self._pending = _Pending(host, norm, copied, on_skip)
        elif finite:
            self._scaler.step(self._optimizer)
            self._report.skipped_in_a_row = 0
        else:
            self._skipped(norm, on_skip)

    def settle(self) -> None:
        """Look at the last step, if nobody has. Before anything is saved, and at the end of an epoch."""
        pending, self._pending = self._pending, None
        if pending is None:
            return
        if pending.copied is not None:
            pending.copied.synchronize()
        if pending.finite:
            self._report.skipped_in_a_row = 0
        else:
            self._skipped(pending.norm, pending.on_skip)

    def _judged_step(self, finite: Tensor) -> None:
        """As `torch.amp.GradScaler` does it: what the optimiser finds in `found_inf` decides on the device."""
        optimizer = self._optimizer
        optimizer.grad_scale, optimizer.found_inf = None, (~finite).float()  # type: ignore[attr-defined]
        try:
            optimizer.step()
        finally:
            del optimizer.grad_scale, optimizer.found_inf  # type: ignore[attr-defined]

    def _skipped(self, norm: Tensor, on_skip: Callable[[EpochReport], None]) -> None:
        report = self._report
        report.skipped += 1
        report.skipped_in_a_row += 1
        on_skip(report)
        if report.skipped_in_a_row > (MAX_SKIPPED_STEPS_SCALED if self._scaler.is_enabled() else MAX_SKIPPED_STEPS):
            rates = ", ".join(f"{group['name']}: {group['lr']:.2e}" for group in self._optimizer.param_groups)
            raise FloatingPointError(
                f"the gradient was not finite in {report.skipped_in_a_row} steps in a row (norm {norm.item()}); clips of "
                f"the last one: {', '.join(report.last_skipped)}; learning rates {rates}. Lower SOLVER.BASE_LR or set "
                f"SOLVER.CLIP_GRAD_L2NORM{''.join(chr(10) + reason for reason in report.not_finite[-1:])}"
            )
