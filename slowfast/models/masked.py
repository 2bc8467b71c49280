"""MaskFeat: hide patches of a clip and predict the HOG of what is hidden (Wei et al. 2022), on MViT."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from slowfast.layers.hog import BINS, CELL, hog
from slowfast.layers.token_grid import Size3, size3
from slowfast.models.backbones.mvit import MViT
from slowfast.models.published_names import publish_backbone_unprefixed
from slowfast.structures.outputs.masked import MaskedPredictions

COLOURS = 3


class HogHeads(nn.Module):
    """A norm and a linear layer for each block that predicts, as PySlowFast's MASK.HEAD_TYPE separate.

    dims: channels of these blocks; outputs: numbers predicted for a token of each
    """

    def __init__(self, dims: Sequence[int], outputs: Sequence[int]) -> None:
        super().__init__()
        self.transforms = nn.ModuleList(nn.Sequential(nn.LayerNorm(dim, eps=1e-6)) for dim in dims)
        self.projections = nn.ModuleList(nn.Linear(dim, out) for dim, out in zip(dims, outputs, strict=True))
        for projection in self.projections:
            assert isinstance(projection, nn.Linear)
            nn.init.trunc_normal_(projection.weight, std=0.02)
            nn.init.zeros_(projection.bias)

    def forward(self, tokens: Sequence[Tensor]) -> tuple[Tensor, ...]:
        heads = zip(self.transforms, self.projections, tokens, strict=True)
        return tuple(projection(transform(x)) for transform, projection, x in heads)


class MaskMViT(nn.Module):
    """clips (B, 3, T, H, W), normalised RGB, and what is hidden of them -> MaskedPredictions.

    Patch tokens that are hidden become one learned token before positions are added. Each block of `depths` predicts,
    for each of its tokens, the HOG cells of 8 x 8 pixels that the token covers, in the first of the frames it covers, of
    all three colours: numbers in the order colour, bin, row, column of the cell.

    backbone: taken over: blocks after the deepest that predicts, and the last norm, are removed
    depths:   blocks that predict, ascending

    The state dict has PySlowFast's names: mask_token, pred_head.*, and those of the backbone without a prefix.
    """

    def __init__(self, backbone: MViT, *, depths: Sequence[int]) -> None:
        super().__init__()
        last = len(backbone.blocks) - 1
        if not depths or list(depths) != sorted(set(depths)) or not 0 <= depths[0] <= depths[-1] <= last:
            raise ValueError(
                f"MASK.PRETRAIN_DEPTH ({list(depths)}) must name blocks from 0 to {last} (MVIT.DEPTH), ascending"
            )
        self.depths = tuple(depths)
        self.cells = [_cells_of_token(_stride_after(backbone, depth), depth) for depth in depths]
        dims = [backbone.block_dims[depth] for depth in depths]
        del backbone.blocks[depths[-1] + 1 :]
        backbone.plan = backbone.plan[: depths[-1] + 1]
        backbone.norm = nn.Identity()  # each head has its own
        self.backbone = backbone
        self.mask_token = nn.Parameter(torch.zeros(1, 1, backbone.plan[0].dim_in))
        nn.init.trunc_normal_(self.mask_token, std=0.02)
        self.pred_head = HogHeads(dims, [COLOURS * BINS * high * wide for high, wide in self.cells])
        publish_backbone_unprefixed(self, others=("mask_token", "pred_head."))

    def forward(self, clips: Tensor, cells: Tensor | None = None) -> MaskedPredictions:
        """cells (B, t, h, w) bool, True where hidden, which the grid of patches is a whole multiple of; None: nothing."""
        x, grid = self.backbone.patch_embed(clips)
        if cells is None:
            cells = torch.zeros(len(clips), grid[0], 1, 1, dtype=torch.bool, device=clips.device)
        hidden = spread(cells, grid).flatten(1)[..., None]
        x = torch.where(hidden, self.mask_token.to(x.dtype), x)
        blocks = self.backbone.encode_tokens(x, grid, keep_blocks=self.depths).blocks
        tokens = [blocks[depth] for depth in self.depths]
        grids = [size3(block.shape[1:4]) for block in tokens]
        return MaskedPredictions(
            values=self.pred_head(tokens),
            wanted=self.targets(clips, grids),
            hidden=tuple(spread(cells, size) for size in grids),
        )

    @torch.no_grad()
    def targets(self, clips: Tensor, grids: Sequence[Size3]) -> tuple[Tensor, ...]:
        """(B, T', H', W', K) float32 for each block that predicts: the HOG that its tokens cover.

        clips as the network gets them: normalising them changes their HOG by nothing but rounding
        """
        frames = clips[:, :, :: self.backbone.patch_embed.stride[0]].transpose(1, 2)
        found = hog(frames.flatten(0, 1)).flatten(1, 2)  # (B T', colours x bins, rows, columns)
        return tuple(
            _of_tokens(found, grid, cells).unflatten(0, (len(clips), -1))
            for grid, cells in zip(grids, self.cells, strict=True)
        )


def spread(cells: Tensor, grid: Size3) -> Tensor:
    """(B, t, h, w) -> (B, T, H, W) with T = t: each cell fills the tokens that it covers.

    Raises ValueError where t is another number, or h or w does not divide the grid.
    """
    t, h, w = cells.shape[1:]
    if t != grid[0] or grid[1] % h or grid[2] % w:
        raise ValueError(
            f"a mask of {(t, h, w)} cells does not fit on {grid} tokens: AUG.MASK_WINDOW_SIZE must have {grid[0]} times, "
            f"and numbers of rows and columns that divide {grid[1]} and {grid[2]}"
        )
    return cells.repeat_interleave(grid[1] // h, dim=2).repeat_interleave(grid[2] // w, dim=3)


def _stride_after(backbone: MViT, depth: int) -> Size3:
    """Pixels of the input that a token covers after a block."""
    stride = backbone.patch_embed.stride
    for spec in backbone.plan[: depth + 1]:
        stride = size3(s * q for s, q in zip(stride, spec.q_stride, strict=True))
    if stride[0] != backbone.patch_embed.stride[0]:
        raise ValueError(
            f"tokens of block {depth} cover {stride[0]} frames, and those of the first block "
            f"{backbone.patch_embed.stride[0]}: masks need queries that are not pooled over time (MVIT.POOL_Q_STRIDE)"
        )
    return stride


def _cells_of_token(stride: Size3, depth: int) -> tuple[int, int]:
    """(rows, columns) of HOG cells in a token."""
    if stride[1] % CELL or stride[2] % CELL:
        raise ValueError(
            f"a token of block {depth} covers {stride[1]} x {stride[2]} pixels, which is no whole number of HOG cells of "
            f"{CELL} x {CELL} (MASK.PRETRAIN_DEPTH, MVIT.POOL_Q_STRIDE, MVIT.PATCH_STRIDE)"
        )
    return stride[1] // CELL, stride[2] // CELL


def _of_tokens(found: Tensor, grid: Size3, cells: tuple[int, int]) -> Tensor:
    """(N, C, rows, columns) -> (N, H', W', C x cells of a token)."""
    (_, height, width), (high, wide) = grid, cells
    if found.shape[-2:] != (height * high, width * wide):
        raise ValueError(
            f"{height} x {width} tokens of {high} x {wide} HOG cells do not cover the clip's {found.shape[-2]} x "
            f"{found.shape[-1]} cells: DATA.TRAIN_CROP_SIZE and DATA.TEST_CROP_SIZE must be multiples of the last stride"
        )
    parts = found.unflatten(3, (width, wide)).unflatten(2, (height, high))  # (N, C, H', high, W', wide)
    return parts.permute(0, 2, 4, 1, 3, 5).flatten(3)
