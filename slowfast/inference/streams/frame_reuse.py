"""Each frame through the per-frame part of a network once, whatever clips show it.

What can be kept from one clip for the next, to the same numbers, is what was computed from frames alone. That is decoding
and resizing for every network, and the features of a `FrameBackbone`. Not more: every block after that attends over the
whole clip. docs/PERFORMANCE.md ("Streaming") has the costs, and why MViT keeps nothing else.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from slowfast.datasets.clips.collate import collate
from slowfast.engine.device.inputs import Inputs
from slowfast.inference.streams.clip_stream import ShownFrame, StreamedClip
from slowfast.models.backbone import frames_at_once
from slowfast.structures.clip import ClipMeta, ClipSample
from slowfast.structures.outputs.predictions import Predictions


def reuses_frames(model: nn.Module) -> bool:
    """The model is one that `FrameReuse` can call."""
    return hasattr(model, "forward_features") and hasattr(getattr(model, "backbone", None), "folded_frames")


class FrameReuse:
    """Calls a detector on clips of a stream, with the features of the frames that an earlier clip showed.

    Features are kept on the frames themselves (`ShownFrame.features`), on the device, and so no longer than the stream
    keeps a frame for clips to come.

    model:    a detector whose backbone is a `FrameBackbone`, in eval; of the weights of its per-frame part as they are now
    inputs:   normalises frames as it does clips, and knows device and precision
    computed: frames that went through the per-frame part so far; asked: those that clips showed
    """

    def __init__(self, model: nn.Module, inputs: Inputs) -> None:
        self.model, self.inputs = model, inputs
        self._features_of = model.backbone.folded_frames()  # type: ignore[operator, union-attr]  # `reuses_frames` was asked
        self.computed, self.asked = 0, 0

    @torch.no_grad()
    def __call__(self, clips: Sequence[StreamedClip]) -> Predictions:
        """Clips of one size -> what the model gives for them."""
        fresh = {id(frame): frame for clip in clips for frame in clip.shown if frame.features is None}
        with self.inputs.precision.autocast(self.inputs.device):
            if fresh:
                self._compute(list(fresh.values()))
            features = torch.stack([torch.stack([_known(frame) for frame in clip.shown], dim=1) for clip in clips])
            self.asked += sum(len(clip.shown) for clip in clips)
            return self.model.forward_features(features)  # type: ignore[operator]  # `reuses_frames` was asked

    def _compute(self, frames: list[ShownFrame]) -> None:
        nobody = torch.zeros(0, 4)
        samples = [
            ClipSample(f.pixels, nobody, torch.zeros(0, 0), ClipMeta("", i, f.region)) for i, f in enumerate(frames)
        ]
        size = (1, *frames[0].pixels.shape[-2:])
        prepared = self.inputs.prepare(collate(samples, blank_size=size, num_classes=0)).clips.squeeze(2)
        features = torch.cat([self._features_of(part) for part in prepared.split(frames_at_once(prepared.device))])
        for frame, made in zip(frames, features, strict=True):
            # A copy: a view would keep the features of all the others alive.
            frame.features = made.clone()
        self.computed += len(frames)


def _known(frame: ShownFrame) -> Tensor:
    assert frame.features is not None
    return frame.features
