"""Weights with a card: half as large, hashed, refused where card and file are not of one export."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from slowfast.engine.record.provenance import provenance, state_sha256
from slowfast.inference.build import load_model
from slowfast.inference.export.hub import CardText, write_hub
from slowfast.weights.file import read_weight_file
from tests.unit.inference.export.shrunk import save_checkpoint, shrunk_config

TOOL = "tools/export.py"


@pytest.fixture(scope="module")
def weights(repo_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    cfg = shrunk_config(repo_root / "configs/Toy/BMViT_toy.yaml")
    return save_checkpoint(cfg, tmp_path_factory.mktemp("weights") / "best.pyth")


@pytest.fixture(scope="module")
def state(weights: Path) -> dict[str, torch.Tensor]:
    return load_model(weights, device="cpu").model.state_dict()


@pytest.fixture(scope="module")
def told(state: dict[str, torch.Tensor], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with about.md and metrics.json of these weights."""
    folder = tmp_path_factory.mktemp("told")
    (folder / "about.md").write_text("# Toy\n\nDrawn people, no licence needed.\n")
    run = {"dataset": "ava", "date": "2026-11-28T15:20:00+00:00", "weights": {"state_sha256": state_sha256(state)}}
    tubes = {"video_mAP@0.5": 0.25, "AP": {"0.5": {"sit": 1.0}}}
    metrics = {"mAP": 0.51234, "AP/sit": None, "protocol": "official", "warnings": [], "video_mAP": tubes, "run": run}
    (folder / "metrics.json").write_text(json.dumps(metrics))
    return folder


def export(run_main, weights: Path, out: Path, *options: str, expect: int = 0):
    arguments = ("--weights", str(weights), "--format", "safetensors", "--out", str(out), *options)
    return run_main(TOOL, *arguments, expect=expect)


def test_half_and_a_card(run_main, weights, state, told, tmp_path):
    out = tmp_path / "hub"
    card = ("--card", str(told / "about.md"), "--metrics", str(told / "metrics.json"))
    said = export(run_main, weights, out, "--half", *card).stdout
    assert "float16 in place of float32: on 3 clips of noise the largest differences are boxes" in said
    assert {file.name for file in out.iterdir()} == {"model.safetensors", "config.json", "README.md"}
    assert all(t.dtype == torch.float16 for t in load_file(out / "model.safetensors").values() if t.is_floating_point())
    text, config = (out / "README.md").read_text(), json.loads((out / "config.json").read_text())
    assert config["torch_dtype"] == "float16" and f"\nsha256: {config['sha256']}\n" in text
    assert "# Toy\n\nDrawn people" in text and "| mAP | 0.5123 |" in text and "| protocol | official |" in text
    assert "| video_mAP@0.5 | 0.2500 |" in text and "{" not in text.split("## Test")[1]
    assert (out / "model.safetensors").stat().st_mode & 0o777 == (out / "README.md").stat().st_mode & 0o777
    assert "AP/sit" not in text and "warnings" not in text
    back = load_model(out, device="cpu").model.state_dict()
    for name, tensor in state.items():
        assert back[name].dtype == tensor.dtype
        torch.testing.assert_close(back[name], tensor.half().to(tensor.dtype), rtol=0, atol=0)


@pytest.mark.parametrize("teller", ["config.json", "README.md"])
def test_weights_that_are_not_those_of_the_card(run_main, weights, told, tmp_path, teller):
    out = tmp_path / "hub"
    export(run_main, weights, out, "--card", str(told / "about.md"))
    other = "README.md" if teller == "config.json" else "config.json"
    (out / other).unlink()
    changed = load_file(out / "model.safetensors")
    next(iter(changed.values())).view(-1)[0] += 1
    save_file(changed, out / "model.safetensors", metadata={"cfg": "X: 1"})
    with pytest.raises(
        ValueError, match=rf"is not the file that {teller} beside it describes \(SHA-256 .* remove sha256"
    ):
        read_weight_file(out)
    (out / teller).unlink()
    assert read_weight_file(out).config == "X: 1"


def test_what_a_card_cannot_be(run_main, weights, told, tmp_path):
    other = json.loads((told / "metrics.json").read_text())
    other["run"]["weights"]["state_sha256"] = "0" * 64
    (tmp_path / "other.json").write_text(json.dumps(other))
    (tmp_path / "latin.md").write_bytes("# Gr\xfc\xdfe".encode("latin-1"))
    about = str(told / "about.md")
    for options, text in (
        (
            ["--card", about, "--metrics", str(tmp_path / "other.json")],
            "--metrics: they are of other weights (000000000000",
        ),
        (["--card", about, "--metrics", about], "is no metrics.json of a test by this project"),
        (["--card", str(tmp_path / "latin.md")], "is no text in UTF-8"),
        (["--card", str(tmp_path / "none.md")], "none.md"),
        (["--metrics", str(told / "metrics.json")], "--metrics is for the card: give its text by --card"),
        (["--format", "torch", "--half"], "--half and --card are for --format safetensors, and --format is torch"),
    ):
        out = tmp_path / ("hub.pt2" if "torch" in options else "hub")
        assert text in export(run_main, weights, out, *options, expect=1).stderr
        assert not out.exists() or not list(out.iterdir())


def test_nothing_of_the_machine_is_told(weights, tmp_path):
    loaded = load_model(weights, device="cpu")
    cfg = loaded.cfg.clone()
    cfg.defrost()
    cfg.OUTPUT_DIR, cfg.AVA.VIDEO_DIR, cfg.DATA.CACHE_DIR = (
        "/srv/lovelace/runs/x",
        "/data/lovelace/videos",
        "runs/cache",
    )
    cfg.AVA.TRAIN_GT_BOX_LISTS = ["/data/lovelace/train.csv", "more.csv"]
    files = write_hub(replace(loaded, cfg=cfg), tmp_path / "hub")
    for file in files:
        assert b"lovelace" not in file.read_bytes()
    back = load_model(tmp_path / "hub", device="cpu").cfg
    assert (back.OUTPUT_DIR, back.AVA.VIDEO_DIR, back.DATA.CACHE_DIR) == ("x", "videos", "runs/cache")
    assert list(back.AVA.TRAIN_GT_BOX_LISTS) == ["train.csv", "more.csv"]


def test_a_folder_is_exported_tested_and_told_of_like_a_file(run_main, weights, tmp_path):
    export(run_main, weights, tmp_path / "hub")
    export(run_main, tmp_path / "hub", tmp_path / "again")
    first, second = (json.loads((tmp_path / name / "config.json").read_text()) for name in ("hub", "again"))
    assert second["checkpoint"]["sha256"] == first["sha256"]
    model = load_model(tmp_path / "hub", device="cpu")
    told = provenance(model.cfg, model.model, torch.device("cpu"), weights=str(tmp_path / "hub"))
    assert told["weights"]["file_sha256"] == first["sha256"]


def test_numbers_that_float16_does_not_hold(weights, tmp_path):
    loaded = load_model(weights, device="cpu")
    name, parameter = next(iter(loaded.model.named_parameters()))
    with torch.no_grad():
        parameter.view(-1)[0] = 1e6
    with pytest.raises(ValueError, match=rf"{name} has numbers up to 1e\+06, more than float16 holds; leave --half"):
        write_hub(loaded, tmp_path / "hub", half=True)


def test_a_card_is_read_with_its_metrics(told):
    assert CardText.read(told / "about.md", told / "metrics.json").metrics["mAP"] == 0.51234
