"""What cannot be exported, or is no exported file, is told with what to do; nothing is left or overwritten."""

import builtins
import importlib
import json
import os
import re
import sys
from pathlib import Path

import onnx
import pytest
import torch
from onnx import TensorProto, helper

from slowfast.config import load_cfg
from slowfast.inference.build import load_model
from slowfast.inference.export import facts as told
from slowfast.inference.export import write
from slowfast.inference.export.build import Exportable, build_exportable, load_onnx
from slowfast.inference.export.graph import ClassifierGraph
from slowfast.inference.export.write import write_export
from tests.unit.inference.export.shrunk import save_checkpoint, shrunk_config

TOOL = "tools/export.py"


@pytest.fixture(scope="module")
def weights(repo_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    cfg = shrunk_config(repo_root / "configs/Toy/BMViT_toy.yaml")
    return save_checkpoint(cfg, tmp_path_factory.mktemp("weights") / "best.pyth")


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["--format", "tflite"], "error: --format tflite is none; choose from torch, onnx, safetensors"),
        (["--format", "onnx", "--out", "x.pth"], "error: --out x.pth must end in .onnx for --format onnx"),
        (
            ["--format", "onnx", "--out", "folder.onnx"],
            "error: --out folder.onnx is a folder; give the name of the file",
        ),
        (["--format", "onnx", "--out", "there.onnx"], "error: --out: there.onnx exists already; choose another name"),
        (["--format", "safetensors", "--out", "hub"], "error: --out: hub/config.json exists already"),
        (["--format", "onnx", "--out", "there.onnx/x.onnx"], "there.onnx is a file and not a folder"),
        (
            ["--format", "onnx", "--out", "a.onnx", "--opset", "9"],
            "error: --opset 9: files are written for the opsets 18",
        ),
        (
            ["--format", "torch", "--out", "a.pt2", "--int8"],
            "error: --int8 is a way to write ONNX, and --format is torch",
        ),
        (["--format", "onnx", "--out", "a.onnx", "--labels", "none.txt"], "none.txt"),
    ],
)
def test_what_is_asked_for(run_main, weights, tmp_path, options, text):
    (tmp_path / "folder.onnx").mkdir()
    (tmp_path / "hub").mkdir()
    for file in ("there.onnx", "hub/config.json"):
        (tmp_path / file).write_text("mine")
    before = sorted(tmp_path.rglob("*"))
    done = run_main(TOOL, "--weights", str(weights), *options, expect=1)
    assert text in done.stderr and done.stderr.startswith("error: ")
    assert sorted(tmp_path.rglob("*")) == before and (tmp_path / "there.onnx").read_text() == "mine"


def test_a_folder_that_cannot_be_written_to(run_main, weights, tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may write anywhere
    done = run_main(TOOL, "--weights", str(weights), "--format", "onnx", "--out", str(tmp_path / "a.onnx"), expect=1)
    assert f"the folder {tmp_path} cannot be written to" in done.stderr


@pytest.mark.parametrize(
    ("config", "text"),
    [
        ("Toy/RoI_toy.yaml", "is a model of the task TwoStage .* finds nobody itself"),
        ("masked_ssl/k400_MVITv2_S_16x4_MaskFeat_PT.yaml", "is a model of the task MaskedPretraining"),
    ],
)
def test_models_of_other_tasks(run_main, repo_root, tmp_path, config, text):
    path = tmp_path / "other.pyth"
    known = {"class_names": ["a"], "class_ids": [1]}
    cfg = load_cfg(repo_root / "configs" / config).dump()
    torch.save({"model_state": {"x.weight": torch.zeros(1)}, "cfg": cfg, **known}, path)
    done = run_main(TOOL, "--weights", str(path), "--format", "onnx", expect=1)
    assert re.search(text, done.stderr) and list(tmp_path.iterdir()) == [path]


def test_an_input_size_that_follows_the_video(weights):
    loaded = load_model(weights, device="cpu")
    cfg = loaded.cfg.clone()
    cfg.defrost()
    cfg.DATA.RESIZE = "keep_aspect"
    object.__setattr__(loaded, "cfg", cfg)
    with pytest.raises(ValueError, match=r"follows the shape of each video \(DATA\.RESIZE keep_aspect\)"):
        build_exportable(loaded)


class FixesTheBatch(torch.nn.Module):
    def forward(self, clips):
        return clips.reshape(2, -1)[:, :5]


def test_a_network_that_fixes_the_number_of_clips(weights):
    loaded = load_model(weights, device="cpu")
    graph = ClassifierGraph(FixesTheBatch(), mean=[0.5] * 3, std=[0.5] * 3, bgr=False, multi_label=True)
    with pytest.raises(
        ValueError, match=r"best\.pyth: its network cannot be exported for any number of clips: .*batch"
    ):
        Exportable(loaded, graph, (4, 32, 32)).program()


@pytest.mark.parametrize("missing", ["onnx", "onnxscript", "onnxruntime"])
def test_a_missing_package_names_the_extra(run_main, weights, tmp_path, monkeypatch, missing):
    real = importlib.import_module

    def without(name, *rest):
        if name.split(".")[0] == missing:
            raise ModuleNotFoundError(f"No module named {missing!r}", name=missing)
        return real(name, *rest)

    monkeypatch.setattr("slowfast.inference.export.extra.importlib.import_module", without)
    done = run_main(TOOL, "--weights", str(weights), "--format", "onnx", "--out", str(tmp_path / "a.onnx"), expect=1)
    assert f"error: ONNX files need the package {missing}, which is not installed" in done.stderr
    assert 'pip install ".[export]"' in done.stderr and not list(tmp_path.iterdir())


def test_importing_the_project_needs_no_onnx(monkeypatch):
    """Whoever never exports need not have the packages."""
    real = builtins.__import__

    def without(name, *rest, **options):
        assert name.split(".")[0] not in ("onnx", "onnxruntime", "onnxscript"), name
        return real(name, *rest, **options)

    for name in [name for name in sys.modules if name.startswith("slowfast.inference")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(builtins, "__import__", without)
    importlib.import_module("slowfast.inference.export.write")
    importlib.import_module("slowfast.inference.load")


def test_numbers_that_differ_are_not_left(weights, tmp_path, monkeypatch):
    loaded = load_model(weights, device="cpu")
    monkeypatch.setattr(write, "onnx_bytes", lambda *_: b"")
    monkeypatch.setattr(write.Exportable, "program", lambda self: None)
    monkeypatch.setattr(
        write, "_session_of", lambda path: lambda clips: [one + 2e-4 for one in build_exportable(loaded).outputs(clips)]
    )
    with pytest.raises(
        FloatingPointError, match=r"differs from the checkpoint's by 2\.0e-04 with 1 clips, and 0\.0001 is"
    ):
        write_export(loaded, "onnx", tmp_path / "a.onnx")
    assert not list(tmp_path.iterdir())


# ------------------------------------------------------------------------------------------------ files to read


def another_onnx(path: Path, **facts: object) -> Path:
    """A network that gives back its input, with these facts as metadata."""
    value = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in ("clips", "boxes")]
    graph = helper.make_graph([helper.make_node("Identity", ["clips"], ["boxes"])], "g", value[:1], value[1:])
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    helper.set_model_props(proto, {name: json.dumps(value) for name, value in facts.items()})
    onnx.save(proto, path)
    return path


def facts(**changes: object) -> dict:
    return {
        "format": told.FORMAT,
        "task": "Localization",
        "classes": [{"id": 1, "name": "stand"}],
        "input": {"name": "clips", "shape": ["batch", 3, 4, 32, 32]},
        "outputs": ["boxes"],
        "sampling": {"unit": "seconds"},
        "settings": {},
    } | changes


def test_an_onnx_file_that_is_not_ours(run_main, tmp_path):
    path = another_onnx(tmp_path / "theirs.onnx")
    message = r"theirs\.onnx was not written by `bmvit export`: its metadata lack format, task, classes, input"
    with pytest.raises(ValueError, match=message):
        load_onnx(path)
    (tmp_path / "video.mp4").write_bytes(b"")
    done = run_main("tools/predict.py", "--weights", str(path), "video.mp4", "--out", "out", expect=1)
    assert "was not written by `bmvit export`" in done.stderr and not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"format": "bmvit-export/9"}, "has the format bmvit-export/9, and this version reads bmvit-export/1"),
        ({"task": "TwoStage"}, "is of the task 'TwoStage'; there is prediction for Localization and Classification"),
        ({"outputs": ["other"]}, "its inputs and outputs are not those that its metadata name"),
        ({"settings": {"DATA.NEW": 1}}, "this version has no setting DATA.NEW; export the checkpoint again"),
        ({"settings": {"DATA.NUM_FRAMES": "4"}}, "DATA.NUM_FRAMES is '4' in its metadata, which cannot be"),
        (
            {"sampling": {"unit": "frames of the video"}, "settings": {"TEST.DATASET": "mine"}},
            "data set 'mine', which this",
        ),
    ],
)
def test_facts_that_cannot_be(tmp_path, changes, text):
    with pytest.raises(ValueError, match=text.replace("(", r"\(")):
        load_onnx(another_onnx(tmp_path / "ours.onnx", **facts(**changes)))


def test_files_that_are_no_onnx(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.onnx do not exist"):
        load_onnx(tmp_path / "none.onnx")
    (tmp_path / "cut.onnx").write_bytes(b"\x08\x09\x12")
    with pytest.raises(ValueError, match=r"cut\.onnx is cut off or no ONNX file"):
        load_onnx(tmp_path / "cut.onnx")


def test_facts_survive_being_written(weights):
    loaded = load_model(weights, device="cpu")
    exportable = build_exportable(loaded)
    again = told.read(weights, told.written(exportable.facts(opset=20)))
    assert again == exportable.facts(opset=20)
    cfg = told.config_of(weights, again)
    for key in told.SETTINGS:
        section, name = key.split(".")
        if key != "DATA.CACHE_DIR":
            assert cfg[section][name] == loaded.cfg[section][name], key
    assert bool(cfg.DATA.CACHE_DIR) == bool(loaded.cfg.DATA.CACHE_DIR)
    assert told.classes_of(again) == loaded.classes
    assert "runs/toy" not in json.dumps(again)
