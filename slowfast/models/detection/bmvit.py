"""BMViT: output tokens of a video transformer, matched directly to people (Ntinou et al., CVPR 2024, figure 1)."""

from collections.abc import Sequence
from dataclasses import replace

from torch import Tensor, nn

from slowfast.layers.token_grid import size3
from slowfast.models.backbone import Backbone
from slowfast.models.detection.heads import BMViTHeads
from slowfast.models.detection.token_select import TokenSelect
from slowfast.structures.outputs.predictions import Predictions


class BMViT(nn.Module):
    """clips (B, 3, T, H, W), normalised RGB -> Predictions, in train and eval. No decoder, no queries, no second
    detector.

    aux_heads: block index -> (norm, heads) for deep supervision of earlier blocks; used in training only.
    """

    def __init__(
        self,
        backbone: Backbone,
        *,
        select: TokenSelect,
        heads: BMViTHeads,
        aux_heads: dict[int, tuple[nn.Module, BMViTHeads]] | None = None,
    ) -> None:
        super().__init__()
        self.backbone, self.select, self.heads = backbone, select, heads
        aux_heads = aux_heads or {}
        self.aux_norms = nn.ModuleDict({str(block): norm for block, (norm, _) in aux_heads.items()})
        self.aux_heads = nn.ModuleDict({str(block): head for block, (_, head) in aux_heads.items()})

    @property
    def aux_blocks(self) -> Sequence[int]:
        return tuple(int(block) for block in self.aux_heads)

    def forward(self, clips: Tensor) -> Predictions:
        if not (self.training and self.aux_blocks):
            return self._predict(self.backbone(clips), self.heads)
        encoded = self.backbone.encode(clips, keep_blocks=self.aux_blocks)  # type: ignore[attr-defined] # build asks
        auxiliary = tuple(
            self._predict(self.aux_norms[str(block)](tokens), self.aux_heads[str(block)])
            for block, tokens in encoded.blocks.items()
        )
        return replace(self._predict(encoded.tokens, self.heads), auxiliary=auxiliary)

    def forward_features(self, features: Tensor) -> Predictions:
        """As `forward` in eval, from the frame features (B, F, T, ...) of a `FrameBackbone`."""
        return self._predict(self.backbone.forward_features(features), self.heads)  # type: ignore[attr-defined]

    def _predict(self, tokens: Tensor, heads: nn.Module) -> Predictions:
        box_tokens, action_tokens = self.select(tokens)
        return heads(box_tokens, action_tokens, size3(tokens.shape[1:4]))
