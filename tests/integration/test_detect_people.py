"""detect-people: ONNX detectors of both layouts, boxes in fractions of the frame, and a file that two-stage models read."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from slowfast.datasets.annotations.people.proposals import read_proposals
from slowfast.preparation.people.onnx_detector import OnnxPersonDetector

TOOL = "tools/detect_people.py"
SEATED = np.array([[0.1, 0.2, 0.5, 0.6], [0.2, 0.3, 0.6, 0.9], [0.0, 0.0, 0.5, 0.5]])  # xyxy in [0, 1]
CLASSES, SCORES = np.array([1, 1, 18]), np.array([0.3, 0.9, 0.99])  # the last is a dog


def save(path: Path, given: tuple, constants: dict[str, np.ndarray]) -> Path:
    """A network that gives these whatever it sees; given: name, type, shape of its input."""
    nodes = [
        helper.make_node("Constant", [], [name], value=numpy_helper.from_array(value, name))
        for name, value in constants.items()
    ]
    outputs = [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(value.dtype), value.shape)
        for name, value in constants.items()
    ]
    graph = helper.make_graph(nodes, "detector", [helper.make_tensor_value_info(*given)], outputs)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    return path


def tensorflow(path: Path, *, size: tuple = ("h", "w"), dtype: int = TensorProto.UINT8, end: str = "") -> Path:
    """end: of the names of the outputs; tf2onnx leaves TensorFlow's ":0" there"""
    constants = {
        f"detection_boxes{end}": SEATED[None][:, :, [1, 0, 3, 2]].astype(np.float32),
        f"detection_scores{end}": SCORES[None].astype(np.float32),
        f"detection_classes{end}": CLASSES[None].astype(np.float32),
        f"num_detections{end}": np.array([3], np.float32),
    }
    return save(path, ("image", dtype, (1, *size, 3)), constants)


def torchvision(path: Path, *, size: tuple = ("h", "w"), pixels: tuple = (100, 80)) -> Path:
    constants = {
        "boxes": (SEATED * np.array([*pixels, *pixels])).astype(np.float32),
        "labels": CLASSES.astype(np.int64),
        "scores": SCORES.astype(np.float32),
    }
    return save(path, ("image", TensorProto.FLOAT, (3, *size)), constants)


def detector_in(path: Path) -> OnnxPersonDetector:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return OnnxPersonDetector(session, file=path.name)


@pytest.mark.parametrize(
    "make",
    [
        tensorflow,
        lambda path: tensorflow(path, size=(40, 50)),
        lambda path: tensorflow(path, end=":0"),
        torchvision,
        lambda path: torchvision(path, size=(40, 50), pixels=(50, 40)),
    ],
)
def test_both_layouts_give_people_in_fractions_of_the_frame(make, tmp_path):
    people = detector_in(make(tmp_path / "person.onnx"))(np.zeros((80, 100, 3), np.uint8))
    np.testing.assert_allclose(people.boxes, SEATED[[1, 0]], atol=1e-6)
    np.testing.assert_allclose(people.scores, [0.9, 0.3], atol=1e-6)


def test_a_network_of_another_layout_is_refused(tmp_path):
    other = save(tmp_path / "other.onnx", ("x", TensorProto.FLOAT, (1, 3, 8, 8)), {"logits": np.zeros(3, np.float32)})
    with pytest.raises(ValueError, match=r"other\.onnx takes x \[1, 3, 8, 8\] and gives logits: .* boxes \(n, 4\)"):
        detector_in(other)
    with pytest.raises(ValueError, match=r"f\.onnx takes tensor\(float\), .* take tensor\(uint8\)"):
        detector_in(tensorflow(tmp_path / "f.onnx", dtype=TensorProto.FLOAT))


def test_proposals_of_the_key_frames_of_a_split(run_main, toy_config, on_toy_data, tmp_path):
    person, out = tensorflow(tmp_path / "person.onnx"), tmp_path / "people.csv"
    options = ("--detector", str(person), "--cfg", toy_config, "--out", str(out))
    said = run_main(TOOL, *options, "--split", "train", "--score", "0.5", *on_toy_data).stdout
    table = read_proposals(out, min_score=0.0)
    assert len(table) > 3 and f"{len(table)} boxes on {len(table)} key frames; of " in said and "(recall " in said
    np.testing.assert_allclose(table.boxes, np.tile(SEATED[1], (len(table), 1)), atol=1e-5)
    np.testing.assert_allclose(table.score, 0.9, atol=1e-6)
    assert (table.label == -1).all() or len(set(table.label.tolist())) == 1
    assert f"{out} exists already" in run_main(TOOL, *options, *on_toy_data, expect=1).stderr
    nobody = (*options[:-1], str(tmp_path / "none.csv"), "--person-class", "7", *on_toy_data)
    assert "person.onnx found nobody on " in run_main(TOOL, *nobody, expect=1).stderr
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"x" * 100)
    cut = ("--detector", str(broken), "--cfg", toy_config, "--out", str(tmp_path / "b.csv"))
    assert "broken.onnx is cut off or no ONNX file" in run_main(TOOL, *cut, *on_toy_data, expect=1).stderr
