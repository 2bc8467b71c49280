"""Tables of absolute positions: their grid is the file's, or the only one that fits, and never a guess."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from slowfast.config import load_cfg
from slowfast.layers.position import resize_grid_embedding
from slowfast.models import build_model
from slowfast.weights.grids import candidates, grid_of_config
from slowfast.weights.load import load_weights

REPO = Path(__file__).resolve().parents[3]
TOY = REPO / "configs" / "Toy" / "BMViT_toy.yaml"
JOINT = [
    *(
        "MODEL.MODEL_NAME",
        "MViT",
        "MVIT.EMBED_DIM",
        8,
        "MVIT.DEPTH",
        2,
        "MVIT.USE_ABS_POS",
        True,
        "MVIT.CLS_EMBED_ON",
        True,
    ),
    *(
        "MVIT.POOL_Q_STRIDE",
        [[0, 1, 1, 1], [1, 1, 2, 2]],
        "MVIT.PATCH_STRIDE",
        [2, 4, 4],
        "MVIT.REL_POS_SPATIAL",
        False,
    ),
    *("MVIT.REL_POS_TEMPORAL", False),
]
IMAGE = [
    *("DATA.NUM_FRAMES", 1, "MVIT.PATCH_2D", True, "MVIT.PATCH_KERNEL", [7, 7], "MVIT.PATCH_STRIDE", [4, 4]),
    *("MVIT.PATCH_PADDING", [3, 3], "MVIT.POOL_KVQ_KERNEL", [1, 3, 3]),
]


def config(frames: int, size: int | list, *overrides: object):
    return load_cfg(TOY, [*JOINT, "DATA.NUM_FRAMES", frames, "DATA.TRAIN_CROP_SIZE", size, *overrides])


def build(cfg, seed: int) -> nn.Module:
    torch.manual_seed(seed)
    return build_model(cfg).eval()


def saved(tmp_path, model: nn.Module, cfg_text: str = "", **changes: Tensor) -> Path:
    state = model.state_dict() | changes
    torch.save({"model_state": state, "cfg": cfg_text} if cfg_text else {"model_state": state}, tmp_path / "w.pyth")
    return tmp_path / "w.pyth"


def resized(table: Tensor, before: tuple, after: tuple, rows: int = 1) -> Tensor:
    return torch.cat([table[:, :rows], resize_grid_embedding(table[:, rows:], before, after)], dim=1)


# 2 x 14 x 14 and 8 x 7 x 7 are 392 positions both.
SHORT, LONG = (4, 56), (16, 28)


@pytest.mark.parametrize("whose", ["ours", "PySlowFast's"])
def test_the_files_own_config_tells_the_grid_even_where_the_counts_agree(tmp_path, whose):
    cfg = config(*SHORT)
    text = (
        cfg.dump()
        if whose == "ours"
        else (
            "DATA: {NUM_FRAMES: 4, TRAIN_CROP_SIZE: 56, TEST_CROP_SIZE: 64}\nMVIT: {PATCH_2D: false, PATCH_STRIDE: [2, 4, 4]}\n"
        )
    )
    source, model = build(cfg, 0), build(config(*LONG), 1)
    report = load_weights(model, saved(tmp_path, source, text))
    assert report.resized == {"pos_embed": "1x393x8 -> 1x393x8 (trilinear from a grid of 2x14x14 to 8x7x7)"}
    expected = resized(source.state_dict()["pos_embed"], (2, 14, 14), (8, 7, 7))
    assert torch.equal(model.state_dict()["pos_embed"], expected)


def test_relative_positions_tell_the_grid(tmp_path):
    """(2, 14, 14) and (8, 7, 7) are 392 positions both; tables of 2 n - 1 rows say which."""
    with_tables = ("MVIT.REL_POS_SPATIAL", True, "MVIT.REL_POS_TEMPORAL", True)
    path = saved(tmp_path, build(config(4, 56, *with_tables), 0))
    report = load_weights(build(config(16, 28, *with_tables), 1), path)
    assert report.resized["pos_embed"] == "1x393x8 -> 1x393x8 (trilinear from a grid of 2x14x14 to 8x7x7)"
    space = ("MVIT.REL_POS_SPATIAL", True)  # the times are then what is left over
    path = saved(tmp_path, build(config(4, 56, *space), 0))
    assert "2x14x14 to 8x7x7" in load_weights(build(config(16, 28, *space), 1), path).resized["pos_embed"]
    assert "pos_embed" not in load_weights(build(config(4, 56, *space), 1), path).resized


def test_the_user_tells_the_grid(tmp_path):
    source, model = build(config(*SHORT), 0), build(config(*LONG), 1)
    path = saved(tmp_path, source, config(*LONG).dump())  # a config that is wrong about the file
    load_weights(model, path, grid=(2, 14, 14))
    assert torch.equal(
        model.state_dict()["pos_embed"], resized(source.state_dict()["pos_embed"], (2, 14, 14), (8, 7, 7))
    )


def test_the_same_count_without_a_config_is_the_models_grid(tmp_path):
    source, model = build(config(*LONG), 0), build(config(*LONG), 1)
    report = load_weights(model, saved(tmp_path, source))
    assert not report.resized and torch.equal(model.state_dict()["pos_embed"], source.state_dict()["pos_embed"])


def test_more_than_one_grid_that_fits_is_an_error_that_names_them(tmp_path):
    source, model = build(config(*SHORT), 0), build(config(16, 56), 1)  # 392 positions for 8 x 14 x 14
    path = saved(tmp_path, source)
    with pytest.raises(ValueError) as error:
        load_weights(model, path)
    assert (
        "pos_embed: 1x393x8 -> 1x1569x8 (392 positions may be a grid of 2x14x14 or 8x7x7 or 98x2x2, and nothing in the file "
        "tells which; set MODEL.CHECKPOINT_GRID [t, h, w])"
    ) in str(error.value)
    load_weights(model, path, grid=(2, 14, 14))
    assert torch.equal(
        model.state_dict()["pos_embed"], resized(source.state_dict()["pos_embed"], (2, 14, 14), (8, 14, 14))
    )
    with pytest.raises(ValueError, match=r"392 positions, but MODEL.CHECKPOINT_GRID says a grid of 3x14x14"):
        load_weights(model, path, grid=(3, 14, 14))


def test_a_config_that_does_not_fit_the_count_is_an_error(tmp_path):
    source, model = build(config(*SHORT), 0), build(config(16, 56), 1)
    with pytest.raises(
        ValueError, match=r"392 positions, but the file's config says a grid of 1x7x7; set MODEL.CHECKPOINT_GRID"
    ):
        load_weights(model, saved(tmp_path, source, config(2, 28).dump()))


def test_places_of_another_aspect(tmp_path):
    """A spatial table of 36 places: 12 x 3 as the model's aspect, or 6 x 6. Its own config says 6 x 6."""
    separate = ("MVIT.SEP_POS_EMBED", True)
    source, model = build(config(4, 24, *separate), 0), build(config(4, [96, 24], *separate), 1)
    with pytest.raises(ValueError, match="36 positions may be a grid of 1x12x3 or 1x6x6"):
        load_weights(model, saved(tmp_path, source))
    load_weights(model, saved(tmp_path, source, config(4, 24, *separate).dump()))
    expected = resize_grid_embedding(source.state_dict()["pos_embed_spatial"], (1, 6, 6), (1, 24, 6))
    assert torch.equal(model.state_dict()["pos_embed_spatial"], expected)
    same_count = build(config(4, [48, 12], *separate), 2)  # 12 x 3 places
    load_weights(same_count, saved(tmp_path, source, config(4, 24, *separate).dump()))
    expected = resize_grid_embedding(source.state_dict()["pos_embed_spatial"], (1, 6, 6), (1, 12, 3))
    assert torch.equal(same_count.state_dict()["pos_embed_spatial"], expected)


def test_the_row_of_the_class_token_follows_the_class_token(tmp_path):
    """Without one, the first row of an image's table is a place; with one, it is not."""
    for class_token in (False, True):
        image = build(config(1, 28, *IMAGE, "MVIT.CLS_EMBED_ON", class_token), 0)
        video = build(config(8, 28, "MVIT.SEP_POS_EMBED", True), 1)
        kept = video.state_dict()["pos_embed_class"].clone()
        report = load_weights(video, saved(tmp_path, image))
        table = image.state_dict()["pos_embed"]
        assert torch.equal(video.state_dict()["pos_embed_spatial"], table[:, int(class_token) :])
        if class_token:
            assert torch.equal(video.state_dict()["pos_embed_class"], table[:, :1])
        else:
            assert report.started["pos_embed_class"] == "this image model has no class token"
            assert torch.equal(video.state_dict()["pos_embed_class"], kept)


def test_a_joint_table_gains_a_row_of_zeros_for_a_class_token_that_the_file_lacks(tmp_path):
    image, video = build(config(1, 28, *IMAGE, "MVIT.CLS_EMBED_ON", False), 0), build(config(2, 28), 1)
    load_weights(video, saved(tmp_path, image))
    table = video.state_dict()["pos_embed"]
    assert not table[:, 0].any() and torch.equal(table[:, 1:], image.state_dict()["pos_embed"])


def test_candidates():
    assert candidates(392, (8, 14, 14), times=range(1, 393)) == [(2, 14, 14), (8, 7, 7), (98, 2, 2)]
    assert candidates(32, (1, 2, 4), times=[1]) == [(1, 4, 8)]
    assert candidates(36, (1, 8, 2), times=[1]) == [(1, 12, 3), (1, 6, 6)]
    assert candidates(7, (1, 2, 2), times=[1]) == []


@pytest.mark.parametrize(
    ("text", "grid"),
    [
        ("DATA: {NUM_FRAMES: 16, TRAIN_CROP_SIZE: 224}\nMVIT: {PATCH_STRIDE: [2, 4, 4]}", (8, 56, 56)),
        ("DATA: {NUM_FRAMES: 16, TRAIN_CROP_SIZE: [64, 80]}\nMVIT: {PATCH_STRIDE: [2, 4, 4]}", (8, 16, 20)),
        ("DATA: {NUM_FRAMES: 1, TRAIN_CROP_SIZE: 224}\nMVIT: {PATCH_STRIDE: [4, 4], PATCH_2D: true}", (1, 56, 56)),
        ("DATA: {NUM_FRAMES: 16}\nMVIT: {PATCH_STRIDE: [2, 4, 4]}", None),
        ("no config", None),
        ("a: [", None),
        ("DATA: {NUM_FRAMES: 16, TRAIN_CROP_SIZE: x}\nMVIT: {PATCH_STRIDE: [2, 0, 4]}", None),
    ],
)
def test_grid_of_config(text, grid):
    assert grid_of_config(text) == grid


# ---------------------------------------------------------------------------------------------- clips to images, and back

CLIPS = (
    "MVIT.USE_ABS_POS",
    False,
    "MVIT.REL_POS_SPATIAL",
    True,
    "MVIT.REL_POS_TEMPORAL",
    True,
    "MVIT.CLS_EMBED_ON",
    False,
)
IMAGES = (*IMAGE, "MVIT.USE_ABS_POS", False, "MVIT.REL_POS_SPATIAL", True, "MVIT.CLS_EMBED_ON", False)


def test_there_and_back_is_the_same_image_model(tmp_path):
    image, video, again = (
        build(config(1, 28, *IMAGES), 0),
        build(config(8, 28, *CLIPS), 1),
        build(config(1, 28, *IMAGES), 2),
    )
    load_weights(video, saved(tmp_path, image))
    report = load_weights(again, saved(tmp_path, video))
    assert report.resized["patch_embed.proj.weight"] == "8x3x3x7x7 -> 8x3x7x7 (sum over time)"
    assert report.resized["blocks.0.attn.pool_k.weight"].endswith("(sum over time)")
    assert set(report.dropped) == {f"blocks.{i}.attn.rel_pos_t" for i in range(2)}
    assert set(report.dropped.values()) == {"an image has no time"}
    state = again.state_dict()
    assert all(torch.equal(tensor, state[name]) for name, tensor in image.state_dict().items())


def test_a_still_clip_and_its_image_have_the_same_answer(tmp_path):
    """Of any video model whose pooling does not look beyond the ends of the clip; its patches may."""
    video, image = build(config(8, 28, *CLIPS, "MVIT.POOL_KVQ_KERNEL", [1, 3, 3]), 0), build(config(1, 28, *IMAGES), 1)
    with torch.no_grad():
        for block in video.backbone.blocks:
            block.attn.rel_pos_t.zero_()
    load_weights(image, saved(tmp_path, video))
    frame = torch.randn(2, 3, 1, 28, 28, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        still = video.backbone.patch_embed(frame.expand(-1, -1, 8, -1, -1))[0].unflatten(1, (4, 7, 7))
        once = image.backbone.patch_embed(frame)[0].unflatten(1, (1, 7, 7))
        assert torch.allclose(still[:, 1:3], once.expand(-1, 2, -1, -1, -1), atol=1e-5)
        video.backbone.patch_embed.forward = lambda clips: (once.expand(-1, 4, -1, -1, -1).flatten(1, 3), (4, 7, 7))
        expected, answer = video(frame.expand(-1, -1, 8, -1, -1)), image(frame)
    assert torch.allclose(answer, expected, atol=1e-5)


def test_positions_of_clips_become_those_of_an_image(tmp_path):
    video, image = build(config(8, 28, "MVIT.SEP_POS_EMBED", True), 0), build(config(1, 28, *IMAGE), 1)
    load_weights(image, saved(tmp_path, video))
    state, table = video.state_dict(), image.state_dict()["pos_embed"]
    central = state["pos_embed_temporal"][:, 1:3].mean(1, keepdim=True)  # 4 times; what a clip of one time is given
    assert torch.allclose(table[:, 1:], state["pos_embed_spatial"] + central, atol=1e-7)
    assert torch.equal(table[:, :1], state["pos_embed_class"])


def test_a_class_token_without_a_place_needs_a_new_classifier(tmp_path):
    video = build(config(8, 28, *CLIPS, "MVIT.CLS_EMBED_ON", True), 0)
    image, path = build(config(1, 28, *IMAGES), 1), saved(tmp_path, video)
    with pytest.raises(
        ValueError, match=r"reads a class token, and this image model has none: set MVIT.CLS_EMBED_ON True"
    ):
        load_weights(image, path)
