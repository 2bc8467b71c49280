"""The two-stage baseline: RoIAlign on given person boxes, and a linear layer (MViT papers, AVA experiments)."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torchvision.ops import roi_align

from slowfast.models.backbone import Backbone, sees_frames
from slowfast.models.classifier import ProjectionHead
from slowfast.models.detection.heads import ACTION_SCORES, log_odds_of_softmax
from slowfast.models.detection.postprocess import to_original_frame
from slowfast.models.published_names import publish_backbone_unprefixed
from slowfast.structures.clip import ClipMeta
from slowfast.structures.outputs.predictions import Detections
from slowfast.structures.outputs.roi import RoIPredictions


class TwoStage(nn.Module):
    """clips (B, 3, T, H, W), normalised RGB, and boxes (K, 5) -> RoIPredictions, in train and eval. A `FrameBackbone` also
    takes frame features (B, F, T, ...) in place of clips.

    boxes: one row per person: index of the clip in the batch, then xyxy in pixels of the input. K may be 0.
    Head: mean over time, RoIAlign, maximum over the region, linear. Boxes are scaled to the token grid by the
    backbone's own stride, never by a number of a config.

    resolution: cells of a region along each side
    aligned:    RoIAlign with pixel centres at half integers; False is the older rule of some published models
    action_scores: "sigmoid" or "softmax", as in `BMViTHeads`

    The state dict has the published names: those of the backbone without a prefix, and `head.projection`.
    """

    takes_boxes = True  # beside the clips

    def __init__(
        self,
        backbone: Backbone,
        *,
        num_classes: int,
        resolution: int = 7,
        aligned: bool = True,
        dropout: float = 0.0,
        init_scale: float = 1.0,
        action_scores: str = "sigmoid",
    ) -> None:
        super().__init__()
        if action_scores not in ACTION_SCORES:
            raise ValueError(
                f"action scores {action_scores!r} unknown; choose from {ACTION_SCORES} (DETECTION.ACTION_SCORES)"
            )
        self.one_action = action_scores == "softmax"
        self.backbone = backbone
        self.resolution, self.aligned = resolution, aligned
        self.head = ProjectionHead(backbone.dim, num_classes=num_classes, dropout=dropout, init_scale=init_scale)
        publish_backbone_unprefixed(self)

    def forward(self, clips: Tensor, boxes: Tensor) -> RoIPredictions:
        if boxes.ndim != 2 or boxes.shape[1] != 5:
            raise ValueError(
                f"boxes must be (K, 5): batch index, xyxy in pixels of the input; got shape {tuple(boxes.shape)}"
            )
        features = self.backbone(clips).mean(1).permute(0, 3, 1, 2)
        stride_h, stride_w = self.backbone.stride[1:]
        if stride_h != stride_w:
            raise ValueError(
                f"RoIAlign needs one stride for height and width; the backbone has {stride_h} and {stride_w}"
            )
        # RoIAlign is not implemented in bfloat16 on every device, and box coordinates would lose pixels in it.
        regions = roi_align(
            features.float(),
            boxes.float(),
            output_size=self.resolution,
            spatial_scale=1 / stride_h,
            sampling_ratio=-1,
            aligned=self.aligned,
        )
        logits = self.head(regions.amax(dim=(2, 3)).to(features.dtype))
        if self.one_action:
            logits = log_odds_of_softmax(logits)
        height, width = clips.shape[-2:]
        if sees_frames(self.backbone) and clips.shape[1] != 3:  # frame features in place of pixels
            height, width = height * self.backbone.feature_stride, width * self.backbone.feature_stride
        return RoIPredictions(boxes, logits, input_size=(height, width))


class RoIPostProcess(nn.Module):
    """Scores of given boxes: sigmoid(action), and the boxes back in the original frame. Every box is kept.

    The person detector's own scores are not mixed in, as published; p(actor) of a given box is 1.
    """

    @torch.no_grad()
    def forward(self, predictions: RoIPredictions, meta: Sequence[ClipMeta]) -> Detections:
        """RoIPredictions of B clips and their B metas -> Detections on the CPU."""
        height, width = predictions.input_size
        scores = predictions.action_logits.float().sigmoid()
        rows = torch.cat([predictions.boxes.float(), scores], dim=1).cpu()  # one copy, which waits for the device once
        clip_index, scores = rows[:, 0].long(), rows[:, 5:]
        boxes = rows[:, 1:5] / rows.new_tensor([width, height, width, height])
        return Detections(clip_index, to_original_frame(boxes, clip_index, meta), torch.ones(len(rows)), scores)
