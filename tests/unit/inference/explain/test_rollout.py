"""Attention rollout against numbers made by hand, and poolings against the convolutions that they are."""

import pytest
import torch

from slowfast.inference.explain.rollout import BlockAttention, Pooling, rollout

LINE2, LINE4 = (1, 1, 2), (1, 1, 4)


def block(weights, grid=LINE2, q_grid=None, k_grid=None, *, class_token=False, keys=None, skip=None) -> BlockAttention:
    q_grid, k_grid = q_grid or grid, k_grid or grid
    return BlockAttention(torch.tensor(weights), grid, q_grid, k_grid, class_token, keys, skip)


def test_two_blocks_by_hand():
    first, second = block([[0.5, 0.5], [0.0, 1.0]]), block([[1.0, 0.0], [0.25, 0.75]])
    # (I + W) / 2 of each: [[.75, .25], [0, 1]] and [[1, 0], [.125, .875]]; the second times the first:
    expected = torch.tensor([[0.75, 0.25], [0.09375, 0.90625]])
    torch.testing.assert_close(rollout([first, second], torch.eye(2)).flatten(1), expected)
    mean = rollout([first, second], torch.tensor([[0.5, 0.5]]))
    assert mean.shape == (1, *LINE2)
    torch.testing.assert_close(mean.flatten(1), expected.mean(0, keepdim=True))


def test_a_pooled_key_stands_for_its_window():
    # Keys at places 0 and 2 of 4, a kernel of 1, 2, 1: the first sees places 0 and 1 as 2 : 1, as one lies outside.
    keys = Pooling(torch.tensor([[[1.0, 2.0, 1.0]]]), (1, 1, 2))
    one = block([[1.0, 0.0], [0.0, 1.0], [0.5, 0.5], [0.0, 1.0]], LINE4, k_grid=LINE2, keys=keys)
    half_skip, shares = 0.5 * torch.eye(4), torch.tensor([[2 / 3, 1 / 3, 0, 0], [0, 0.25, 0.5, 0.25]])
    expected = half_skip + 0.5 * one.weights @ shares
    torch.testing.assert_close(rollout([one], torch.eye(4)).flatten(1), expected)


def test_a_pooled_skip_is_shared_in_equal_parts():
    skip = Pooling(torch.ones(1, 1, 3), (1, 1, 2))
    one = block([[0.0, 0.0, 0.0, 1.0], [1.0, 0.0, 0.0, 0.0]], LINE4, q_grid=LINE2, k_grid=LINE4, skip=skip)
    expected = torch.tensor([[0.25, 0.25, 0, 0.5], [0.5, 1 / 6, 1 / 6, 1 / 6]])
    torch.testing.assert_close(rollout([one], torch.eye(2)).flatten(1), expected)


def test_the_class_token_is_left_out_at_the_end():
    weights = [[1.0, 0.0, 0.0], [0.5, 0.5, 0.0], [0.0, 0.5, 0.5]]
    # The row of the first place: half to itself, a quarter to the class token, a quarter to itself again.
    made = rollout([block(weights, class_token=True)], torch.eye(2)).flatten(1)
    torch.testing.assert_close(made, torch.tensor([[1.0, 0.0], [0.25, 0.75]]))


@pytest.mark.parametrize("grid", [(3, 8, 7), (2, 9, 10)])
@pytest.mark.parametrize("stride", [(1, 2, 2), (1, 4, 4), (2, 1, 1), (1, 1, 1)])
def test_spreading_is_the_pooling_backwards(grid, stride):
    """Against the matrix of the convolution itself, column by column, scaled to rows of sum 1."""
    torch.manual_seed(0)
    kernel = torch.rand(3, 3, 3)
    places = torch.eye(grid[0] * grid[1] * grid[2]).unflatten(1, (1, *grid))
    pooled = torch.nn.functional.conv3d(places, kernel[None, None], stride=stride, padding=1)
    matrix = pooled.flatten(1).T  # (pooled, places)
    expected = matrix / matrix.sum(1, keepdim=True)
    made = Pooling(kernel, stride).spread(torch.eye(len(matrix)), grid, tuple(pooled.shape[2:]))
    torch.testing.assert_close(made, expected)


def test_a_kernel_of_zeros_and_no_block():
    made = Pooling(torch.zeros(1, 1, 3), (1, 1, 2)).spread(torch.eye(2), LINE4, LINE2)
    torch.testing.assert_close(made, torch.tensor([[0.5, 0.5, 0, 0], [0, 1 / 3, 1 / 3, 1 / 3]]))
    with pytest.raises(ValueError, match="a rollout needs at least one block"):
        rollout([], torch.eye(2))
