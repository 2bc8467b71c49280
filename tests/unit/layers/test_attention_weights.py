"""The weights of attention, of which the fast paths give only what they make of them."""

import pytest
import torch

from slowfast.layers.attention import attention_weights
from slowfast.layers.pooling_attention import PoolingAttention
from slowfast.models.backbones.vit import ViTAttention


def pooling_attention(*, class_token: bool, residual_pooling: bool) -> PoolingAttention:
    torch.manual_seed(3)
    attention = PoolingAttention(
        12,
        dim_out=16,
        num_heads=2,
        q_kernel=(3, 3, 3),
        kv_kernel=(3, 3, 3),
        q_stride=(1, 2, 2),
        kv_stride=(1, 4, 4),
        rel_pos_sizes=(3, 7, 7),
        class_token=class_token,
        residual_pooling=residual_pooling,
    ).eval()
    for parameter in attention.parameters():
        torch.nn.init.normal_(parameter, std=0.5)  # far from uniform attention
    return attention


@pytest.mark.parametrize("class_token", [True, False])
@pytest.mark.parametrize("residual_pooling", [True, False])
@torch.no_grad()
def test_they_sum_to_one_and_give_what_the_module_gives(class_token, residual_pooling):
    attention, grid = pooling_attention(class_token=class_token, residual_pooling=residual_pooling), (2, 8, 8)
    x = torch.randn(2, int(class_token) + 128, 12)
    expected, _ = attention(x, grid)
    q, k, v, q_grid, k_grid = attention.queries_keys_values(x, grid)
    assert (q_grid, k_grid) == ((2, 4, 4), (2, 2, 2))
    weights = attention_weights(q, k, attention.tables, q_grid=q_grid, k_grid=k_grid, class_token=class_token)
    assert weights.shape == (2, 2, int(class_token) + 32, int(class_token) + 8)
    torch.testing.assert_close(weights.sum(-1), torch.ones(weights.shape[:-1]))
    assert weights.max() > 2 / weights.shape[-1]
    attended = (weights @ v).transpose(1, 2)
    if residual_pooling:
        attended = attended + torch.nn.functional.pad(
            q[:, :, int(class_token) :].transpose(1, 2), (0, 0, 0, 0, int(class_token), 0)
        )
    torch.testing.assert_close(attention.proj(attended.flatten(2)), expected, atol=1e-5, rtol=0)


@torch.no_grad()
def test_those_of_a_plain_vit():
    torch.manual_seed(0)
    attention = ViTAttention(12, num_heads=3).eval()
    torch.nn.init.normal_(attention.qkv.weight)
    x = torch.randn(2, 8, 12)
    q, k, v = attention.queries_keys_values(x)
    weights = attention_weights(q, k, (None,) * 3, q_grid=(2, 2, 2), k_grid=(2, 2, 2), class_token=False)
    made = attention.proj((weights @ v).transpose(1, 2).flatten(2))
    torch.testing.assert_close(made, attention(x, (2, 2, 2)), atol=1e-5, rtol=0)
