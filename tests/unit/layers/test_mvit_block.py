"""The layers are one graph under torch.compile, work on the meta device and under inference mode, and name errors."""

import pytest
import torch

from slowfast.layers.mvit_block import BlockSpec, MultiScaleBlock
from slowfast.layers.pooling_attention import PoolingAttention
from slowfast.models.backbones.mvit import MViT
from slowfast.models.backbones.mvit_plan import plan_blocks


def tiny_mvit(*, class_token: bool = True, **options) -> MViT:
    torch.manual_seed(0)
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
    patches = {"patch_kernel": (3, 7, 7), "patch_stride": (2, 4, 4), "patch_padding": (1, 3, 3)}
    return MViT(plan, **patches, class_token=class_token, **options)


@pytest.mark.long
@pytest.mark.parametrize("class_token", [True, False])
@pytest.mark.parametrize("training", [True, False])
def test_compile_has_no_graph_breaks(class_token, training):
    torch._dynamo.reset()
    model = tiny_mvit(class_token=class_token, drop_path=0.1).train(training)
    with torch.set_grad_enabled(training):
        report = torch._dynamo.explain(model)(torch.randn(2, 3, 4, 32, 32))
    assert report.graph_break_count == 0, report.break_reasons
    assert report.graph_count == 1


@pytest.mark.long
@pytest.mark.parametrize("training", [True, False])
def test_compile_has_no_graph_breaks_at_full_size(training):
    """Large layers ask which kernel to take, small ones do not: none of the questions may cut the graph."""
    torch._dynamo.reset()
    spec = BlockSpec(96, 192, 192, 2, (8, 56, 56), (1, 2, 2), (1, 4, 4), (3, 3, 3), (3, 3, 3))
    options = dict.fromkeys(("class_token", "rel_pos_temporal", "rel_pos_spatial", "residual_pooling"), True)
    block = MultiScaleBlock(spec, drop_path=0.1, **options).train(training)
    with torch.set_grad_enabled(training):
        report = torch._dynamo.explain(block)(torch.randn(1, 1 + 8 * 56 * 56, 96), (8, 56, 56))
    assert report.graph_break_count == 0, report.break_reasons
    assert report.graph_count == 1


def test_inference_before_training_on_a_new_grid():
    model = tiny_mvit()
    clips = torch.randn(1, 3, 8, 32, 64)
    with torch.inference_mode():
        model.eval()(clips)
    model.train()(clips).sum().backward()
    assert all(torch.isfinite(parameter.grad).all() for parameter in model.parameters())


def test_meta_device_gives_shapes():
    with torch.device("meta"):
        tokens = tiny_mvit()(torch.empty(2, 3, 4, 32, 32))
    assert tokens.device.type == "meta" and tokens.shape == (2, 2, 4, 4, 16)


def test_checkpointed_blocks_have_the_same_gradients():
    clips = torch.randn(1, 3, 4, 32, 32)
    gradients = []
    for act_checkpoint in (False, True):
        model = tiny_mvit(act_checkpoint=act_checkpoint).train()
        gradients.append(torch.autograd.grad(model(clips).square().sum(), list(model.parameters())[1:4]))
    for a, b in zip(*gradients, strict=True):
        torch.testing.assert_close(a, b)


def test_heads_must_divide_the_width():
    sizes = {"q_stride": (1, 1, 1), "kv_stride": (1, 1, 1), "rel_pos_sizes": (0, 0, 0)}
    with pytest.raises(ValueError, match=r"attention width 10 must be divisible by its 3 heads \(MVIT.EMBED_DIM"):
        PoolingAttention(
            8,
            dim_out=10,
            num_heads=3,
            q_kernel=None,
            kv_kernel=None,
            **sizes,
            class_token=False,
            residual_pooling=False,
        )


def test_projections_may_be_separate():
    """One qkv projection and three with the same weights are the same function."""
    strides = {"q_strides": {0: (1, 2, 2)}, "kv_strides": {}, "adaptive_kv_stride": (1, 4, 4)}
    (spec,) = plan_blocks(depth=1, embed_dim=8, num_heads=2, in_size=(2, 4, 4), dim_mul={}, head_mul={}, **strides)
    options = {"class_token": True, "rel_pos_temporal": True, "rel_pos_spatial": True, "residual_pooling": True}
    together, apart = MultiScaleBlock(spec, **options), MultiScaleBlock(spec, **options, separate_qkv=True)
    state = together.state_dict()
    for name in ("weight", "bias"):
        for letter, part in zip("qkv", state.pop(f"attn.qkv.{name}").chunk(3), strict=True):
            state[f"attn.{letter}.{name}"] = part
    apart.load_state_dict(state)
    x = torch.randn(2, 33, 8)
    torch.testing.assert_close(apart(x, (2, 4, 4))[0], together(x, (2, 4, 4))[0])
