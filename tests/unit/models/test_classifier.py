import pytest
import torch
from torch import nn

from slowfast.models.backbones.mvit import MViT
from slowfast.models.backbones.mvit_plan import plan_blocks
from slowfast.models.classifier import ProjectionHead, VideoClassifier


def tiny_mvit(*, class_token: bool = True) -> MViT:
    plan = plan_blocks(
        depth=2,
        embed_dim=8,
        num_heads=1,
        in_size=(2, 4, 4),
        dim_mul={1: 2.0},
        head_mul={1: 2.0},
        q_strides={0: (1, 1, 1), 1: (1, 2, 2)},
        kv_strides={},
        adaptive_kv_stride=(1, 2, 2),
    )
    return MViT(plan, patch_kernel=(3, 7, 7), patch_stride=(2, 4, 4), patch_padding=(1, 3, 3), class_token=class_token)


class TokensOnly(nn.Module):
    """The least a backbone may be."""

    dim, stride = 4, (1, 8, 8)

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(4))

    def forward(self, clips: torch.Tensor) -> torch.Tensor:
        batch, _, frames, height, width = clips.shape
        return (
            clips.mean((1, 3, 4))[:, :, None, None, None].expand(batch, frames, height // 8, width // 8, 4)
            * self.weight
        )


CLIP = torch.randn(2, 3, 4, 16, 16, generator=torch.Generator().manual_seed(0))


def test_class_token_goes_to_the_head():
    model = VideoClassifier(tiny_mvit(), num_classes=5).eval()
    assert torch.equal(model(CLIP), model.head.projection(model.backbone.encode(CLIP).class_token))


def test_without_class_token_the_mean_of_the_normed_tokens():
    model = VideoClassifier(tiny_mvit(class_token=False), num_classes=5).eval()
    assert torch.allclose(model(CLIP), model.head.projection(model.backbone(CLIP).flatten(1, 3).mean(1)))


def test_mean_pooling_takes_the_mean_before_the_norm():
    model = VideoClassifier(tiny_mvit(), num_classes=5, mean_pooling=True).eval()
    with torch.no_grad():
        model.backbone.norm.weight.uniform_(0.5, 2.0)
        last = model.backbone.encode(CLIP, keep_blocks=(1,)).blocks[1].flatten(1, 3)
        expected = model.head.projection(model.backbone.norm(last.mean(1)))
        assert torch.allclose(model(CLIP), expected, atol=1e-6)
        other_order = model.head.projection(model.backbone.norm(last).mean(1))
        assert not torch.allclose(model(CLIP), other_order, atol=1e-3)


def test_same_logits_in_train_and_eval():
    model = VideoClassifier(tiny_mvit(), num_classes=5)
    assert torch.equal(model.train()(CLIP), model.eval()(CLIP))


def test_a_backbone_with_tokens_only():
    model = VideoClassifier(TokensOnly(), num_classes=3)
    assert model(CLIP).shape == (2, 3)
    with pytest.raises(ValueError, match=r"TokensOnly has no `norm` .*MVIT\.USE_MEAN_POOLING"):
        VideoClassifier(TokensOnly(), num_classes=3, mean_pooling=True)


def test_state_dict_has_no_backbone_prefix_and_loads_back():
    model, copy = (VideoClassifier(tiny_mvit(), num_classes=5) for _ in range(2))
    state = model.state_dict()
    assert "blocks.0.attn.qkv.weight" in state and "head.projection.weight" in state
    assert not any(name.startswith("backbone.") for name in state)
    copy.load_state_dict(state)
    assert torch.equal(model.eval()(CLIP), copy.eval()(CLIP))


def test_initial_scale_of_the_head():
    torch.manual_seed(0)
    plain = VideoClassifier(tiny_mvit(), num_classes=5)
    torch.manual_seed(0)
    scaled = VideoClassifier(tiny_mvit(), num_classes=5, init_scale=0.001)
    assert torch.allclose(scaled.head.projection.weight, 0.001 * plain.head.projection.weight)
    assert torch.allclose(scaled.head.projection.bias, torch.full((5,), 0.02 * 0.001))


def test_a_fresh_head_starts_as_the_published_ones_do():
    torch.manual_seed(0)
    head = ProjectionHead(64, num_classes=100).projection
    assert torch.equal(head.bias, torch.full((100,), 0.02))
    assert head.weight.std().item() == pytest.approx(0.02, rel=0.05)
