"""MaskMViT: what is hidden is replaced and nothing else, what is wanted is the HOG of each token, names are published."""

import re

import pytest
import torch

from slowfast.layers.hog import hog
from slowfast.models.backbones.mvit import MViT
from slowfast.models.backbones.mvit_plan import plan_blocks
from slowfast.models.classifier import VideoClassifier
from slowfast.models.masked import MaskMViT, spread
from slowfast.weights.load import load_weights

FRAMES, SIZE = 4, 32


def backbone(*, strides: dict | None = None, class_token: bool = True, seed: int = 0, **options) -> MViT:
    """3 blocks on patches of 2 x 4 x 4 pixels: 2 x 8 x 8 tokens, 2 x 4 x 4 after block 1, 16 channels."""
    torch.manual_seed(seed)
    plan = plan_blocks(
        depth=3,
        embed_dim=8,
        num_heads=1,
        in_size=(2, 8, 8),
        dim_mul={1: 2.0},
        head_mul={1: 2.0},
        q_strides=strides or {0: (1, 1, 1), 1: (1, 2, 2), 2: (1, 1, 1)},
        kv_strides={},
        adaptive_kv_stride=(1, 2, 2),
        widen_in_attention=False,
    )
    sizes = {"patch_kernel": (3, 7, 7), "patch_stride": (2, 4, 4), "patch_padding": (1, 3, 3)}
    return MViT(plan, class_token=class_token, **sizes, **options)


def clips(count: int = 2, seed: int = 1) -> torch.Tensor:
    return torch.randn(count, 3, FRAMES, SIZE, SIZE, generator=torch.Generator().manual_seed(seed))


def one_cell(t: int = 0, y: int = 0, x: int = 0, count: int = 2) -> torch.Tensor:
    cells = torch.zeros(count, 2, 4, 4, dtype=torch.bool)
    cells[:, t, y, x] = True
    return cells


def test_tokens_are_asked_for_the_cells_that_they_cover():
    """Token (t, y, x) of the last block covers 8 x 8 pixels, one cell, of frame 2 t; numbers: colour, then bin."""
    found = MaskMViT(backbone(), depths=[2])(clips(), one_cell())
    assert found.values[0].shape == found.wanted[0].shape == (2, 2, 4, 4, 27)
    wanted = hog(clips()[1, :, 2][None])[0]
    assert torch.equal(found.wanted[0][1, 1, 3, 2], wanted[:, :, 3, 2].flatten())
    assert not found.wanted[0].requires_grad and found.values[0].requires_grad


def test_a_token_of_several_cells_has_them_row_by_row_within_colour_and_bin():
    strides = {0: (1, 2, 2), 1: (1, 2, 2), 2: (1, 1, 1)}  # 16 x 16 pixels a token, 8 x 8 after block 0
    found = MaskMViT(backbone(strides=strides), depths=[0, 2])(clips(), one_cell()[:, :, :2, :2])
    assert [tuple(values.shape[1:]) for values in found.values] == [(2, 4, 4, 27), (2, 2, 2, 108)]
    assert [tuple(hidden.shape[1:]) for hidden in found.hidden] == [(2, 4, 4), (2, 2, 2)]
    wanted = hog(clips()[0, :, 2][None])[0].flatten(0, 1)  # (27, 4, 4)
    expected = [wanted[number, 2 + row, column] for number in range(27) for row in (0, 1) for column in (0, 1)]
    assert torch.equal(found.wanted[1][0, 1, 1, 0], torch.stack(expected))
    assert torch.equal(found.wanted[0][0, 1, 1, 3], wanted[:, 1, 3])


@pytest.mark.parametrize("position", ["none", "separable"])
def test_what_is_hidden_cannot_be_seen(position):
    """Patches overlap, so pixels of the neighbours' kernels count; in the middle of a hidden part nothing does."""
    model = MaskMViT(backbone(position=position), depths=[2]).eval()
    cells = torch.ones(2, 2, 4, 4, dtype=torch.bool)
    cells[:, :, 0] = False  # rows 0 to 7 are seen, and reach 3 pixels further
    changed = clips()
    changed[..., 16:, :] = 0
    with torch.no_grad():
        assert torch.equal(model(clips(), cells).values[0], model(changed, cells).values[0])
        assert not torch.equal(model(clips()).values[0], model(changed).values[0])
        assert not torch.equal(model(clips(), cells).values[0], model(clips()).values[0])


def test_hidden_tokens_are_the_mask_token_before_positions_and_others_are_as_they_were():
    model = MaskMViT(backbone(position="separable"), depths=[2])
    seen = {}
    model.backbone.position.register_forward_pre_hook(lambda _, inputs: seen.update(x=inputs[0]))
    model(clips(), one_cell(t=1, y=2, x=3))
    tokens, grid = model.backbone.patch_embed(clips())
    x = seen["x"][:, 1:].unflatten(1, grid)
    hidden = torch.zeros(grid, dtype=torch.bool)
    hidden[1, 4:6, 6:8] = True
    assert torch.equal(x[:, hidden], model.mask_token.expand(2, 4, -1))
    assert torch.equal(x[:, ~hidden], tokens.unflatten(1, grid)[:, ~hidden])


def test_blocks_after_the_last_that_predicts_are_left_out_and_every_parameter_learns():
    model = MaskMViT(backbone(), depths=[1])
    assert len(model.backbone.blocks) == 2 and model.backbone.dim == 16
    found = model(clips(), one_cell())
    sum((v - w).square().sum() for v, w in zip(found.values, found.wanted, strict=True)).backward()
    assert [name for name, parameter in model.named_parameters() if parameter.grad is None] == []


def test_names_are_pyslowfasts_and_come_back(tmp_path):
    model, other = MaskMViT(backbone(), depths=[1, 2]), MaskMViT(backbone(seed=1), depths=[1, 2])
    names = set(model.state_dict())
    heads = {f"transforms.{i}.0.{leaf}" for i in (0, 1) for leaf in ("weight", "bias")}
    heads |= {f"projections.{i}.{leaf}" for i in (0, 1) for leaf in ("weight", "bias")}
    assert {name for name in names if not name.startswith("blocks.")} == {
        *(f"pred_head.{name}" for name in heads),
        *("mask_token", "cls_token", "patch_embed.proj.weight", "patch_embed.proj.bias"),
    }
    torch.save({"model_state": model.state_dict()}, tmp_path / "pretrained.pyth")
    report = load_weights(other, tmp_path / "pretrained.pyth")
    assert not report.dropped and not report.started and len(report.loaded) == len(names)
    for name, tensor in other.state_dict().items():
        assert torch.equal(tensor, model.state_dict()[name]), name


@pytest.mark.parametrize("separate_qkv", [False, True])
@pytest.mark.parametrize("published", [False, True])
def test_a_classifier_takes_the_backbone_and_says_what_it_leaves(tmp_path, separate_qkv, published):
    """As MaskFeat fine-tunes: mean pooling, the last stride back, projections fused or separate."""
    pretrained = MaskMViT(backbone(strides={0: (1, 2, 2), 1: (1, 1, 1), 2: (1, 1, 1)}), depths=[2])
    state = pretrained.state_dict()
    if published:  # PySlowFast's file also holds the filters of its HOG
        state |= {"hogs.0.weight_x": torch.zeros(3, 1, 3, 3), "hogs.0.weight_y": torch.zeros(3, 1, 3, 3)}
    torch.save({"model_state": state}, tmp_path / "pretrained.pyth")
    strides = {0: (1, 2, 2), 1: (1, 1, 1), 2: (1, 2, 2)}
    model = VideoClassifier(
        backbone(strides=strides, separate_qkv=separate_qkv, seed=1), num_classes=3, mean_pooling=True
    )
    report = load_weights(model, tmp_path / "pretrained.pyth")
    new = {"norm.weight", "norm.bias", "head.projection.weight", "head.projection.bias"}
    assert set(report.started) == new and set(report.loaded) == set(model.state_dict()) - new
    left = {name for name in state if name.startswith(("mask_token", "pred_head.", "hogs."))}
    assert set(report.dropped) == left and "part of the masked pre-training only" in str(report)
    assert torch.equal(model.backbone.blocks[2].mlp.fc1.weight, pretrained.backbone.blocks[2].mlp.fc1.weight)
    q = model.backbone.blocks[1].attn.q if separate_qkv else model.backbone.blocks[1].attn.qkv
    assert torch.equal(q.weight[:8], pretrained.backbone.blocks[1].attn.qkv.weight[:8])
    model(clips()).sum().backward()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: MaskMViT(backbone(), depths=[3]), "MASK.PRETRAIN_DEPTH ([3]) must name blocks from 0 to 2"),
        (lambda: MaskMViT(backbone(), depths=[2, 1]), "ascending"),
        (lambda: MaskMViT(backbone(), depths=[]), "MASK.PRETRAIN_DEPTH ([])"),
        (lambda: MaskMViT(backbone(), depths=[0]), "a token of block 0 covers 4 x 4 pixels, which is no whole number"),
        (lambda: MaskMViT(backbone(strides={0: (2, 2, 2)}), depths=[2]), "pooled over time (MVIT.POOL_Q_STRIDE)"),
        (lambda: spread(torch.zeros(1, 8, 7, 7), (8, 16, 14)), "AUG.MASK_WINDOW_SIZE must have 8 times"),
        (lambda: spread(torch.zeros(1, 8, 7, 7), (4, 14, 14)), "must have 4 times"),
        (lambda: MaskMViT(backbone(), depths=[2])(torch.zeros(1, 3, 4, 36, 32)), "no whole cells of 8 pixels"),
    ],
)
def test_what_does_not_fit_says_why(make, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        make()
