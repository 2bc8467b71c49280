"""slowfast.hub.models: networks by name, as a user of the library makes them."""

import json

import pytest
import torch

import slowfast
from slowfast.commands.bmvit import main
from slowfast.hub.models import _FILES, list_models, model_card
from tests.rules.test_configs import CONFIGS

SMALL = {"MVIT.EMBED_DIM": 12, "DATA.NUM_FRAMES": 4, "DATA.TRAIN_CROP_SIZE": 32, "DATA.TEST_CROP_SIZE": 32}


def test_every_network_that_is_published_has_a_name():
    """Those from random weights on small sets, on data of one's own, and pre-training, are runs and no networks."""
    named = {f"{file}.yaml" for file in _FILES.values()}
    files = {path.relative_to(path.parents[1]).as_posix() for path in CONFIGS}
    of_runs = {
        name for name in files if name.startswith(("Toy/", "masked_ssl/", "Folder/", "Own/")) or "small_scratch" in name
    }
    assert named == files - of_runs and len(set(_FILES.values())) == len(_FILES)


def test_a_clip_through_a_network():
    model = slowfast.create_model("mvitv2_s", overrides=SMALL).eval()
    with torch.no_grad():
        assert model(torch.zeros(1, 3, 4, 32, 32)).shape == (1, 400)


def test_weights_and_classes_of_ones_own(tmp_path):
    narrow = {"overrides": {"MVIT.EMBED_DIM": 12}}
    first = slowfast.create_model("mvitv2_t_in1k", num_classes=7, **narrow)
    assert first.head.projection.out_features == 7
    torch.save({"model_state": first.state_dict()}, tmp_path / "weights.pyth")
    again = slowfast.create_model("mvitv2_t_in1k", num_classes=7, weights=tmp_path / "weights.pyth", **narrow)
    assert all(torch.equal(value, first.state_dict()[name]) for name, value in again.state_dict().items())
    other = slowfast.create_model("mvitv2_t_in1k", num_classes=3, weights=tmp_path / "weights.pyth", **narrow)
    assert other.head.projection.out_features == 3
    assert torch.equal(other.backbone.patch_embed.proj.weight, first.backbone.patch_embed.proj.weight)
    with pytest.raises(ValueError, match=r"head.projection"):
        slowfast.create_model("mvitv2_t_in1k", weights=tmp_path / "weights.pyth", **narrow)


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(ValueError, match=r"no network called 'mvit'; slowfast.list_models\(\) gives: bmvit_s, "):
        slowfast.create_model("mvit")
    assert slowfast.list_models("*_in1k") == ["mvitv2_t_in1k", "mvitv2_s_in1k", "mvitv2_b_in1k", "mvitv1_b_in1k"]
    with pytest.raises(AttributeError, match="has no attribute 'make_model'"):
        slowfast.make_model  # noqa: B018


def test_cards_are_listed_and_told(tmp_path, capsys):
    assert main(["models", "--json", str(tmp_path / "cards.json")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(list_models()) and lines[0].split("  ")[0] == "bmvit_s"
    assert [card["name"] for card in json.loads((tmp_path / "cards.json").read_text())] == list_models()
    assert main(["models", "mvitv2_s"]) == 0
    told = capsys.readouterr().out
    assert "configs/Kinetics/MVITv2_S_16x4.yaml" in told and "published 81.0 % top-1" in told
    assert model_card("mvitv2_s").what in told
    assert main(["models", "nothing"]) == 2 and "no network called 'nothing'" in capsys.readouterr().err
