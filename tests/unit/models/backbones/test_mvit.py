import pytest
import torch

from slowfast.models.backbones.mvit import MViT
from slowfast.models.backbones.mvit_plan import plan_blocks

CLIP = torch.randn(2, 3, 4, 32, 32, generator=torch.Generator().manual_seed(0))


def tiny(**options: object) -> MViT:
    plan = plan_blocks(
        depth=3,
        embed_dim=8,
        num_heads=1,
        in_size=(2, 8, 8),
        dim_mul={1: 2.0},
        head_mul={1: 2.0},
        q_strides={0: (1, 1, 1), 1: (1, 2, 2), 2: (1, 1, 1)},
        kv_strides={},
        adaptive_kv_stride=(1, 4, 4),
    )
    torch.manual_seed(0)
    return MViT(plan, patch_kernel=(3, 7, 7), patch_stride=(2, 4, 4), patch_padding=(1, 3, 3), **options)


def test_promises_of_a_backbone():
    backbone = tiny()
    assert backbone(CLIP).shape == (2, 2, 4, 4, 16)
    assert (backbone.dim, backbone.stride, backbone.block_dims) == (16, (2, 8, 8), (8, 16, 16))


@pytest.mark.parametrize("position", ["none", "separable", "joint"])
@pytest.mark.parametrize("class_token", [True, False])
@pytest.mark.parametrize("size", [(4, 32, 32), (2, 16, 40), (6, 36, 20)])
def test_any_size_that_the_patch_stride_divides(position, class_token, size):
    backbone = tiny(position=position, class_token=class_token).eval()
    tokens = backbone(torch.randn(1, 3, *size))
    rounded_up = [-(-s // step) for s, step in zip(size, backbone.stride, strict=True)]
    assert list(tokens.shape[1:4]) == rounded_up and tokens.isfinite().all()


def test_a_size_that_it_does_not_divide():
    with pytest.raises(
        ValueError, match=r"T x H x W = \(4, 30, 32\) must be divisible by the patch stride \(2, 4, 4\)"
    ):
        tiny()(torch.randn(1, 3, 4, 30, 32))


def test_image_patches_are_clips_of_one_frame():
    plan = plan_blocks(
        depth=1, embed_dim=8, num_heads=1, in_size=(1, 8, 8), dim_mul={}, head_mul={}, q_strides={}, kv_strides={}
    )
    backbone = MViT(plan, patch_kernel=(7, 7), patch_stride=(4, 4), patch_padding=(3, 3), image=True)
    assert backbone(torch.randn(1, 3, 1, 32, 32)).shape == (1, 1, 8, 8, 8)
    with pytest.raises(ValueError, match=r"an image model takes clips of one frame, got 4 \(DATA.NUM_FRAMES\)"):
        backbone(CLIP)


@pytest.mark.parametrize("position", ["none", "separable"])
def test_every_parameter_gets_a_gradient_from_the_tokens(position):
    backbone = tiny(position=position)
    backbone(CLIP).square().sum().backward()
    assert [name for name, p in backbone.named_parameters() if p.grad is None or not p.grad.any()] in (
        [],
        ["norm.bias"],
    )


def test_checkpointing_changes_memory_only():
    plain, checkpointed = tiny().train(), tiny(act_checkpoint=True).train()
    for model in (plain, checkpointed):
        model(CLIP).square().mean().backward()
    for (name, a), b in zip(plain.named_parameters(), checkpointed.parameters(), strict=True):
        assert torch.allclose(a.grad, b.grad, rtol=1e-4, atol=1e-6), name


def test_drop_path_grows_to_its_rate_and_rests_in_eval():
    backbone = tiny(drop_path=0.4)
    assert [block.drop_path.rate for block in backbone.blocks] == pytest.approx([0, 0.2, 0.4])
    assert torch.equal(backbone.eval()(CLIP), tiny().eval()(CLIP))


def test_kept_blocks_are_those_before_the_norm():
    backbone = tiny().eval()
    encoded = backbone.encode(CLIP, keep_blocks=(0, 2))
    assert encoded.blocks[0].shape == (2, 2, 8, 8, 8)
    assert torch.allclose(backbone.norm(encoded.blocks[2]), encoded.tokens, atol=1e-6)


def test_positions_have_their_published_names_and_load_back():
    backbone = tiny(position="separable")
    state = backbone.state_dict()
    assert {"pos_embed_spatial", "pos_embed_temporal", "pos_embed_class"} <= set(state)
    copy = tiny(position="separable")
    torch.nn.init.zeros_(copy.position.spatial)
    copy.load_state_dict(state)
    assert torch.equal(copy.position.spatial, backbone.position.spatial)
    assert "pos_embed" in tiny(position="joint").state_dict()


def test_unknown_position():
    with pytest.raises(ValueError, match="position must be 'none', 'separable' or 'joint', got 'both'"):
        tiny(position="both")


def test_relative_positions_may_start_at_zero():
    assert not any(p.any() for name, p in tiny(rel_pos_zero_init=True).named_parameters() if "rel_pos" in name)
    assert all(p.any() for name, p in tiny().named_parameters() if "rel_pos" in name)


def test_a_fresh_network_starts_as_the_published_ones_do():
    """Biases of linear layers and norms at 0.02; weights and positions truncated normal, 0.02; norms at 1."""
    network = tiny(class_token=True, position="separable")
    biases = {name: tensor for name, tensor in network.named_parameters() if name.endswith(".bias")}
    of_convolutions = {name for name in biases if name.startswith("patch_embed")}
    assert len(biases) > 20 and len(of_convolutions) == 1
    for name in biases.keys() - of_convolutions:
        assert torch.equal(biases[name], torch.full_like(biases[name], 0.02)), name
    drawn = [
        parameter.flatten()
        for name, parameter in network.named_parameters()
        if "rel_pos" in name or name.endswith(("qkv.weight", "proj.weight", "fc1.weight", "fc2.weight", "cls_token"))
        if not name.startswith("patch_embed")
    ]
    assert len(drawn) > 20
    assert torch.cat(drawn).std().item() == pytest.approx(0.02, rel=0.05)
    assert all(tensor.std() > 0.01 for tensor in drawn)
    norms = [module for module in network.modules() if isinstance(module, torch.nn.LayerNorm)]
    assert all(torch.equal(norm.weight, torch.ones_like(norm.weight)) for norm in norms)
