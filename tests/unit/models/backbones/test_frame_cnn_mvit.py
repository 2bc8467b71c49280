"""slowfast.models.backbones.frame_cnn_mvit: the contract of a backbone, features in place of clips, motion, and what is dropped."""

import pytest
import torch

from slowfast.layers.local_correlation import local_correlation
from slowfast.models.backbones.frame_cnn_mvit import FrameCNNMViT, MotionStem, TimeFold, _packed, _unpacked
from slowfast.models.backbones.mvit_plan import plan_blocks


def backbone(*, frames: int = 4, time_stride: int = 2, **options) -> FrameCNNMViT:
    torch.manual_seed(0)
    plan = plan_blocks(
        depth=2,
        embed_dim=16,
        num_heads=2,
        in_size=(frames // time_stride, 4, 6),
        dim_mul={},
        head_mul={},
        q_strides={},
        kv_strides={},
        adaptive_kv_stride=(1, 2, 2),
    )
    return FrameCNNMViT(plan, time_stride=time_stride, **({"motion_channels": 4} | options))


@pytest.fixture(scope="module")
def model():
    return backbone().eval()


@pytest.fixture(scope="module")
def clips():
    return torch.randn(2, 3, 4, 64, 96, generator=torch.Generator().manual_seed(1))


def test_keeps_the_contract_of_a_backbone(model, clips):
    with torch.no_grad():
        tokens = model(clips)
    assert tokens.shape == (2, 2, 4, 6, 16) and (model.dim, model.stride) == (16, (2, 16, 16))
    assert tuple(c // s for c, s in zip(clips.shape[2:], model.stride, strict=True)) == tokens.shape[1:4]
    with torch.no_grad():
        encoded = model.encode(clips, keep_blocks=(0,))
    assert torch.equal(encoded.tokens, tokens) and encoded.blocks[0].shape == (2, 2, 4, 6, 16)
    assert encoded.class_token is None


def test_without_motion_only_the_folds_see_time(clips):
    model = backbone(motion_channels=0).eval()
    assert model.motion is None and not any("moved" in name for name, _ in model.named_parameters())
    with torch.no_grad():
        assert model(clips).shape == (2, 2, 4, 6, 16)


def test_features_of_frames_give_what_clips_give(model, clips):
    """A frame goes through the image network alone, so its features serve every clip that it is in."""
    with torch.no_grad():
        features = torch.stack([model.frame_features(clips[:, :, t]) for t in range(4)], dim=2)
        assert features.shape == (2, model.feature_channels, 4, 2, 3)
        torch.testing.assert_close(model.forward_features(features), model(clips), rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(model(features), model(clips), rtol=1e-4, atol=1e-5)
        quick = model.folded_frames()(clips[:, :, 0])
    torch.testing.assert_close(quick, features[:, :, 0], rtol=1e-2, atol=1e-3)


def test_packing_is_undone():
    maps = [torch.randn(3, c, 2 * f, 3 * f) for c, f in ((2, 4), (5, 2), (7, 1))]
    packed = _packed(maps).unflatten(0, (1, 3)).transpose(1, 2)  # one clip of three frames
    start = 0
    for m, factor in zip(maps, (4, 2, 1), strict=True):
        part = packed[:, start : (start := start + m.shape[1] * factor**2)]
        assert torch.equal(_unpacked(part, factor)[0], m.permute(0, 2, 3, 1))


def test_order_of_frames_matters(model, clips):
    with torch.no_grad():
        forward, backward = model(clips), model(clips.flip(2))
    assert (forward - backward).abs().max() > 1e-3


def test_a_still_clip_moves_nothing():
    """Whatever a still clip shows, the motion stem says the same of it; of a moving one it does not."""
    torch.manual_seed(0)
    stem = MotionStem(5, 4, radius=0)
    stills = [torch.randn(1, 1, 4, 6, 5).expand(1, 3, 4, 6, 5) for _ in range(2)]
    coarse = [torch.randn(1, 1, 2, 3, 7).expand(1, 3, 2, 3, 7) for _ in range(2)]
    first, second = (stem(fine, wide) for fine, wide in zip(stills, coarse, strict=True))
    torch.testing.assert_close(first, second)
    moving = stills[0].clone()
    moving[:, 1] = moving[:, 1].roll(1, dims=2)
    found = stem(moving, coarse[0])
    assert (found[:, 1] - first[:, 1]).abs().max() > 1e-3
    # the first frame is compared with the next one, and so is the last with the one before it
    assert (found[:, [0, 2]] - first[:, [0, 2]]).abs().amax((0, 2, 3, 4)).min() > 1e-3


def test_correlation_finds_where_a_pattern_went():
    maps = torch.randn(1, 3, 5, 7, 8, generator=torch.Generator().manual_seed(3))
    maps[:, 1] = maps[:, 0].roll((1, -2), dims=(1, 2))  # one row down, two columns to the left
    near = local_correlation(maps, radius=2)
    assert near.shape == (1, 3, 5, 7, 25)
    # at a place of frame 1 the same pattern was one row up and two columns to the right in frame 0
    assert (near[0, 1, 1:, :5].argmax(-1) == (2 - 1) * 5 + (2 + 2)).all()
    torch.testing.assert_close(near[0, 1, 1:, :5].amax(-1), torch.ones(4, 5))
    assert near[0, 1, 0, 0, 0] == 0  # outside of the map
    assert (near[0, 0, :4, 2:].argmax(-1) == (2 + 1) * 5 + (2 - 2)).all()  # the first frame looks at the next one


def test_correlation_of_one_frame_is_with_itself():
    near = local_correlation(torch.randn(1, 1, 3, 3, 4), radius=1)
    torch.testing.assert_close(near[..., 4], torch.ones(1, 1, 3, 3))


def test_time_folds_start_at_the_middle_and_at_the_mean():
    maps = torch.arange(4.0).view(1, 4, 1, 1, 1).expand(1, 4, 1, 1, 2)
    folded = TimeFold(2, stride=4)(maps)
    assert folded.flatten().tolist() == [1.5, 1.5, 1.5, 1.5]
    maps = (maps**2).contiguous()  # 0 1 4 9
    assert TimeFold(2, stride=4)(maps).flatten().tolist() == [2.5, 2.5, 3.5, 3.5]
    assert TimeFold(2, stride=2)(maps).shape == (1, 2, 1, 1, 4)


def test_channels_are_dropped_whole_and_from_all_frames():
    model = backbone(input_dropout=0.5).train()
    packed = torch.ones(2, model.feature_channels, 4, 2, 3)
    kept = model._drop_channels(packed)
    fine, middle = 40 * 16, 112 * 4
    assert torch.equal(kept[:, :fine], packed[:, :fine])  # what moved sees all of them
    groups = kept[:, fine : fine + middle].reshape(2, 112, -1)
    assert set(groups.unique().tolist()) == {0.0, 2.0} and (groups == groups[..., :1]).all()
    assert not torch.equal(kept[0], kept[1])


def test_frozen_frames_have_no_gradient_and_the_rest_has():
    model = backbone().train()
    for parameter in model.frames.parameters():
        parameter.requires_grad_(False)
    model(torch.randn(1, 3, 4, 64, 96)).square().sum().backward()
    missing = [name for name, p in model.named_parameters() if p.grad is None and not name.startswith("frames.")]
    assert missing == [] and all(p.grad is None for p in model.frames.parameters())


def test_errors(model):
    with pytest.raises(ValueError, match=r"frame features have 1408 channels, got \(1, 5, 4, 2, 3\); clips have 3"):
        model(torch.zeros(1, 5, 4, 2, 3))
    with pytest.raises(ValueError, match=r"3 frames of a clip \(DATA.NUM_FRAMES\) must be divisible by 2"):
        model(torch.zeros(1, 3, 3, 64, 96))
    plan = plan_blocks(
        depth=1,
        embed_dim=16,
        num_heads=2,
        in_size=(2, 4, 6),
        dim_mul={},
        head_mul={},
        q_strides={0: (1, 2, 2)},
        kv_strides={},
    )
    with pytest.raises(ValueError, match=r"no block may pool its queries \(MVIT.POOL_Q_STRIDE\)"):
        FrameCNNMViT(plan, time_stride=2)
