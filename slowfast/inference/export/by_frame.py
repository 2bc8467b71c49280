"""A detector in two ONNX files, for streams: the part that sees single frames, so that each frame goes through it once,
and the part that sees whole clips. Each names itself in its metadata; the second one names the first, and its SHA-256.
"""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.export import ExportedProgram

from slowfast.inference.build import DETECTS, Loaded
from slowfast.inference.export.build import TRACED_BATCH, Exportable, traced
from slowfast.inference.export.facts import FRAME_PART, Facts, sha256_of
from slowfast.inference.export.graph import detector_outputs
from slowfast.inference.export.onnx_by_frame import FEATURES
from slowfast.inference.export.onnx_file import onnx_bytes
from slowfast.models.backbone import sees_frames
from slowfast.structures.outputs.predictions import Predictions
from slowfast.utils.files import write_bytes


def frames_name(out: Path) -> Path:
    """The file of single frames beside `out`: best.onnx, best_frames.onnx."""
    return out.with_name(f"{out.stem}_frames{out.suffix}")


class FrameGraph(nn.Module):
    """frames (N, 3, H, W) uint8 RGB, as decoded and resized -> features (N, F, h, w). whole: the graph of whole clips"""

    def __init__(self, exportable: Exportable) -> None:
        super().__init__()
        self.whole = exportable.graph

    def forward(self, frames: Tensor) -> Tensor:
        shown = self.whole.normalised(frames[:, :, None])[:, :, 0]
        features: Tensor = self.whole.model.backbone.frame_features(shown)  # type: ignore[operator, union-attr]
        return features


class ClipGraph(nn.Module):
    """The features (B, F, T, h, w) of the frames of clips -> what `DetectorGraph` gives."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        predictions = self.model.forward_features(features)  # type: ignore[operator]  # `refuse_others` has asked
        assert isinstance(predictions, Predictions)
        return detector_outputs(predictions)


def refuse_others(loaded: Loaded) -> None:
    """Raises ValueError for a model without a part that sees single frames."""
    if loaded.task != DETECTS or not sees_frames(getattr(loaded.model, "backbone", None)):
        raise ValueError(
            f"--by-frame is for detectors with a part that sees single frames (MODEL.BACKBONE FrameCNNMViT); "
            f"{loaded.weights} is {loaded.cfg.MODEL.MODEL_NAME} on {loaded.cfg.MODEL.BACKBONE}, which sees whole clips: leave it out"
        )


@dataclass(frozen=True)
class Parts:
    """The two graphs of a detector; exportable: of whole clips."""

    exportable: Exportable

    def __post_init__(self) -> None:
        refuse_others(self.exportable.loaded)

    @torch.no_grad()
    def write(self, frames_file: Path, clips_file: Path, *, opset: int, name: str) -> None:
        """name: what `frames_file` will be called beside `clips_file`"""
        clips = self.exportable.example(TRACED_BATCH)
        frames = clips.transpose(1, 2).flatten(0, 1)[:TRACED_BATCH]
        graph = FrameGraph(self.exportable).eval()
        made = graph(frames)
        facts = self._frame_facts(made, opset)
        write_bytes(onnx_bytes(self._program(graph, frames, "frames"), frames, facts), frames_file)
        features = made[:, :, None].expand(-1, -1, clips.shape[2], -1, -1).contiguous()
        facts = self._clip_facts(features, opset, {"file": name, "sha256": sha256_of(frames_file)})
        program = self._program(ClipGraph(self.exportable.loaded.model).eval(), features, FEATURES)
        write_bytes(onnx_bytes(program, features, facts), clips_file)

    def _program(self, graph: nn.Module, example: Tensor, name: str) -> ExportedProgram:
        return traced(graph, example, name=name, weights=self.exportable.loaded.weights)

    def _frame_facts(self, features: Tensor, opset: int) -> Facts:
        facts = self.exportable.facts(opset=opset)
        height, width = facts["input"]["shape"][-2:]
        given = {"name": "frames", "shape": ["batch", 3, height, width]}
        layout = {"layout": "frames, R G B, rows, columns; pixels as decoded, from 0 to 255"}
        return facts | {"task": FRAME_PART, "input": facts["input"] | given | layout, "outputs": [FEATURES],
                        "features": list(features.shape[1:])}  # fmt: skip

    def _clip_facts(self, features: Tensor, opset: int, frames: Facts) -> Facts:
        facts = self.exportable.facts(opset=opset)
        given = {"name": FEATURES, "type": "float32", "shape": ["batch", *features.shape[1:]]}
        layout = {"layout": "clips, channels, frames, rows, columns; of each frame what the other file gives"}
        return facts | {"input": facts["input"] | given | layout, "frames": frames}
