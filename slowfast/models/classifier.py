"""Video classification: backbone, pooled token, one linear layer."""

from torch import Tensor, nn

from slowfast.models.backbone import Backbone, encodes
from slowfast.models.published_names import publish_backbone_unprefixed


class ProjectionHead(nn.Module):
    """Dropout and a linear layer to raw class logits: (B, C) -> (B, num_classes)."""

    def __init__(self, dim: int, *, num_classes: int, dropout: float = 0.0, init_scale: float = 1.0) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.projection = nn.Linear(dim, num_classes)
        nn.init.trunc_normal_(self.projection.weight, std=0.02)
        nn.init.constant_(self.projection.bias, 0.02)
        self.projection.weight.data.mul_(init_scale)
        self.projection.bias.data.mul_(init_scale)

    def forward(self, x: Tensor) -> Tensor:
        return self.projection(self.dropout(x))


class VideoClassifier(nn.Module):
    """clips (B, 3, T, H, W), normalised RGB -> raw logits (B, num_classes), in train and eval.

    The head reads the class token after the last norm; from a backbone without one, the mean of the normed grid tokens.
    With `mean_pooling` it reads norm(mean of the grid tokens): the mean is taken BEFORE the norm, as networks
    fine-tuned from a masked pre-training (MaskFeat, VideoMAE) do.
    The state dict has the published names: those of the backbone without a prefix, and `head.projection`.
    """

    def __init__(
        self,
        backbone: Backbone,
        *,
        num_classes: int,
        mean_pooling: bool = False,
        dropout: float = 0.0,
        init_scale: float = 1.0,
    ) -> None:
        super().__init__()
        if mean_pooling and not hasattr(backbone, "norm"):
            raise ValueError(
                f"mean pooling takes the mean before the last norm, and {type(backbone).__name__} has no `norm` to "
                "apply after it (MVIT.USE_MEAN_POOLING)"
            )
        self.backbone = backbone
        self.mean_pooling = mean_pooling
        self.head = ProjectionHead(backbone.dim, num_classes=num_classes, dropout=dropout, init_scale=init_scale)
        publish_backbone_unprefixed(self)

    def forward(self, clips: Tensor) -> Tensor:
        return self.head(self._pool(clips))

    def _pool(self, clips: Tensor) -> Tensor:
        """(B, C): what the head reads of a clip."""
        if not encodes(self.backbone):
            return self.backbone(clips).flatten(1, 3).mean(1)
        if self.mean_pooling:
            last = len(self.backbone.block_dims) - 1
            encoded = self.backbone.encode(clips, keep_blocks=(last,))
            return self.backbone.norm(encoded.blocks[last].flatten(1, 3).mean(1))
        encoded = self.backbone.encode(clips)
        if encoded.class_token is None:
            return encoded.tokens.flatten(1, 3).mean(1)
        return encoded.class_token
