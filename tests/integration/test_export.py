"""`tools/export.py`: every kind of network as ONNX, with the numbers of its checkpoint, and the files used again."""

import hashlib
import json
import re
import runpy
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from safetensors.torch import load_file, save_file

import slowfast
from slowfast.config import load_cfg
from slowfast.inference import ActionClassifier, ActionDetector
from slowfast.inference.build import DETECTS, load_model
from slowfast.inference.export import facts as told
from slowfast.inference.export.quantise import int8_bytes
from slowfast.models.build import task_of_model
from slowfast.structures.outputs.predictions import Predictions
from tests.integration.test_predict import VIEWS
from tests.unit.inference.export.shrunk import CLASSES, save_checkpoint, shrunk_config

TOOL = "tools/export.py"
KINDS = {  # what the tests of use below do not export; the others of configs/ are `slow`
    "AVA/BMViT_MViTv1_B": "a detector with a class token and separable positions",
    "AVA/BMViT_ViT_B": "a detector on a plain ViT",
}
FOLDERS = ("AVA", "Folder", "ImageNet", "JHMDB", "Kinetics", "SSv2", "Toy", "UCF24")


def shipped() -> list:
    """Every config that detects or classifies; those that are not in KINDS are slow."""
    root = Path(__file__).resolve().parents[2] / "configs"
    found = []
    for path in sorted(path for folder in FOLDERS for path in (root / folder).glob("*.yaml")):
        name = path.relative_to(root).with_suffix("").as_posix()
        if task_of_model(load_cfg(path)) in ("Localization", "Classification"):
            found.append(pytest.param(name, marks=[pytest.mark.long] if name in KINDS else [pytest.mark.slow]))
    return found


SHIPPED = shipped()


def test_every_config_is_asked_about():
    names = [parameter.values[0] for parameter in SHIPPED]
    assert set(KINDS) <= set(names) and len(names) >= 20


def expected_of(weights: Path, clips: np.ndarray) -> list[np.ndarray]:
    """What the network of a checkpoint gives for uint8 clips, normalised and scored here, in the plainest way."""
    loaded = load_model(weights, device="cpu")
    mean, std = (
        np.array(v, np.float64)[None, :, None, None, None] for v in (loaded.cfg.DATA.MEAN, loaded.cfg.DATA.STD)
    )
    shown = clips
    if loaded.cfg.TEST.DATASET == "ssv2":  # PySlowFast reads those files as B, G, R, and normalises them so
        shown = clips[:, ::-1]
    normalised = (shown / 255.0 - mean) / std
    if loaded.task != DETECTS and loaded.cfg.DATA.REVERSE_INPUT_CHANNEL:
        normalised = normalised[:, ::-1]
    with torch.no_grad():
        given = loaded.model(torch.from_numpy(np.ascontiguousarray(normalised)).float())
    if not isinstance(given, Predictions):
        logits = given.double().numpy()
        if loaded.cfg.DATA.MULTI_LABEL:
            return [1 / (1 + np.exp(-logits)), logits]
        odds = np.exp(logits - logits.max(1, keepdims=True))
        return [odds / odds.sum(1, keepdims=True), logits]
    logits = given.actor_logits.double().numpy()
    margin = logits[..., 0] if logits.shape[-1] == 1 else logits[..., 0] - logits[..., 1]
    actor = 1 / (1 + np.exp(-margin))
    cx, cy, w, h = np.moveaxis(given.boxes.double().numpy(), -1, 0)
    boxes = np.stack([cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2], -1).clip(0, 1)
    return [boxes, actor, actor[..., None] / (1 + np.exp(-given.action_logits.double().numpy()))]


@pytest.mark.parametrize("name", SHIPPED)
def test_onnx_gives_the_numbers_of_the_checkpoint(run_main, repo_root, tmp_path, name):
    weights = save_checkpoint(shrunk_config(repo_root / "configs" / f"{name}.yaml"), tmp_path / "best.pyth")
    done = run_main(TOOL, "--weights", str(weights), "--format", "onnx")
    assert "checked with a batch of 3: largest difference from the checkpoint" in done.stdout
    session = onnxruntime.InferenceSession(str(tmp_path / "best.onnx"), providers=["CPUExecutionProvider"])
    shape = session.get_inputs()[0].shape
    assert shape[0] == "batch" and session.get_inputs()[0].type == "tensor(uint8)"
    for batch in (1, 3):
        clips = np.random.default_rng(batch).integers(0, 256, (batch, *shape[1:]), dtype=np.uint8)
        expected = expected_of(weights, clips)
        assert float(expected[0].std()) > 1e-3
        for found, wanted in zip(session.run(None, {"clips": clips}), expected, strict=True):
            np.testing.assert_allclose(found, wanted, atol=1e-4 * max(1, np.abs(wanted).max()), rtol=0)


# ------------------------------------------------------------------------------------------------------ use


@pytest.fixture
def weights(trained: Path) -> Path:
    return trained / "checkpoints/best.pyth"


@pytest.fixture
def video(toy_data: Path) -> Path:
    return toy_data / "videos/toy_0007.mp4"


def people_of(moments) -> list[np.ndarray]:
    """Of each moment (n, 5 + C): box, score, actions by id; in an order that small differences do not change."""
    tables = []
    for moment in moments:
        rows = [[*p.box, p.score, *(a.score for a in sorted(p.actions, key=lambda a: a.id))] for p in moment.people]
        table = np.array(rows).reshape(len(moment.people), -1)
        tables.append(table[np.lexsort(table[:, :4].round(3).T)] if len(table) else table)
    return tables


def code_of_the_document(repo_root: Path) -> str:
    text = (repo_root / "docs/PREDICT.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"^```python\n(.*?)^```", text.split("## Deploy the ONNX file", 1)[1], re.M | re.S)[:1]
    return block


@pytest.mark.long
def test_a_detector_runs_from_its_onnx_file(run_main, repo_root, weights, video, tmp_path, capsys, monkeypatch):
    """One export, looked at from every side: metadata, moments, the command, the document, INT8's refusals."""
    done = run_main(TOOL, "--weights", str(weights), "--format", "onnx", "--out", str(tmp_path / "best.onnx"))
    file = tmp_path / "best.onnx"
    assert re.search(r"wrote .*best\.onnx \(\d", done.stdout)

    proto = onnx.load(file)
    facts = {prop.key: json.loads(prop.value) for prop in proto.metadata_props}
    assert proto.producer_name == "bmvit" and facts["opset"] == 20 == proto.opset_import[0].version
    assert facts["task"] == DETECTS and facts["version"] == slowfast.__version__
    assert facts["classes"][6] == {"id": 14, "name": "wave"} and len(facts["classes"]) == 7
    assert facts["input"]["shape"] == ["batch", 3, 4, 64, 80] and facts["outputs"] == ["boxes", "actor", "scores"]
    assert facts["sampling"]["offsets"] == pytest.approx([-8 / 12, -4 / 12, 0, 4 / 12])
    assert facts["normalisation"]["mean"] == pytest.approx([0.45, 0.45, 0.45])
    assert facts["checkpoint"] == {"file": "best.pyth", "sha256": hashlib.sha256(weights.read_bytes()).hexdigest()}
    assert str(tmp_path).encode() not in file.read_bytes() and str(repo_root).encode() not in file.read_bytes()

    eager = ActionDetector.from_checkpoint(weights, device="cpu")
    ours = ActionDetector.from_onnx(file)
    assert ours.classes == eager.classes
    expected, found = (list(model.stream(video, every=0.5)) for model in (eager, ours))
    assert [(m.time, m.frame_size) for m in found] == [(m.time, m.frame_size) for m in expected]
    assert sum(len(m.people) for m in expected) >= 50
    for theirs, wanted in zip(people_of(found), people_of(expected), strict=True):
        np.testing.assert_allclose(theirs, wanted, atol=1e-4, rtol=0)

    run_main("tools/predict.py", "--weights", str(file), str(video), "--out", "out", "--no-video", "--score", "0.02")
    lines = [json.loads(line) for line in (tmp_path / "out/toy_0007.jsonl").read_text().splitlines()]
    assert sum(len(line["people"]) for line in lines if line["type"] == "moment") >= 10
    for option, text in (
        (["--cfg", "x.yaml"], "--cfg is not for ONNX files"),
        (["--device", "cuda"], "--device cuda: ONNX files run on the CPU here"),
    ):
        refused = run_main("tools/predict.py", "--weights", str(file), str(video), "--out", "out2", *option, expect=1)
        assert text in refused.stderr
    with pytest.raises(ValueError, match="finds people on key frames and does not classify clips"):
        ActionClassifier.from_onnx(file)

    small = tmp_path / "int8.onnx"
    small.write_bytes(int8_bytes(file.read_bytes(), told.written(facts | {"precision": "int8"})))
    graph = onnx.load(small).graph
    assert {"DynamicQuantizeLinear", "MatMulInteger"} <= {node.op_type for node in graph.node}
    assert max(len(weight.dims) for weight in graph.initializer if weight.data_type == onnx.TensorProto.INT8) == 2
    lossy = list(ActionDetector.from_onnx(small).stream(video, every=1.0))
    assert sum(len(moment.people) for moment in lossy) >= 10

    block = code_of_the_document(repo_root)
    assert {line.split()[1] for line in block.splitlines() if line.startswith(("import", "from"))} == {
        "json",
        "numpy",
        "onnxruntime",
    }
    assert len([line for line in block.splitlines() if line.strip()]) <= 20
    monkeypatch.chdir(tmp_path)
    video_array = np.random.default_rng(0).integers(0, 256, (40, 64, 80, 3), dtype=np.uint8)
    names: dict = {"video": video_array, "fps": 12.0, "second": 2.0}
    assert block.count("0.3") == 1  # which no one reaches after an epoch
    script = tmp_path / "deploy.py"
    script.write_text(block.replace("0.3", "0.02"), encoding="utf-8")
    names = runpy.run_path(str(script), init_globals=names)
    clip = video_array[[16, 20, 24, 28]].transpose(3, 0, 1, 2)[None]
    boxes, actor, scores = expected_of(weights, clip)
    np.testing.assert_allclose(names["boxes"][0], boxes[0], atol=1e-4)
    np.testing.assert_allclose(names["scores"][0], scores[0], atol=1e-4)
    printed = capsys.readouterr().out.splitlines()
    assert len(printed) == int((actor[0] >= 0.02).sum()) > 0


@pytest.mark.long
def test_a_classifier_runs_from_its_onnx_file(run_main, toy_config, overrides, video, tmp_path):
    one_block = ["MVIT.DEPTH", "1", "MVIT.POOL_Q_STRIDE", "[]", "MVIT.DIM_MUL", "[]", "MVIT.HEAD_MUL", "[]"]
    network = [*VIEWS, *one_block, "MODEL.NUM_CLASSES", str(len(CLASSES)), "MVIT.CLS_EMBED_ON", "True"]
    cfg = load_cfg(toy_config, [*overrides, *network])
    weights = save_checkpoint(cfg, tmp_path / "best.pyth")
    run_main(TOOL, "--weights", str(weights), "--format", "onnx")
    (expected,) = slowfast.load(weights, device="cpu")(video).clips
    ours = slowfast.load(tmp_path / "best.onnx")
    assert isinstance(ours, ActionClassifier)
    (found,) = ours(video).clips
    assert (found.start, found.end, found.views) == (expected.start, expected.end, expected.views) == (0.0, 4.0, 6)
    scores = [{told.name: told.score for told in clip.classes} for clip in (found, expected)]
    assert scores[0] == pytest.approx(scores[1], abs=1e-4)
    with pytest.raises(ValueError, match="classifies whole clips and finds no people"):
        ActionDetector.from_onnx(tmp_path / "best.onnx")


@pytest.mark.long
def test_a_torch_program_and_a_hub_folder_give_the_same(run_main, weights, video, tmp_path):
    run_main(TOOL, "--weights", str(weights), "--format", "torch", "--out", str(tmp_path / "best.pt2"))
    extra = {"facts.json": ""}
    program = torch.export.load(tmp_path / "best.pt2", extra_files=extra).module()
    facts = json.loads(extra["facts.json"])
    assert facts["task"] == DETECTS and facts["classes"][1] == {"id": 2, "name": "sit"}
    clips = np.random.default_rng(0).integers(0, 256, (3, 3, 4, 64, 80), dtype=np.uint8)
    for found, wanted in zip(program(torch.from_numpy(clips)), expected_of(weights, clips), strict=True):
        np.testing.assert_allclose(found.detach().numpy(), wanted, atol=1e-4)

    run_main(TOOL, "--weights", str(weights), "--format", "safetensors", "--out", str(tmp_path / "hub"))
    assert {file.name for file in (tmp_path / "hub").iterdir()} == {"model.safetensors", "config.json"}
    config = json.loads((tmp_path / "hub/config.json").read_text())
    assert config["id2label"]["6"] == "wave" and config["label2id"]["wave"] == 6 and config["num_labels"] == 7
    assert config["architectures"] == ["BMViT"] and config["num_frames"] == 4 and config["image_size"] == [64, 80]
    expected = people_of(slowfast.load(weights, device="cpu").stream(video))
    for path in (tmp_path / "hub", tmp_path / "hub/model.safetensors"):
        model = slowfast.load(path, device="cpu")
        assert model.classes[6].id == 14
        for found, wanted in zip(people_of(model.stream(video)), expected, strict=True):
            np.testing.assert_array_equal(found, wanted)
    # Written again by a program that keeps the tensors only: the config.json beside them tells the rest.
    save_file(load_file(tmp_path / "hub/model.safetensors"), tmp_path / "hub/model.safetensors")
    (tmp_path / "hub/config.json").write_text(json.dumps({k: v for k, v in config.items() if k != "sha256"}))
    model = slowfast.load(tmp_path / "hub", device="cpu")
    assert [c.name for c in model.classes][:2] == ["stand", "sit"] and model.classes[6].id == 14
