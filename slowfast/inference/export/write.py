"""Writing a model for other programs: each file whole or not at all, compared with the network that it was made of."""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from slowfast.inference.build import Loaded, load_model
from slowfast.inference.export import facts as told
from slowfast.inference.export.build import TRACED_BATCH, Exportable, build_exportable, in_float32
from slowfast.inference.export.by_frame import Parts, frames_name
from slowfast.inference.export.extra import from_extra
from slowfast.inference.export.hub import CardText, hub_files, write_hub
from slowfast.inference.export.onnx_by_frame import OnnxByFrame
from slowfast.inference.export.onnx_file import DEFAULT_OPSET, OPSETS, onnx_bytes, open_onnx, session_of
from slowfast.inference.export.quantise import int8_bytes
from slowfast.utils.files import whole_file, write_bytes

FORMATS = ("torch", "onnx", "safetensors")
SUFFIXES = {"torch": ".pt2", "onnx": ".onnx", "safetensors": ".safetensors"}
AGREEMENT = 1e-4  # of boxes and probabilities, largest difference
CHECKED_BATCHES = (1, 3)


@dataclass(frozen=True)
class Written:
    """files: what was written; worst: by batch, the largest difference of an output from the network; loss: of INT8"""

    files: tuple[Path, ...]
    worst: dict[int, float]
    notes: tuple[str, ...] = ()


def default_out(weights: Path, kind: str) -> Path:
    """Beside the checkpoint: best.pt2, best.onnx; of safetensors the folder best."""
    return weights.with_suffix("") if kind == "safetensors" else weights.with_suffix(SUFFIXES[kind])


def check_out(out: Path, kind: str, *, card: bool = False, by_frame: bool = False) -> None:
    """Raises ValueError or OSError where `out` cannot be written, or would overwrite something."""
    if kind != "safetensors" and out.suffix != SUFFIXES[kind]:
        raise ValueError(f"--out {out} must end in {SUFFIXES[kind]} for --format {kind}")
    files = [out] if kind != "safetensors" else list(hub_files(out, card=card))
    if by_frame:
        files.append(frames_name(out))
    if kind != "safetensors" and out.is_dir():
        raise ValueError(f"--out {out} is a folder; give the name of the file")
    for file in files:
        if file.exists():
            raise ValueError(f"--out: {file} exists already; choose another name, or remove it")
        folder = file.parent
        while not folder.exists():
            folder = folder.parent
        if not folder.is_dir():
            raise ValueError(f"--out {out}: {folder} is a file and not a folder")
        if not os.access(folder, os.W_OK):
            raise PermissionError(f"--out {out}: the folder {folder} cannot be written to")


def write_export(
    loaded: Loaded,
    kind: str,
    out: Path,
    *,
    opset: int = DEFAULT_OPSET,
    int8: bool = False,
    half: bool = False,
    card: CardText | None = None,
    by_frame: bool = False,
) -> Written:
    """Write `loaded` in a format of FORMATS, and compare what was written with the network in memory.

    opset: of ONNX; int8: its matrix products with 8-bit weights, ONNX only
    by_frame: two ONNX files, of single frames and of clips, so that frames of a stream are computed once
    half:  numbers in float16; card: what is told of the weights beside them; both of safetensors only

    Raises ValueError for what cannot be, and FloatingPointError where the file gives other numbers; nothing is left then.
    """
    if kind not in FORMATS:
        raise ValueError(f"--format {kind} is none; choose from {', '.join(FORMATS)}")
    if opset not in OPSETS:
        raise ValueError(f"--opset {opset}: files are written for the opsets {OPSETS[0]} to {OPSETS[-1]}")
    if int8 and kind != "onnx":
        raise ValueError(f"--int8 is a way to write ONNX, and --format is {kind}")
    if kind != "safetensors" and (half or card is not None):
        raise ValueError(f"--half and --card are for --format safetensors, and --format is {kind}")
    if by_frame and (int8 or kind != "onnx"):
        raise ValueError(
            f"--by-frame writes two ONNX files of float32 numbers; leave {'--int8' if int8 else f'--format {kind}'} out"
        )
    check_out(out, kind, card=card is not None, by_frame=by_frame)
    out.parent.mkdir(parents=True, exist_ok=True)
    loaded = in_float32(loaded)
    if kind == "safetensors":
        files = write_hub(loaded, out, half=half, card=card)
        return Written(files, {}, _rounding(loaded, files[0]) if half else ())
    exportable = build_exportable(loaded)
    if by_frame:
        return _write_by_frame(exportable, out, opset)
    return _write_program(exportable, out) if kind == "torch" else _write_onnx(exportable, out, opset, int8)


# ------------------------------------------------------------------------------------------------- programs


def _write_program(exportable: Exportable, out: Path) -> Written:
    facts = json.dumps(exportable.facts(), indent=1)
    program = exportable.program()
    with whole_file(out, failures=(OSError, RuntimeError)) as temporary:
        with open(temporary, "wb") as file:
            torch.export.save(program, file, extra_files={"facts.json": facts})
        run = torch.export.load(temporary).module()
        worst = _compared(exportable, lambda clips: run(clips), temporary)
    return Written((out,), worst)


def _write_onnx(exportable: Exportable, out: Path, opset: int, int8: bool) -> Written:
    for module in ("onnx", "onnxscript", "onnxruntime"):
        from_extra(module)
    facts = exportable.facts(opset=opset)
    content = onnx_bytes(exportable.program(), exportable.example(TRACED_BATCH), facts)
    with whole_file(out) as temporary:
        write_bytes(content, temporary)
        worst = _compared(exportable, _session_of(temporary), temporary)
        notes: tuple[str, ...] = ()
        if int8:
            small = int8_bytes(content, told.written(facts | {"precision": "int8"}))
            write_bytes(small, temporary)
            notes = _loss(exportable, _session_of(temporary), len(content), len(small))
    return Written((out,), worst, notes)


def _write_by_frame(exportable: Exportable, out: Path, opset: int) -> Written:
    for module in ("onnx", "onnxscript", "onnxruntime"):
        from_extra(module)
    parts, frames_out = Parts(exportable), frames_name(out)
    with whole_file(frames_out) as frames, whole_file(out) as clips:
        parts.write(frames, clips, opset=opset, name=frames_out.name)
        threads = torch.get_num_threads()
        network = OnnxByFrame(*(session_of(path, threads=threads) for path in (frames, clips)))

        def run(clips: Tensor) -> tuple[Tensor, ...]:
            found = network(clips)
            return found.boxes, found.actor, found.scores

        worst = _compared(exportable, run, clips)
    return Written((frames_out, out), worst)


def _session_of(path: Path) -> Callable[[Tensor], tuple[Tensor, ...]]:
    session, _ = open_onnx(path, threads=torch.get_num_threads())
    return lambda clips: tuple(map(torch.from_numpy, session.run(None, {"clips": clips.numpy()})))


@torch.no_grad()
def _differences(exportable: Exportable, run: Callable[[Tensor], Any], batch: int) -> dict[str, float]:
    """The largest difference of each output; logits, which have no scale of their own, by the largest of them."""
    clips = exportable.example(batch, seed=batch)
    found = {}
    for name, ours, theirs in zip(exportable.graph.outputs, exportable.outputs(clips), run(clips), strict=True):
        scale = max(1.0, float(ours.abs().max())) if name == "logits" else 1.0
        found[name] = float((ours - theirs).abs().max()) / scale
    return found


def _compared(exportable: Exportable, run: Callable[[Tensor], Any], path: Path) -> dict[int, float]:
    worst = {batch: max(_differences(exportable, run, batch).values()) for batch in CHECKED_BATCHES}
    for batch, value in worst.items():
        if not value <= AGREEMENT:
            raise FloatingPointError(
                f"the exported network differs from the checkpoint's by {value:.1e} with {batch} clips, and {AGREEMENT:g} is "
                "allowed; nothing was written. Please report it with the configuration"
            )
    return worst


def _rounding(loaded: Loaded, weights: Path) -> tuple[str, ...]:
    """What reading the file instead of the checkpoint changes."""
    before = build_exportable(loaded)
    after = build_exportable(in_float32(load_model(weights, device="cpu")))
    lost = _differences(before, after.outputs, 3)
    found = ", ".join(f"{name} {value:.1e}" for name, value in lost.items())
    return (f"float16 in place of float32: on 3 clips of noise the largest differences are {found}",)


def _loss(exportable: Exportable, run: Callable[[Tensor], Any], before: int, after: int) -> tuple[str, ...]:
    lost = {name: value for name, value in _differences(exportable, run, 3).items() if name != "logits"}
    told_loss = ", ".join(f"{name} {value:.3f}" for name, value in lost.items())
    return (
        f"INT8 weights: {after / 1e6:.1f} MB in place of {before / 1e6:.1f} MB; on 3 clips of noise the largest differences "
        f"are {told_loss}. Test it on data of yours before you use it",
    )
