"""Overlapping patch embedding: pixels to a grid of tokens (Fan et al. 2021, section 3.2)."""

from collections.abc import Sequence

from torch import Tensor, nn

from slowfast.layers.token_grid import Size3, size3


class PatchEmbed(nn.Module):
    """A strided convolution. clips (B, 3, T, H, W) -> tokens (B, T'H'W', dim) in order t, h, w, and (T', H', W').

    With `image=True` the kernel is 2-D and T must be 1: the published ImageNet models store a 2-D kernel.
    Raises ValueError when the stride does not divide the clip.
    """

    def __init__(
        self,
        dim: int,
        *,
        kernel: Sequence[int],
        stride: Sequence[int],
        padding: Sequence[int],
        image: bool = False,
        in_channels: int = 3,
    ) -> None:
        super().__init__()
        self.image = image
        self.stride = size3((1, *stride) if image else stride)
        self.proj: nn.Conv2d | nn.Conv3d
        if image:
            self.proj = nn.Conv2d(in_channels, dim, _pair(kernel), stride=_pair(stride), padding=_pair(padding))
        else:
            self.proj = nn.Conv3d(in_channels, dim, size3(kernel), stride=size3(stride), padding=size3(padding))

    def forward(self, clips: Tensor) -> tuple[Tensor, Size3]:
        size = tuple(clips.shape[2:])
        if any(s % step for s, step in zip(size, self.stride, strict=True)):
            raise ValueError(
                f"clip size T x H x W = {size} must be divisible by the patch stride {self.stride} (MVIT.PATCH_STRIDE)"
            )
        if self.image:
            if size[0] != 1:
                raise ValueError(f"an image model takes clips of one frame, got {size[0]} (DATA.NUM_FRAMES)")
            x = self.proj(clips.squeeze(2)).unsqueeze(2)
        else:
            x = self.proj(clips)
        return x.flatten(2).transpose(1, 2), size3(x.shape[2:])


def _pair(numbers: Sequence[int]) -> tuple[int, int]:
    h, w = numbers
    return h, w
