"""Weights of any file we know into a model, completely or not at all."""

import re
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from slowfast.utils.processes.shards import load_whole
from slowfast.utils.reading import reading
from slowfast.weights.entries import AVERAGE
from slowfast.weights.file import WeightFile, read_weight_file
from slowfast.weights.grids import GRID_KEY, source_grid
from slowfast.weights.names import UNKNOWN, reason, recognise, rename, strip_wrappers
from slowfast.weights.report import LoadReport
from slowfast.weights.shapes import (
    AS_IT_IS,
    fit,
    interpolate_note,
    join_separate_positions,
    match_projections,
    split_joint_position,
)

__all__ = ["LoadReport", "load_weights"]
_BACKBONE = "backbone."
_DETECTOR_HEADS = re.compile(r"^(heads|aux_heads\.\d+|aux_norms\.\d+)\.")
# The layers whose first size is the number of classes.
_CLASS_LAYER = re.compile(r"^(head\.projection|(aux_)?heads\.(\d+\.)?action\.\d+)\.(weight|bias)$")


def load_weights(
    model: nn.Module,
    path: str | Path,
    *,
    head_reinit: bool = False,
    class_names: Sequence[str] | None = None,
    prefer: str = AVERAGE,
    grid: Sequence[int] | None = None,
) -> LoadReport:
    """Load a file of this project, PySlowFast, torchvision, mmaction2, facebookresearch/mvit or VideoMAE into `model`.

    VideoMAE's under its own names or Hugging Face's; any of them from a Lightning module, DataParallel or AveragedModel.

    head_reinit: a classifier with other classes starts afresh instead of being an error (MODEL.HEAD_REINIT)
    class_names: of the model, in index order; checked against those of the file where both are known
    prefer:      which of several sets of weights in the file (MODEL.CHECKPOINT_ENTRY): "average", "raw", or an entry's name
    grid:        (T, H, W) token grid of the file's absolute positions (MODEL.CHECKPOINT_GRID); None: the file's own config
                 tells, or only one grid fits

    Raises ValueError with the whole table when a parameter is missing, unexpected, of a wrong size or not finite; the
    model is then as it was. Raises FileNotFoundError or ValueError when the file cannot be read (see read_weight_file).
    """
    model = getattr(model, "module", model) if isinstance(model, nn.parallel.DistributedDataParallel) else model
    file = read_weight_file(path, prefer=prefer)
    with reading(path):
        plan = _Plan(model, file, head_reinit=head_reinit, class_names=class_names, grid=grid)
    report = plan.report(str(path))
    if not report.complete:
        raise ValueError(f"{path} does not fit the model; nothing was loaded.\n{report}{plan.advice()}")
    load_whole(model, plan.state)
    return report


class _Plan:
    """Decides for every parameter of the file and of the model what becomes of it; changes nothing."""

    def __init__(
        self,
        model: nn.Module,
        file: WeightFile,
        *,
        head_reinit: bool,
        class_names: Sequence[str] | None,
        grid: Sequence[int] | None,
    ) -> None:
        self.file, self.head_reinit, self.told_grid = file, head_reinit, grid
        self.target: dict[str, Tensor] = dict(model.state_dict())
        self.grid = getattr(getattr(getattr(model, "backbone", model), "position", None), "grid", None)
        self.wanted = {name.removeprefix(_BACKBONE): name for name in self.target}
        self.other_classes = bool(class_names and file.class_names and tuple(class_names) != file.class_names)
        self.class_names = class_names
        self.renamed: dict[str, str] = {}
        self.resized: dict[str, str] = {}
        self.dropped: dict[str, str] = {}
        self.started: dict[str, str] = {}
        self.unexpected: list[str] = []
        self.mismatched: dict[str, str] = {}
        self.not_finite: dict[str, str] = {}
        self.state: dict[str, Tensor] = {}
        self.loaded: list[str] = []

        stripped, beside = strip_wrappers(list(file.state), lightning=file.lightning)
        self.dropped |= beside
        self.naming = recognise(list(stripped.values()))
        source = self._rename(stripped)
        for name, tensor in source.items():
            self._place(name, tensor)
        missing = [name for name in self.target if name not in self.state and name not in self.mismatched]
        self.missing = [name for name in missing if not self._start(name)]

    def _rename(self, stripped: dict[str, str]) -> dict[str, Tensor]:
        """The file's parameters under our names; notes what is renamed and what is dropped."""
        source, origin = {}, {}
        for original, name in stripped.items():
            ours = rename(name, self.naming)
            if (why := reason(name, self.naming.drops)) and ours not in self.wanted:
                self.dropped[original] = why
                continue
            if ours in source:  # two names of the file mean one parameter of ours
                self.unexpected.append(original)
                continue
            source[ours], origin[ours] = self.file.state[original], original
        kernel, wanted = source.get("patch_embed.proj.weight"), self.wanted.get("patch_embed.proj.weight")
        self.is_image = kernel is not None and kernel.ndim == 4
        self.to_image = not self.is_image and wanted is not None and self.target[wanted].ndim == 4
        self.class_token = "cls_token" in source
        source, made = match_projections(source, set(self.wanted))
        source, split = split_joint_position(source, set(self.wanted), class_token=self.class_token)
        if self.to_image:
            names = {ours: self.target[name] for ours, name in self.wanted.items()}
            source, joined = join_separate_positions(source, names, class_token=self.class_token)
            split |= joined
        origin |= {name: origin.get(before, before) for name, before in (made | split).items()}
        for ours in source:
            if ours in self.wanted and stripped.get(origin[ours], origin[ours]).removeprefix(_BACKBONE) != ours:
                self.renamed[self.wanted[ours]] = origin[ours]
        self.origin = origin
        shapes = {name: tuple(tensor.shape) for name, tensor in source.items()}
        self.source_grid = source_grid(
            self.file.config, self.told_grid, shapes, image=self.is_image, class_token=self.class_token
        )
        return source

    def _place(self, ours: str, tensor: Tensor) -> None:
        name = self.wanted.get(ours)
        if name is None:
            if self.to_image and (why := self._no_place_in_an_image_model(ours)):
                self.dropped[self.origin[ours]] = why
            elif ours.startswith("head.") and not any(wanted.startswith("head.") for wanted in self.target):
                self.dropped[self.origin[ours]] = "the classifier; this model has heads of its own"
            else:
                self.unexpected.append(self.origin[ours])
            return
        model_tensor = self.target[name]
        if _CLASS_LAYER.match(name) and (self.other_classes or tensor.shape[0] != model_tensor.shape[0]):
            classes = f"{tensor.shape[0]} classes in the file, {model_tensor.shape[0]} in the model"
            if self.other_classes and tensor.shape[0] == model_tensor.shape[0]:
                classes = "the classes of the file have other names than those of the model"
            if self.head_reinit:
                self._keep(name, f"{classes}; MODEL.HEAD_REINIT is True")
            else:
                self.mismatched[name] = classes
            return
        try:
            fitted = fit(ours, tensor, model_tensor.shape, self.grid, self.source_grid, to_image=self.to_image)
            why = "no rule to fit it"
        except ValueError as error:
            fitted, why = None, str(error)
        if fitted is None:
            self.mismatched[name] = interpolate_note(tensor.shape, model_tensor.shape, why)
            return
        if fitted[1] not in AS_IT_IS:
            self.resized[name] = interpolate_note(tensor.shape, model_tensor.shape, fitted[1])
        tensor = fitted[0]
        if model_tensor.is_floating_point() != tensor.is_floating_point():
            self.mismatched[name] = f"{tensor.dtype} in the file, {model_tensor.dtype} in the model"
            return
        if bad := int((~torch.isfinite(tensor)).sum()):
            self.not_finite[self.origin[ours]] = f"{bad} of {tensor.numel()} values are NaN or infinite"
        self.state[name] = tensor.to(model_tensor.dtype)
        self.loaded.append(name)

    def _no_place_in_an_image_model(self, ours: str) -> str | None:
        """Why an image model has no use for a parameter of a video model; None when it should have one."""
        if re.search(r"\.rel_pos_t$", ours):
            return "an image has no time"
        if ours == "cls_token" and (self.head_reinit or not any(_CLASS_LAYER.match(name) for name in self.target)):
            return "this image model has no class token"
        return None

    def _keep(self, name: str, why: str) -> None:
        self.state[name], self.started[name] = self.target[name], why

    def _start(self, name: str) -> bool:
        """Start a parameter that the file does not hold, where there is a reason; False when there is none."""
        ours, naming = name.removeprefix(_BACKBONE), self.naming
        if _DETECTOR_HEADS.match(name) and not any(_DETECTOR_HEADS.match(origin) for origin in self.origin):
            self._keep(name, "a new head; the file is not of a detector")
        elif why := reason(ours, naming.starts):
            self._keep(name, why)
        elif _CLASS_LAYER.match(name) and self.head_reinit:
            self._keep(name, "the file has no classifier; MODEL.HEAD_REINIT is True")
        elif self.is_image and re.search(r"(\.rel_pos_t|^pos_embed_temporal)$", ours):
            self.state[name] = torch.zeros_like(self.target[name])
            self.started[name] = "zeros; an image model has no time"
        elif self.is_image and ours in ("cls_token", "pos_embed_class"):
            self._keep(name, "this image model has no class token")
        else:
            return False
        return True

    def report(self, path: str) -> LoadReport:
        return LoadReport(
            path=path,
            naming=self.naming.title,
            container=self.file.container,
            averaged=self.file.averaged,
            others=self.file.others,
            loaded=tuple(self.loaded),
            renamed=self.renamed,
            resized=self.resized,
            dropped=self.dropped,
            started=self.started,
            missing=tuple(self.missing),
            unexpected=tuple(self.unexpected),
            mismatched=self.mismatched,
            not_finite=self.not_finite,
            class_names=self.file.class_names,
        )

    @property
    def _not_for_want_of_a_grid(self) -> list[str]:
        """Of what does not fit, the names whose line does not end in what to set."""
        return [name for name, why in self.mismatched.items() if GRID_KEY not in why]

    def advice(self) -> str:
        """What a user can do about a file that does not fit, as lines after the table."""
        lines = []
        if self.not_finite:
            lines.append("The run that wrote the file had diverged; take an earlier checkpoint of it.")
        if self.to_image and "cls_token" in self.unexpected:
            lines.append(
                "The classifier of the file reads a class token, and this image model has none: set MVIT.CLS_EMBED_ON True, "
                "or MODEL.HEAD_REINIT True to train a new classifier."
            )
        if any(map(_DETECTOR_HEADS.match, self.origin)) and not any(map(_DETECTOR_HEADS.match, self.target)):
            lines.append("It is a file of a detector: MODEL.MODEL_NAME BMViT reads all of it.")
        elif any(_CLASS_LAYER.match(name) for name in (*self.mismatched, *self.missing)):
            lines.append("To train a new classifier in its place, set MODEL.HEAD_REINIT True.")
        if self.naming == UNKNOWN:
            lines.append("Its parameter names are not those of a project we know (slowfast/weights/names.py).")
        elif self.unexpected or not all(map(_CLASS_LAYER.match, (*self._not_for_want_of_a_grid, *self.missing))):
            lines.append(
                "Is it a file of another model? The config must describe the network that the file was trained with."
            )
        return "".join(f"\n{line}" for line in lines)
