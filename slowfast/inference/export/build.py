"""From a checkpoint to the graph of its network, ready to be written, and back from an ONNX file to a `Loaded`."""

from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from slowfast.engine.device.inputs import Inputs
from slowfast.engine.device.precision import Precision
from slowfast.inference.build import DETECTS, Loaded
from slowfast.inference.export.facts import Facts, classes_of, config_of, facts_of
from slowfast.inference.export.graph import ClassifierGraph, DetectorGraph
from slowfast.inference.export.onnx_by_frame import OnnxByFrame, open_frames
from slowfast.inference.export.onnx_file import OnnxNetwork, open_onnx
from slowfast.layers import kernels
from slowfast.structures.clip import ClipBatch

TRACED_BATCH = 2  # clips that a graph is traced with; the number one would stay in it as a constant


@dataclass(frozen=True)
class Exportable:
    """A model with what is before and behind its network.

    graph: takes (B, 3, T, H, W) uint8; size: (T, H, W)
    """

    loaded: Loaded
    graph: DetectorGraph | ClassifierGraph
    size: tuple[int, int, int]

    def facts(self, *, opset: int | None = None) -> Facts:
        return facts_of(self.loaded, size=self.size, outputs=self.graph.outputs, opset=opset)

    def example(self, batch: int, *, seed: int = 0) -> Tensor:
        """Random clips of that size."""
        return torch.randint(
            256, (batch, 3, *self.size), dtype=torch.uint8, generator=torch.Generator().manual_seed(seed)
        )

    @torch.no_grad()
    def outputs(self, clips: Tensor) -> tuple[Tensor, ...]:
        """What the network gives without any export, as the files must give it."""
        given: tuple[Tensor, ...] = self.graph(clips)
        return given

    @torch.no_grad()
    def program(self) -> ExportedProgram:
        """The torch.export program, for any number of clips. Raises ValueError where the network cannot be traced."""
        return traced(self.graph, self.example(TRACED_BATCH), name="clips", weights=self.loaded.weights)


@torch.no_grad()
def traced(graph: nn.Module, example: Tensor, *, name: str, weights: Path) -> ExportedProgram:
    """The torch.export program of a graph for any number of rows of its one input, called `name`.

    weights: whose it is, for the ValueError where it cannot be traced
    """
    try:
        with kernels.for_export():
            return torch.export.export(graph, (example,), dynamic_shapes={name: {0: Dim("batch", min=1)}})
    except torch._dynamo.exc.UserError as error:
        raise ValueError(
            f"{weights}: its network cannot be exported for any number of {name}: {_reason(error)}"
        ) from error


def _reason(error: Exception) -> str:
    return str(error).strip().splitlines()[0]


def build_exportable(loaded: Loaded) -> Exportable:
    """loaded: on the CPU. Raises ValueError for a detector whose input size follows each video."""
    cfg = loaded.cfg
    if loaded.task == DETECTS and cfg.DATA.RESIZE == "keep_aspect":
        raise ValueError(
            f"{loaded.weights}: the size of its input follows the shape of each video (DATA.RESIZE keep_aspect), and a file "
            "has one; give a configuration with DATA.RESIZE stretch by --cfg"
        )
    crop = cfg.DATA.TEST_CROP_SIZE
    height, width = (crop, crop) if isinstance(crop, int) else crop
    inputs = loaded.inputs
    mean, std = inputs.mean.tolist(), inputs.std.tolist()
    graph = (
        DetectorGraph(loaded.model, mean=mean, std=std, bgr=inputs.bgr)
        if loaded.task == DETECTS
        else ClassifierGraph(loaded.model, mean=mean, std=std, bgr=inputs.bgr, multi_label=bool(cfg.DATA.MULTI_LABEL))
    )
    return Exportable(loaded, graph.eval(), (cfg.DATA.NUM_FRAMES, height, width))


class UnpreparedInputs(Inputs):
    """Of a network that normalises by itself: batches stay as they are, uint8."""

    def prepare(self, batch: ClipBatch) -> ClipBatch:
        return batch.mirrored()


def load_onnx(path: str | Path, *, threads: int = 0) -> Loaded:
    """A file of `bmvit export --format onnx`, ready to predict: its metadata decide everything. Of two files that
    `--by-frame` wrote it is the one of clips; the other one lies beside it.

    threads: of ONNX Runtime; 0 for as many as there are cores

    Raises FileNotFoundError, or ValueError for a file that is no ONNX or of another program, and where ONNX Runtime is
    missing (the extra `export`).
    """
    path = Path(path)
    session, facts = open_onnx(path, threads=threads)
    cfg, classes, norm = config_of(path, facts), classes_of(facts), facts.get("normalisation", {})
    inputs = UnpreparedInputs(
        torch.device("cpu"),
        mean=norm.get("mean", (0.0,) * 3),
        std=norm.get("std", (1.0,) * 3),
        bgr=bool(norm.get("bgr", False)),
        precision=Precision(),
    )
    network: nn.Module = OnnxNetwork(session, detects=facts["task"] == DETECTS)
    if "frames" in facts:
        network = OnnxByFrame(open_frames(path, facts["frames"], threads=threads), session)
    return Loaded(path, cfg, facts["task"], network.eval(), inputs, classes)


def in_float32(loaded: Loaded) -> Loaded:
    """The same model as files compute it, whatever MODEL.PRECISION was."""
    before = loaded.inputs
    inputs = Inputs(before.device, mean=before.mean.tolist(), std=before.std.tolist(), bgr=before.bgr)
    return replace(loaded, model=loaded.model.float(), inputs=inputs)
