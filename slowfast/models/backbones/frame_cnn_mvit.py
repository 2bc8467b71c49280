"""FrameCNNMViT: an image network on each frame, what moved between frames, and MViT blocks over space and time.

Ours, for real-time detection: a frame goes through the image network once, whatever clips it is in, and the image network
may start from the published ImageNet weights. The paper's backbone is MViTv2.
"""

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from slowfast.layers.local_correlation import local_correlation
from slowfast.layers.mvit_block import BlockSpec, MultiScaleBlock
from slowfast.layers.token_grid import Size3, size3
from slowfast.models.backbones.frame_cnn import FrameCNN, folded
from slowfast.models.encoded import Encoded

STRIDES = (8, 16, 32)  # of the image network's maps: the first one tells what moved, the others become tokens


class MotionStem(nn.Module):
    """What moved between frames: maps of stride 8, (B, T, H, W, C), and of stride 16, (B, T, H / 2, W / 2, C')
    -> (B, T, H / 2, W / 2, channels).

    Two kinds of evidence, both learned from: how the fine map differs from the one of the frame before, and how much each
    place of the coarse map looks like the places around it in the frame before (`local_correlation`). The first frame is
    compared with the next one.

    radius: of the places around, in places of the coarse map; 0 leaves the second kind out
    """

    def __init__(self, fine: int, channels: int, *, radius: int, hidden: int = 32) -> None:
        super().__init__()
        self.radius = radius
        self.change = nn.Linear(2 * fine, hidden)
        self.gather = nn.Linear(4 * hidden, channels)
        self.compare = nn.Linear((2 * radius + 1) ** 2, channels)

    def forward(self, fine: Tensor, coarse: Tensor) -> Tensor:
        x = F.normalize(fine, dim=-1, eps=1e-6)
        change = x - torch.cat([x[:, min(1, x.shape[1] - 1)][:, None], x[:, :-1]], dim=1)
        moved = F.relu(self.change(torch.cat([change, change.abs()], dim=-1)))
        b, t, h, w, c = moved.shape
        moved = moved.reshape(b, t, h // 2, 2, w // 2, 2, c).permute(0, 1, 2, 4, 3, 5, 6).flatten(4)
        return F.gelu(self.gather(moved) + self.compare(local_correlation(coarse, self.radius)))


class TimeFold(nn.Module):
    """maps (B, T, H, W, C) -> (B, T / stride, H, W, 2 C): over `stride` frames two weighted sums of each channel.

    At the start the first sum looks at the two frames around the middle, the second one at all alike.
    """

    def __init__(self, channels: int, *, stride: int) -> None:
        super().__init__()
        middle = torch.zeros(stride)
        middle[max(stride // 2 - 1, 0) : stride // 2 + 1] = 1
        start = torch.stack([middle / middle.sum(), torch.full((stride,), 1 / stride)], dim=1)
        self.weight = nn.Parameter(start[:, None, :].repeat(1, channels, 1))  # (stride, C, 2)
        self.stride = stride

    def forward(self, maps: Tensor) -> Tensor:
        b, t, h, w, c = maps.shape
        groups = maps.reshape(b, t // self.stride, self.stride, h, w, c)
        return torch.einsum("bgshwc,sck->bghwkc", groups, self.weight).flatten(4)


class FrameCNNMViT(nn.Module):
    """clips (B, 3, T, H, W), normalised RGB -> tokens (B, T / time_stride, H / 16, W / 16, C) after the last norm.

    In place of clips it takes frame features, (B, F, T, H / 32, W / 32) as `frame_features` makes them: a channel count
    other than 3 tells. H and W are multiples of 32, T of `time_stride`.

    plan:            one BlockSpec per block over the tokens of a clip (`plan_blocks`), none of which may shrink the grid
    time_stride:    frames that are folded into one token before the first block, each weighed channel by channel
    motion_channels: channels a frame that tell what moved since the one before; 0 for none
    motion_radius:  how far what moved is looked for, in tokens
    input_dropout:  of whole channels of the image network's maps, the same in all frames of a clip
    drop_path:      rate of the last block; it grows linearly from 0 at the first
    act_checkpoint: recompute each block in the backward pass instead of keeping its activations
    """

    def __init__(
        self,
        plan: Sequence[BlockSpec],
        *,
        time_stride: int,
        motion_radius: int = 2,
        motion_channels: int = 32,
        input_dropout: float = 0.0,
        drop_path: float = 0.0,
        mlp_ratio: float = 4.0,
        qkv_bias: bool = True,
        rel_pos_temporal: bool = True,
        rel_pos_spatial: bool = True,
        residual_pooling: bool = True,
        act_checkpoint: bool = False,
    ) -> None:
        super().__init__()
        if any(spec.q_stride != (1, 1, 1) for spec in plan):
            raise ValueError(
                "the tokens of FrameCNNMViT keep stride 16: no block may pool its queries (MVIT.POOL_Q_STRIDE)"
            )
        self.plan, self.act_checkpoint = tuple(plan), act_checkpoint
        dim = plan[0].dim_in
        self.frames = FrameCNN(strides=STRIDES)
        fine, middle, coarse = self.frames.dims
        self.folds = nn.ModuleList(TimeFold(channels, stride=time_stride) for channels in (middle, coarse))
        self.scales = nn.ModuleList(nn.LayerNorm(2 * channels, eps=1e-6) for channels in (middle, coarse))
        self.lateral = nn.ModuleList(nn.Linear(2 * channels, dim) for channels in (middle, coarse))
        self.time_stride = time_stride
        self.motion: MotionStem | None = None
        self.moved: nn.Linear | None = None
        if motion_channels:
            self.motion = MotionStem(fine, motion_channels, radius=motion_radius)
            self.moved = nn.Linear(time_stride * motion_channels, dim)
        self.input_dropout = nn.Dropout2d(input_dropout)
        rates = torch.linspace(0, drop_path, len(plan), device="cpu").tolist()
        self.blocks = nn.ModuleList(
            MultiScaleBlock(
                spec,
                class_token=False,
                rel_pos_temporal=rel_pos_temporal,
                rel_pos_spatial=rel_pos_spatial,
                residual_pooling=residual_pooling,
                mlp_ratio=mlp_ratio,
                qkv_bias=qkv_bias,
                drop_path=rate,
            )
            for spec, rate in zip(plan, rates, strict=True)
        )
        self.norm: nn.Module = nn.LayerNorm(plan[-1].dim_out, eps=1e-6)
        for name, module in self.named_modules():
            if isinstance(module, nn.Linear) and name.startswith("blocks."):
                nn.init.trunc_normal_(module.weight, std=0.02)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    @property
    def dim(self) -> int:
        """Channels of the output tokens."""
        return self.plan[-1].dim_out

    @property
    def block_dims(self) -> tuple[int, ...]:
        """Channels that each block leaves."""
        return tuple(spec.dim_out for spec in self.plan)

    @property
    def stride(self) -> Size3:
        """Pixels of the input that one output token covers along (T, H, W)."""
        return (self.time_stride, STRIDES[1], STRIDES[1])

    @property
    def layers(self) -> tuple[tuple[str, ...], ...]:
        """Beginnings of the names of its layers' parameters, input first, for layer-wise learning rates."""
        image = ("frames.stem.", *(f"frames.blocks.{n}." for n in range(len(self.frames.blocks))))
        join = ("folds.", "scales.", "lateral.", "motion.", "moved.")
        blocks = (f"blocks.{n}." for n in range(len(self.blocks)))
        return (*((name,) for name in image), join, *((name,) for name in blocks))

    @property
    def feature_stride(self) -> int:
        """Pixels along each side of a frame that one place of `frame_features` covers."""
        return STRIDES[-1]

    @property
    def feature_channels(self) -> int:
        """Channels F of `frame_features`."""
        return sum(dim * (STRIDES[-1] // stride) ** 2 for dim, stride in zip(self.frames.dims, STRIDES, strict=True))

    def frame_features(self, frames: Tensor) -> Tensor:
        """frames (N, 3, H, W), normalised RGB -> (N, F, H / 32, W / 32), what the rest of the network needs of each.

        The maps of all strides, those of a finer stride with their places packed into channels.
        """
        return _packed(self.frames(frames))

    def folded_frames(self) -> Callable[[Tensor], Tensor]:
        """`frame_features` with the weights as they are now, faster and for evaluation only (`frame_cnn.folded`)."""
        network = folded(self.frames)
        return lambda frames: _packed(network(frames.contiguous(memory_format=torch.channels_last)))

    def forward_features(self, features: Tensor) -> Tensor:
        """(B, F, T, H / 32, W / 32), the `frame_features` of the T frames of each clip in their order -> what `forward`
        gives.
        """
        return self._encode(features).tokens

    def encode(self, clips: Tensor, *, keep_blocks: Sequence[int] = ()) -> Encoded:
        """Run the network: the final tokens, and the outputs of the blocks named in `keep_blocks`. No class token."""
        if clips.shape[1] == 3:
            features = self.frame_features(clips.transpose(1, 2).flatten(0, 1))
            clips = features.unflatten(0, (clips.shape[0], clips.shape[2])).transpose(1, 2)
        return self._encode(clips, keep_blocks)

    def forward(self, clips: Tensor) -> Tensor:
        return self.encode(clips).tokens

    def _encode(self, features: Tensor, keep_blocks: Sequence[int] = ()) -> Encoded:
        if features.shape[1] != self.feature_channels:
            raise ValueError(
                f"frame features have {self.feature_channels} channels, got {tuple(features.shape)}; clips have 3"
            )
        if features.shape[2] % self.time_stride:
            raise ValueError(
                f"{features.shape[2]} frames of a clip (DATA.NUM_FRAMES) must be divisible by {self.time_stride} "
                "(MVIT.PATCH_STRIDE)"
            )
        x = self._tokens(features)
        grid = size3(x.shape[1:4])
        x, kept = x.flatten(1, 3), {}
        for index, block in enumerate(self.blocks):
            if self.act_checkpoint and self.training:
                x, _ = checkpoint(block, x, grid, use_reentrant=False)
            else:
                x, _ = block(x, grid)
            if index in keep_blocks:
                kept[index] = x.unflatten(1, grid)
        return Encoded(self.norm(x).unflatten(1, grid), None, kept)

    def _tokens(self, features: Tensor) -> Tensor:
        """(B, F, T, H / 32, W / 32) -> (B, T / time_stride, H / 16, W / 16, dim)."""
        packed = features.to(next(self.folds.parameters()).dtype)
        if self.training:
            packed = self._drop_channels(packed)
        maps, start = [], 0
        for dim, stride in zip(self.frames.dims, STRIDES, strict=True):
            end = start + dim * (STRIDES[-1] // stride) ** 2
            maps.append(_unpacked(packed[:, start:end], STRIDES[-1] // stride))
            start = end
        fine, middle, coarse = maps
        x, wide = (
            lateral(scale(fold(m)))
            for m, fold, scale, lateral in zip((middle, coarse), self.folds, self.scales, self.lateral, strict=True)
        )
        x = x + wide.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
        if self.motion is None or self.moved is None:
            return x
        moved = self.motion(fine, middle).unflatten(1, (-1, self.time_stride)).permute(0, 1, 3, 4, 2, 5)
        return x + self.moved(moved.flatten(4))

    def _drop_channels(self, packed: Tensor) -> Tensor:
        """Whole channels of a clip, of all its frames and of all places that are packed into them, set to 0."""
        if not self.input_dropout.p:
            return packed
        keep = []
        for dim, stride in zip(self.frames.dims, STRIDES, strict=True):
            ones = packed.new_ones(len(packed), dim, 1, 1)
            if stride == STRIDES[-1] or stride == STRIDES[1]:
                ones = self.input_dropout(ones)
            keep.append(ones.flatten(1).repeat_interleave((STRIDES[-1] // stride) ** 2, dim=1))
        return packed * torch.cat(keep, dim=1)[:, :, None, None, None]


def _packed(maps: Sequence[Tensor]) -> Tensor:
    """Maps (N, C, H / stride, W / stride) of all strides -> (N, F, H / 32, W / 32), places of finer ones in channels."""
    return torch.cat(
        [F.pixel_unshuffle(m, STRIDES[-1] // stride) for m, stride in zip(maps, STRIDES, strict=True)], dim=1
    )


def _unpacked(packed: Tensor, factor: int) -> Tensor:
    """(B, C factor^2, T, h, w) -> (B, T, h factor, w factor, C): the reverse of `pixel_unshuffle`, channels last."""
    b, _, t, h, w = packed.shape
    x = packed.reshape(b, -1, factor, factor, t, h, w)
    return x.permute(0, 4, 5, 2, 6, 3, 1).reshape(b, t, h * factor, w * factor, -1)
