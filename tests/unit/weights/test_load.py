"""Every published naming, at full size: the names are the contract, and the outputs survive."""

import argparse
from pathlib import Path

import pytest
import torch
import torchvision
from torch import Tensor, nn

from slowfast.config import load_cfg
from slowfast.models import build_model
from slowfast.weights.load import load_weights
from tests.unit.models import foreign_names

REPO = Path(__file__).resolve().parents[3]
pytestmark = pytest.mark.long  # a second or two each, for networks of their full size


def build(config: str, *overrides: object, seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return build_model(load_cfg(REPO / "configs" / f"{config}.yaml", overrides)).eval()


def small_clip(frames: int = 4, size: int = 64) -> Tensor:
    return torch.randn(2, 3, frames, size, size, generator=torch.Generator().manual_seed(1))


def assert_same_output(first: nn.Module, second: nn.Module, clip: Tensor) -> None:
    with torch.no_grad():
        expected = first(clip)
        assert (second(clip) - expected).abs().max() < 1e-5 * expected.abs().max()


@pytest.fixture(scope="module")
def mvitv2_s() -> nn.Module:
    return build("Kinetics/MVITv2_S_16x4")


@pytest.fixture(scope="module")
def target() -> nn.Module:
    """A second MViTv2-S; every test that loads it completely may use it again."""
    return build("Kinetics/MVITv2_S_16x4", seed=1)


def saved(tmp_path: Path, content: object, name: str = "weights.pyth") -> Path:
    torch.save(content, tmp_path / name)
    return tmp_path / name


# --------------------------------------------------------------------------------------------------- the namings


@pytest.mark.parametrize(
    "naming, container, to_foreign",
    [
        ("PySlowFast", "model_state", lambda state: state),
        ("PySlowFast", "model_state", foreign_names.split_qkv),
        ("PySlowFast", "model_state", lambda state: {f"module.{name}": t for name, t in state.items()}),
        ("mmaction2", "state_dict", foreign_names.mmaction2),
    ],
    ids=["pyslowfast", "split-qkv", "data-parallel", "mmaction2"],
)
def test_foreign_names_give_the_same_output(tmp_path, mvitv2_s, target, naming, container, to_foreign):
    path = saved(tmp_path, {container: to_foreign(mvitv2_s.state_dict()), "epoch": 7})
    report = load_weights(target, path)
    assert (report.naming, report.container) == (naming, container)
    assert report.complete and len(report.loaded) == len(target.state_dict())
    assert not report.started and not report.dropped and not report.resized
    assert_same_output(mvitv2_s, target, small_clip())


def test_fused_projections_load_into_a_model_with_separate_ones(tmp_path, mvitv2_s):
    separate = build("Kinetics/MVITv2_S_16x4", "MVIT.SEPARATE_QKV", True, seed=1)
    report = load_weights(separate, saved(tmp_path, {"model_state": mvitv2_s.state_dict()}))
    assert report.renamed["blocks.3.attn.k.weight"] == "blocks.3.attn.qkv.weight"
    assert_same_output(mvitv2_s, separate, small_clip())


def test_mmaction2_drops_its_preprocessor_on_purpose(tmp_path, mvitv2_s, target):
    state = foreign_names.mmaction2(mvitv2_s.state_dict()) | {"data_preprocessor.mean": torch.zeros(3)}
    report = load_weights(target, saved(tmp_path, {"state_dict": state, "meta": {"epoch": 3}}))
    assert report.dropped == {"data_preprocessor.mean": "normalisation is DATA.MEAN and DATA.STD here"}


def test_image_weights_of_facebookresearch_mvit(tmp_path):
    source, copy = build("ImageNet/MVITv2_T"), build("ImageNet/MVITv2_T", seed=1)
    path = saved(tmp_path, {"model_state": foreign_names.image_mvit(source.state_dict())})
    assert load_weights(copy, path).complete
    assert_same_output(source, copy, small_clip(frames=1))


VIT = ("AVA/BMViT_ViT_B", "MODEL.MODEL_NAME", "MViT", "MODEL.NUM_CLASSES", 400, "MVIT.USE_MEAN_POOLING", True)


@pytest.fixture(scope="module")
def vits() -> tuple[nn.Module, nn.Module]:
    """Two ViT-B, the second to load into."""
    return build(*VIT), build(*VIT, seed=1)


def _start_anew(model: nn.Module) -> None:
    """No parameter is what another test has loaded."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.uniform_(-0.1, 0.1)


@pytest.mark.parametrize("container", ["module", "model"])
def test_videomae_after_fine_tuning(tmp_path, vits, container):
    source, copy = vits
    _start_anew(copy)
    report = load_weights(copy, saved(tmp_path, {container: foreign_names.videomae(source.state_dict())}))
    assert (report.naming, report.container) == ("VideoMAE", container)
    assert report.renamed["norm.weight"] == "fc_norm.weight" and not report.started
    assert_same_output(source, copy, small_clip())


def test_videomae_pre_training_with_its_options_in_a_namespace(tmp_path, vits):
    source, copy = vits
    _start_anew(copy)
    state = foreign_names.videomae_pretraining(source.state_dict())
    report = load_weights(copy, saved(tmp_path, {"model": state, "args": argparse.Namespace(lr=0.1)}))
    assert set(report.dropped) == {"decoder.blocks.0.norm1.weight", "encoder_to_decoder.weight", "mask_token"}
    assert set(report.started) == {"head.projection.weight", "head.projection.bias"}
    with torch.no_grad():
        assert torch.equal(source.backbone(small_clip()), copy.backbone(small_clip()))


def test_maskfeat_pre_training_starts_norm_and_classifier(tmp_path):
    """At full size, from the network of the pre-training, whose last stride is another than in fine-tuning."""
    source, copy = build("masked_ssl/k400_MVITv2_S_16x4_MaskFeat_PT"), build("masked_ssl/k400_MVITv2_S_16x4_FT", seed=1)
    fresh = copy.head.projection.weight.clone()
    state = foreign_names.maskfeat_pretraining(source.state_dict())
    report = load_weights(copy, saved(tmp_path, {"model_state": state}))
    assert report.naming == "PySlowFast pre-training"
    assert {name.rsplit(".", 1)[0] for name in report.started} == {"norm", "head.projection"}
    assert set(report.loaded) | set(report.started) == set(copy.state_dict())
    assert {name.split(".")[0] for name in report.dropped} == {"mask_token", "pred_head", "hogs"}
    assert report.resized == {f"blocks.15.attn.rel_pos_{axis}": "27x96 -> 13x96 (linear)" for axis in "hw"}
    assert torch.equal(copy.head.projection.weight, fresh)
    assert torch.equal(copy.backbone.blocks[5].mlp.fc1.weight, source.backbone.blocks[5].mlp.fc1.weight)
    again = build("masked_ssl/k400_MVITv2_S_16x4_MaskFeat_PT", seed=1)  # and back into the pre-training, all of it
    report = load_weights(again, saved(tmp_path, {"model_state": source.state_dict()}))
    assert not report.dropped and set(report.loaded) == set(source.state_dict())


# -------------------------------------------------------------------------------------- other sizes, other models


def test_a_file_of_another_size_gives_what_its_model_gives_at_that_size(tmp_path):
    """Loading resizes as running does: a 224 model run at 96x128 equals a 96x128 model with its weights."""
    source = build("Kinetics/MVITv2_S_16x4")
    other = build("Kinetics/MVITv2_S_16x4", "DATA.TRAIN_CROP_SIZE", [96, 128], "DATA.NUM_FRAMES", 8, seed=1)
    report = load_weights(other, saved(tmp_path, {"model_state": source.state_dict()}))
    assert report.resized["blocks.0.attn.rel_pos_h"] == "111x96 -> 47x96 (linear)"
    assert report.resized["blocks.0.attn.rel_pos_w"] == "111x96 -> 63x96 (linear)"
    assert report.resized["blocks.0.attn.rel_pos_t"] == "15x96 -> 7x96 (linear)"
    clip = torch.randn(1, 3, 8, 96, 128, generator=torch.Generator().manual_seed(1))
    assert_same_output(source, other, clip)


def test_absolute_positions_are_resized_as_at_run_time(tmp_path):
    source = build("Kinetics/MVIT_B_16x4_CONV")
    other = build("Kinetics/MVIT_B_16x4_CONV", "DATA.TRAIN_CROP_SIZE", [96, 128], "DATA.NUM_FRAMES", 8, seed=1)
    report = load_weights(other, saved(tmp_path, {"model_state": source.state_dict()}))
    assert report.resized["pos_embed_spatial"] == "1x3136x96 -> 1x768x96 (trilinear)"
    assert report.resized["pos_embed_temporal"] == "1x8x96 -> 1x4x96 (trilinear)"
    clip = torch.randn(1, 3, 8, 96, 128, generator=torch.Generator().manual_seed(1))
    assert_same_output(source, other, clip)


@pytest.mark.parametrize("whose", ["PySlowFast", "torchvision"])
def test_mvitv1_starts_bmvit_on_mvitv1(tmp_path, whose):
    """Every pooling kernel has its place though the last stride is removed; positions 56x56 become 64x64."""
    source = torchvision.models.video.mvit_v1_b() if whose == "torchvision" else build("Kinetics/MVIT_B_16x4_CONV")
    report = load_weights(build("AVA/BMViT_MViTv1_B", seed=1), saved(tmp_path, source.state_dict()))
    assert report.naming == whose and "backbone.blocks.14.attn.pool_q.weight" in report.loaded
    before = "3136x96" if whose == "torchvision" else "1x3136x96"
    assert report.resized == {"backbone.pos_embed_spatial": f"{before} -> 1x4096x96 (trilinear)"}


def test_image_weights_make_a_video_model_that_sees_each_still_frame_as_the_image(tmp_path):
    image = build("ImageNet/MVITv2_S")
    video = build("Kinetics/MVITv2_S_16x4", "MVIT.CLS_EMBED_ON", False, "MODEL.NUM_CLASSES", 1000, seed=1)
    report = load_weights(video, saved(tmp_path, {"model_state": foreign_names.image_mvit(image.state_dict())}))
    assert report.resized["patch_embed.proj.weight"] == "96x3x7x7 -> 96x3x3x7x7 (central slice)"
    assert report.resized["blocks.0.attn.pool_q.weight"] == "96x1x3x3 -> 96x1x3x3x3 (central slice)"
    assert report.started["blocks.0.attn.rel_pos_t"] == "zeros; an image model has no time"
    frame = torch.randn(1, 3, 1, 64, 64, generator=torch.Generator().manual_seed(1))
    # Image models pool keys by 4, video models by 8; at one stride they are the same network.
    for strided in (image, video):
        for block in strided.backbone.blocks[:1]:
            block.attn.pool_k.stride = block.attn.pool_v.stride = (1, 8, 8)
    with torch.no_grad():
        still = video.backbone.patch_embed(frame.expand(-1, -1, 4, -1, -1))[0].unflatten(1, (2, 16, 16))
        once = image.backbone.patch_embed(frame)[0].unflatten(1, (1, 16, 16))
    assert torch.allclose(still, once.expand_as(still), atol=1e-5)


def test_image_positions_become_the_spatial_and_class_tables(tmp_path):
    image = build("ImageNet/MVIT_B_16_CONV")
    video = build("Kinetics/MVIT_B_16x4_CONV", "MODEL.NUM_CLASSES", 1000, seed=1)
    report = load_weights(video, saved(tmp_path, {"model_state": image.state_dict()}))
    assert report.started["pos_embed_temporal"] == "zeros; an image model has no time"
    assert torch.equal(video.state_dict()["pos_embed_spatial"], image.state_dict()["pos_embed"][:, 1:])
    assert torch.equal(video.state_dict()["pos_embed_class"], image.state_dict()["pos_embed"][:, :1])
    assert not video.state_dict()["pos_embed_temporal"].any()


def test_bmvit_from_a_classifier_loads_the_backbone_and_names_the_rest(tmp_path, mvitv2_s):
    detector = build("AVA/BMViT_S", seed=1)
    heads = {name: tensor.clone() for name, tensor in detector.heads.state_dict().items()}
    report = load_weights(detector, saved(tmp_path, {"model_state": mvitv2_s.state_dict()}))
    assert set(report.dropped) == {"head.projection.weight", "head.projection.bias"}
    assert set(report.started) == {f"heads.{name}" for name in heads}
    assert report.resized["backbone.blocks.15.attn.rel_pos_h"] == "13x96 -> 31x96 (linear)"
    assert all(torch.equal(tensor, heads[name]) for name, tensor in detector.heads.state_dict().items())
    assert torch.equal(detector.backbone.norm.weight, mvitv2_s.backbone.norm.weight)
    text = str(report)
    assert "names of PySlowFast" in text
    assert "heads.box.{0,2,4}.{weight,bias}: a new head; the file is not of a detector" in text
    assert "head.projection.{weight,bias}: the classifier; this model has heads of its own" in text


TOY = "Toy/BMViT_toy"


def test_our_file_prefers_the_averaged_weights(tmp_path):
    trained, average, loaded = build(TOY), build(TOY, seed=1), build(TOY, seed=2)
    names = [f"action {i}" for i in range(trained.heads.action[-1].out_features)]
    content = {"model_state": trained.state_dict(), "ema_state": average.state_dict(), "epoch": 3, "class_names": names}
    path = saved(tmp_path, content)
    report = load_weights(loaded, path, class_names=names)
    assert report.container == "ema_state" and report.class_names == tuple(names)
    assert torch.equal(loaded.heads.box[0].weight, average.heads.box[0].weight)
    assert load_weights(loaded, path, prefer="raw").container == "model_state"
    assert torch.equal(loaded.heads.box[0].weight, trained.heads.box[0].weight)


# ------------------------------------------------------------------------------------------------ what is refused


def test_another_number_of_classes_is_an_error_unless_asked_for(tmp_path, mvitv2_s):
    model = build("SSv2/MVITv2_S_16x4", seed=1)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    path = saved(tmp_path, {"model_state": mvitv2_s.state_dict()})
    with pytest.raises(ValueError, match=r"400 classes in the file, 174 in the model\n.*set MODEL.HEAD_REINIT True"):
        load_weights(model, path)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    report = load_weights(model, path, head_reinit=True)
    assert set(report.started) == {"head.projection.weight", "head.projection.bias"}
    assert torch.equal(model.head.projection.weight, before["head.projection.weight"])


def test_another_number_of_classes_of_a_detector(tmp_path):
    classes = build(TOY).heads.action[-1].out_features
    detector = build(TOY, "MODEL.NUM_CLASSES", classes + 1)
    path = saved(tmp_path, {"model_state": build(TOY).state_dict()})
    with pytest.raises(
        ValueError, match=rf"heads\.action\.4.*: {classes} classes in the file, {classes + 1} in the model"
    ):
        load_weights(detector, path)
    assert set(load_weights(detector, path, head_reinit=True).started) == {
        "heads.action.4.weight",
        "heads.action.4.bias",
    }


def test_other_class_names_are_an_error_too(tmp_path):
    model = build(TOY)
    count = model.heads.action[-1].out_features
    names = [f"action {i}" for i in range(count)]
    path = saved(tmp_path, {"model_state": model.state_dict(), "class_names": names})
    load_weights(model, path, class_names=names)
    with pytest.raises(ValueError, match="the classes of the file have other names than those of the model"):
        load_weights(model, path, class_names=names[::-1])


def test_nothing_is_loaded_when_something_is_missing_or_unexpected(tmp_path):
    model, other = build(TOY), build(TOY, seed=1)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    state = dict(other.state_dict())
    del state["backbone.norm.weight"], state["heads.box.0.bias"]
    state["backbone.blocks.0.gamma_1"] = torch.ones(3)
    with pytest.raises(ValueError, match="nothing was loaded") as error:
        load_weights(model, saved(tmp_path, {"model_state": state}))
    text = str(error.value)
    assert "missing               2\n      backbone.norm.weight\n      heads.box.0.bias" in text
    assert "unexpected            1\n      backbone.blocks.0.gamma_1" in text
    assert "Is it a file of another model?" in text
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_weights_of_a_run_that_diverged_are_an_error(tmp_path):
    model, state = build(TOY), dict(build(TOY, seed=1).state_dict())
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    state["heads.box.0.bias"] = torch.tensor([0.0, float("nan")]).repeat(len(state["heads.box.0.bias"]) // 2)
    state["backbone.norm.weight"] = torch.full_like(state["backbone.norm.weight"], float("inf"))
    with pytest.raises(ValueError, match="nothing was loaded") as error:
        load_weights(model, saved(tmp_path, {"model_state": state}))
    text, (bias, weight) = str(error.value), (len(state[n]) for n in ("heads.box.0.bias", "backbone.norm.weight"))
    assert "not finite            2\n" in text
    assert f"heads.box.0.bias: {bias // 2} of {bias} values are NaN or infinite" in text
    assert f"backbone.norm.weight: {weight} of {weight} values are NaN or infinite" in text
    assert text.endswith("The run that wrote the file had diverged; take an earlier checkpoint of it.")
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_a_network_of_another_width_is_an_error(tmp_path):
    path = saved(tmp_path, {"model_state": build(TOY, "MVIT.EMBED_DIM", 24).state_dict()})
    with pytest.raises(ValueError, match=r"of a wrong size\s+\d+\n.*no rule to fit it"):
        load_weights(build(TOY), path)


def test_weights_of_another_architecture(tmp_path):
    """A file of ours, of BMViT on MViT, for the small detector: nothing of its image network is there."""
    small = ("MVIT.EMBED_DIM", 16, "MVIT.NUM_HEADS", 2, "MVIT.DEPTH", 1)
    with pytest.raises(ValueError, match="nothing was loaded") as error:
        load_weights(build("JHMDB/BMViT_lite", *small), saved(tmp_path, {"model_state": build(TOY).state_dict()}))
    text = str(error.value)
    assert "backbone.frames." in text and "Is it a file of another model?" in text


def test_names_of_no_known_project(tmp_path):
    with pytest.raises(ValueError, match="Its parameter names are not those of a project we know"):
        load_weights(build(TOY), saved(tmp_path, {"state_dict": {"stem.conv.weight": torch.ones(2)}}))
