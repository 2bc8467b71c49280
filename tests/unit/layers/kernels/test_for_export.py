"""What is taken while a graph is exported gives the numbers of the definitions."""

import pytest
import torch

from slowfast.layers import kernels
from slowfast.layers.attention import attend_plain
from slowfast.layers.kernels import choice, exported
from slowfast.layers.kernels.attention import attend_exported, attend_fused

GRIDS = [  # queries, keys
    ((2, 4, 4), (2, 2, 2)),
    ((3, 5, 7), (3, 3, 4)),
    ((4, 2, 3), (4, 4, 6)),
    ((1, 6, 5), (1, 2, 5)),
]
POOLINGS = [  # grid, kernel, stride
    ((4, 6, 7), (3, 3, 3), (1, 1, 1)),
    ((4, 8, 8), (3, 3, 3), (1, 2, 2)),
    ((1, 6, 5), (3, 3, 3), (1, 1, 1)),  # the kernel reaches past both ends of time
    ((2, 6, 6), (5, 3, 3), (1, 2, 2)),
    ((1, 6, 6), (1, 3, 3), (1, 2, 2)),
    ((4, 6, 6), (3, 3, 3), (2, 2, 2)),  # a stride in time
]


@pytest.mark.parametrize("class_token", [True, False])
@pytest.mark.parametrize(("q_grid", "k_grid"), GRIDS)
@pytest.mark.parametrize("axes", [(True, True, True), (False, True, True), (True, False, False), (False,) * 3])
def test_attention(q_grid, k_grid, class_token, axes):
    torch.manual_seed(0)
    lengths = [grid[0] * grid[1] * grid[2] + class_token for grid in (q_grid, k_grid, k_grid)]
    q, k, v = (torch.randn(2, 3, length, 12) for length in lengths)
    tables = tuple(torch.randn(9, 12) if used else None for used in axes)
    options = {"q_grid": q_grid, "k_grid": k_grid, "class_token": class_token}
    expected = attend_plain(q, k, v, tables, **options)
    torch.testing.assert_close(attend_exported(q, k, v, tables, **options), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("grid", "kernel", "stride"), POOLINGS)
def test_pooling(grid, kernel, stride):
    torch.manual_seed(0)
    x, weight = torch.randn(2, *grid, 8), torch.randn(8, 1, *kernel)
    with kernels.plain():
        expected = kernels.depthwise_conv(x, weight, stride)
    with kernels.for_export():
        found = kernels.depthwise_conv(x, weight, stride)
    assert found.shape == expected.shape
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("class_token", [True, False])
def test_attention_in_parts_of_the_queries(monkeypatch, class_token):
    torch.manual_seed(0)
    lengths = [60 + class_token, 12 + class_token, 12 + class_token]
    q, k, v = (torch.randn(2, 3, length, 12) for length in lengths)
    tables = (torch.randn(9, 12),) * 3
    options = {"q_grid": (3, 4, 5), "k_grid": (3, 2, 2), "class_token": class_token}
    expected = attend_plain(q, k, v, tables, **options)
    shapes, real = [], torch.Tensor.softmax
    monkeypatch.setattr(torch.Tensor, "softmax", lambda x, dim: (shapes.append(tuple(x.shape)), real(x, dim=dim))[1])
    monkeypatch.setattr(exported, "_LOGITS_AT_ONCE", 3 * lengths[1] * 25)
    found = attend_exported(q, k, v, tables, **options)
    assert len(shapes) == 3 and sum(shape[2] for shape in shapes) == lengths[0]
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("class_token", [True, False])
@pytest.mark.parametrize(
    ("grid", "kernel", "stride"), [*POOLINGS, ((2, 16, 9), (3, 3, 3), (1, 8, 4)), (GRIDS[0][0], None, (1, 1, 1))]
)
def test_projection_and_pooling(grid, kernel, stride, class_token):
    torch.manual_seed(0)
    x = torch.randn(2, grid[0] * grid[1] * grid[2] + class_token, 6)
    layers = ((torch.randn(8, 6), torch.randn(8)), (torch.randn(4, 6), None))
    projection = kernels.Projection(layers, None if kernel is None else torch.randn(12, 1, *kernel), stride)
    with kernels.plain():
        ((expected, expected_grid),) = kernels.project_and_pool(x, grid, projection, class_token=class_token)
    with kernels.for_export():
        ((found, found_grid),) = kernels.project_and_pool(x, grid, projection, class_token=class_token)
    assert found_grid == expected_grid
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-5)


def test_it_is_taken_inside_the_block_only(monkeypatch):
    taken = []
    for function in (attend_plain, attend_exported, attend_fused):
        name = function.__name__
        monkeypatch.setattr(f"slowfast.layers.kernels.attention.{name}", lambda *_, name=name, **__: taken.append(name))

    def ask():
        kernels.attend(None, None, None, (), q_grid=(1, 1, 1), k_grid=(1, 1, 1), class_token=False)
        return taken[-1]

    with pytest.raises(RuntimeError), kernels.for_export():
        assert ask() == "attend_exported"
        with kernels.plain():
            assert ask() == "attend_plain"
        raise RuntimeError
    assert ask() == "attend_fused" and not choice.is_for_export()
