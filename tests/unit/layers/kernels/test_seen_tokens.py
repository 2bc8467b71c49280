"""Pooling the tokens that windows see gives what pooling all tokens gives, and attention makes keys of no others."""

import pytest
import torch
import torch.nn.functional as F

from slowfast.layers import kernels
from slowfast.layers.kernels import projection
from slowfast.layers.kernels.seen_tokens import close_windows, seen_tokens
from slowfast.layers.mvit_block import BlockSpec, MultiScaleBlock

POOLINGS = [  # kernel, stride
    ((3, 3, 3), (1, 8, 8)),
    ((3, 3, 3), (1, 4, 4)),
    ((3, 3, 3), (1, 8, 4)),
    ((1, 3, 3), (2, 5, 4)),
    ((3, 5, 3), (4, 7, 3)),
    ((1, 1, 1), (1, 3, 2)),
]
SIZES = (1, 2, 7, 8, 9, 10, 16, 17)


def brute_force(size, kernel, stride):
    """Positions of an axis that some window of the pooling covers."""
    windows = range((size + 2 * (kernel // 2) - kernel) // stride + 1)
    corners = [window * stride - kernel // 2 for window in windows]
    return [at for at in range(size) if any(corner <= at < corner + kernel for corner in corners)]


@pytest.mark.parametrize("class_token", [True, False])
@pytest.mark.parametrize(("kernel", "stride"), POOLINGS)
def test_pooling_what_is_seen_is_pooling_everything(kernel, stride, class_token):
    torch.manual_seed(0)
    padding = [k // 2 for k in kernel]
    pool = torch.nn.Conv3d(4, 4, kernel, stride=stride, padding=padding, groups=4, bias=False)
    for height in SIZES:
        for width in SIZES:
            grid = (4, height, width)
            x = torch.randn(2, class_token + 4 * height * width, 4)
            seen, (seen_grid, new_stride) = (
                seen_tokens(x, grid, kernel, stride, class_token),
                close_windows(grid, kernel, stride),
            )
            if class_token:
                assert torch.equal(seen[:, 0], x[:, 0])
            expected = pool(x[:, class_token:].unflatten(1, grid).permute(0, 4, 1, 2, 3))
            on_grid = seen[:, class_token:].unflatten(1, seen_grid).permute(0, 4, 1, 2, 3)
            found = F.conv3d(on_grid, pool.weight, stride=new_stride, padding=padding, groups=4)
            torch.testing.assert_close(found, expected)


@pytest.mark.parametrize(("kernel", "stride"), [(3, 4), (3, 8), (5, 7), (1, 3), (1, 2)])
def test_exactly_the_positions_in_a_window(kernel, stride):
    for size in range(1, 30):
        positions = torch.arange(size, dtype=torch.float32).view(1, size, 1)
        seen = (
            seen_tokens(positions, (1, 1, size), (1, 1, kernel), (1, 1, stride), class_token=False).flatten().tolist()
        )
        assert seen == brute_force(size, kernel, stride)


def test_mvitv2_s_by_hand():
    assert close_windows((8, 56, 56), (3, 3, 3), (1, 8, 8)) == ((8, 20, 20), (1, 3, 3))  # 7 windows of 3, the first cut
    assert close_windows((8, 56, 56), (3, 3, 3), (1, 4, 4)) == ((8, 41, 41), (1, 3, 3))


@pytest.mark.parametrize(
    ("kernel", "stride"),
    [((3, 3, 3), (1, 2, 2)), ((3, 3, 3), (1, 1, 1)), ((1, 9, 9), (1, 8, 8)), ((1, 2, 2), (1, 4, 4))],
)
def test_poolings_without_gaps_and_even_kernels_stay_as_they_are(kernel, stride):
    assert close_windows((8, 16, 16), kernel, stride) == ((8, 16, 16), stride)


@pytest.mark.parametrize("class_token", [True, False])
@pytest.mark.parametrize("separate_qkv", [True, False])
def test_block_values_and_gradients_are_those_with_keys_of_all_tokens(class_token, separate_qkv):
    torch.manual_seed(0)
    spec = BlockSpec(8, 16, 16, 2, (2, 12, 20), (1, 2, 2), (1, 4, 4), (3, 3, 3), (3, 3, 3))
    options = dict.fromkeys(("rel_pos_temporal", "rel_pos_spatial", "residual_pooling"), True)
    block = MultiScaleBlock(spec, class_token=class_token, separate_qkv=separate_qkv, **options).double()
    for parameter in block.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    grid = (2, 13, 19)  # other than planned, and the strides do not divide it
    x = torch.randn(2, class_token + 2 * 13 * 19, 8, dtype=torch.float64, requires_grad=True)
    inputs, results = (x, *block.parameters()), []
    for plain in (False, True):
        if plain:
            with kernels.plain():
                out, out_grid = block(x, grid)
        else:
            out, out_grid = block(x, grid)
        direction = torch.randn(out.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
        results.append((out_grid, out, *torch.autograd.grad(out, inputs, direction)))
    (found_grid, *found), (expected_grid, *expected) = results
    assert found_grid == expected_grid == (2, 7, 10)
    largest = max(tensor.abs().max() for tensor in expected)
    for a, b in zip(found, expected, strict=True):
        size = b.abs().max()
        # What all keys share cancels in the softmax: such a gradient is zero but for rounding on both paths.
        assert (a - b).abs().max() <= 1e-10 * (size if size > 1e-9 * largest else largest)


def test_keys_and_values_of_other_tokens_are_not_projected(monkeypatch):
    """Rows that the projections of a block are given: queries of all 1 + 2 * 16 * 16 tokens, keys of 1 + 2 * 11 * 11."""
    rows, spec = [], BlockSpec(8, 8, 8, 1, (2, 16, 16), (1, 1, 1), (1, 4, 4), (3, 3, 3), (3, 3, 3))
    options = dict.fromkeys(("rel_pos_temporal", "rel_pos_spatial", "residual_pooling", "class_token"), True)
    block = MultiScaleBlock(spec, **options)
    real = projection.linear
    monkeypatch.setattr(projection, "linear", lambda x, *layer: rows.append(x.shape[1]) or real(x, *layer))
    x = torch.randn(1, 513, 8)
    block(x, (2, 16, 16))
    with kernels.plain():
        block(x, (2, 16, 16))
    assert rows == [513, 243, 513, 513]
