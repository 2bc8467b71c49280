"""The two ONNX files of a detector that keeps the features of frames, opened and called (`by_frame.py` writes them)."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from slowfast.inference.export.facts import sha256_of
from slowfast.inference.export.onnx_file import open_onnx
from slowfast.structures.outputs.predictions import Candidates

FEATURES = "features"


def open_frames(path: Path, frames: Any, *, threads: int) -> Any:
    """The session of the file of single frames that belongs to `path`; frames: as `path` names it.

    Raises FileNotFoundError, or ValueError for another file than the one that was written with it.
    """
    if not isinstance(frames, dict) or not {"file", "sha256"} <= frames.keys():
        raise ValueError(f"{path}: its metadata do not name the file of frames; export the checkpoint again")
    other = path.with_name(Path(str(frames["file"])).name)
    if not other.is_file():
        raise FileNotFoundError(f"{path} sees clips only, and {other} beside it, which sees frames, is not there")
    if sha256_of(other) != frames["sha256"]:
        raise ValueError(f"{other} is not the file that was written with {path}; export the checkpoint again")
    return open_onnx(other, threads=threads, frame_part=True)[0]


class OnnxFrames(nn.Module):
    """The file of single frames, called as `FrameReuse` calls a backbone: frames (N, 3, H, W) uint8 -> (N, F, h, w)."""

    def __init__(self, session: Any) -> None:
        super().__init__()
        self.session = session

    def frame_features(self, frames: Tensor) -> Tensor:
        return torch.from_numpy(self.session.run(None, {"frames": frames.contiguous().numpy()})[0])

    def folded_frames(self) -> Callable[[Tensor], Tensor]:
        return self.frame_features


class OnnxByFrame(nn.Module):
    """Both files as one detector that can keep the features of frames: clips (B, 3, T, H, W) uint8 -> Candidates."""

    def __init__(self, frames: Any, clips: Any) -> None:
        super().__init__()
        self.backbone, self.clips = OnnxFrames(frames), clips

    def forward(self, clips: Tensor) -> Candidates:
        features = self.backbone.frame_features(clips.transpose(1, 2).flatten(0, 1))
        return self.forward_features(features.unflatten(0, (clips.shape[0], -1)).transpose(1, 2))

    def forward_features(self, features: Tensor) -> Candidates:
        """(B, F, T, h, w), the features of the T frames of each clip in their order."""
        given = self.clips.run(None, {FEATURES: features.contiguous().numpy()})
        return Candidates(*map(torch.from_numpy, given))
