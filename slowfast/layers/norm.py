"""The norm of the blocks, whose results are as wide as the matrix products behind it read them."""

from torch import Tensor, nn

from slowfast.layers.precision import autocast_type


class LayerNorm(nn.LayerNorm):
    """Layer norm (Ba et al. 2016): (..., C) -> the same shape.

    Statistics are always float32. Under autocast so is all else up to the result, which is rounded once to autocast's
    type, where PyTorch leaves it in float32: the products behind it would round it themselves, and until then it takes twice
    the bytes.
    """

    def forward(self, x: Tensor) -> Tensor:
        dtype = autocast_type(x.device)
        return super().forward(x) if dtype is None else super().forward(x.float()).to(dtype)
