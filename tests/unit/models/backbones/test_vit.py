import math

import pytest
import torch

from slowfast.models.backbones.vit import ViT, ViTAttention, sinusoid_table

CLIP = torch.randn(2, 3, 4, 32, 48, generator=torch.Generator().manual_seed(0))


def tiny(**options: object) -> ViT:
    torch.manual_seed(0)
    return ViT(
        **({"depth": 3, "dim": 24, "num_heads": 2, "tubelet": (2, 16, 16), "pretraining_size": (4, 32, 48)} | options)
    )


def test_promises_of_a_backbone():
    vit = tiny().eval()
    assert vit(CLIP).shape == (2, 2, 2, 3, vit.dim)
    assert vit.stride == (2, 16, 16) and vit.block_dims == (24, 24, 24)


def test_names_are_videomaes():
    names = set(tiny().state_dict())
    assert {
        "patch_embed.proj.weight",
        "blocks.0.attn.qkv.weight",
        "blocks.0.attn.q_bias",
        "blocks.0.attn.v_bias",
    } <= names
    assert {"blocks.2.mlp.fc2.bias", "blocks.0.attn.proj.bias", "norm.weight"} <= names
    assert not any("position" in name or name.endswith(("qkv.bias", "k_bias")) for name in names)


def test_sinusoids_by_hand():
    table = sinusoid_table(3, 4)[0]
    assert table[0].tolist() == [0, 1, 0, 1]
    expected = [math.sin(2), math.cos(2), math.sin(2 / 100), math.cos(2 / 100)]
    assert table[2].tolist() == pytest.approx(expected, abs=1e-6)


def test_attention_against_the_definition():
    torch.manual_seed(0)
    attention = ViTAttention(8, num_heads=2)
    with torch.no_grad():
        attention.q_bias.normal_()
        attention.v_bias.normal_()
    x = torch.randn(1, 6, 8)
    q, k, v = x @ attention.qkv.weight.T.unflatten(1, (3, 8)).permute(1, 0, 2)[:, None]
    q, v = q + attention.q_bias, v + attention.v_bias
    heads = []
    for columns in (slice(0, 4), slice(4, 8)):
        weights = (q[..., columns] @ k[..., columns].transpose(1, 2) / 2).softmax(-1)
        heads.append(weights @ v[..., columns])
    expected = attention.proj(torch.cat(heads, dim=-1))
    assert torch.allclose(attention(x, (1, 2, 3)), expected, atol=1e-6)


def test_any_size_that_the_tubelet_divides_and_no_other():
    vit = tiny().eval()
    assert vit(CLIP[..., :32]).shape == (2, 2, 2, 2, 24)
    with pytest.raises(ValueError, match=r"must be divisible by the patch stride \(2, 16, 16\)"):
        vit(CLIP[..., :40])


def test_checkpointing_changes_memory_only():
    plain, checkpointed = tiny().train(), tiny(act_checkpoint=True).train()
    for model in (plain, checkpointed):
        model(CLIP).square().mean().backward()
    for (name, a), b in zip(plain.named_parameters(), checkpointed.parameters(), strict=True):
        assert torch.allclose(a.grad, b.grad, atol=1e-7), name


def test_drop_path_grows_to_its_rate_and_rests_in_eval():
    vit = tiny(drop_path=0.5)
    assert [block.drop_path.rate for block in vit.blocks] == pytest.approx([0, 0.25, 0.5])
    vit.train()
    torch.manual_seed(1)
    assert not torch.equal(vit(CLIP), vit(CLIP))
    vit.eval()
    assert torch.equal(vit(CLIP), vit(CLIP))


def test_kept_blocks_are_those_before_the_norm():
    vit = tiny().eval()
    encoded = vit.encode(CLIP, keep_blocks=(0, 2))
    assert set(encoded.blocks) == {0, 2} and encoded.class_token is None
    assert torch.allclose(vit.norm(encoded.blocks[2]), encoded.tokens)


def test_heads_must_divide_the_width():
    with pytest.raises(
        ValueError, match=r"width 24 must be divisible by its 5 heads \(MVIT.EMBED_DIM, MVIT.NUM_HEADS\)"
    ):
        tiny(num_heads=5)
