"""ONNX files: written from a torch.export program, with their facts as metadata; opened; and as a network that is called."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import ExportedProgram

from slowfast import __version__
from slowfast.inference.export import facts as told
from slowfast.inference.export.extra import from_extra, quiet_libraries
from slowfast.inference.export.facts import Facts
from slowfast.structures.outputs.predictions import Candidates

OPSETS = (18, 19, 20, 21, 22, 23)
DEFAULT_OPSET = 20  # the first with GELU


def onnx_bytes(program: ExportedProgram, example: Tensor, facts: Facts) -> bytes:
    """The whole file. facts: with its opset, and the names of the outputs.

    Nothing of the machine that wrote it is in it: the traces that torch leaves on every node are dropped.
    """
    onnx = from_extra("onnx")
    from_extra("onnxscript")
    with quiet_libraries():
        made = torch.onnx.export(
            program,
            (example,),
            dynamo=True,
            opset_version=facts["opset"],
            input_names=[facts["input"]["name"]],
            output_names=facts["outputs"],
            verbose=False,
        )
    assert made is not None
    proto = made.model_proto
    for graph in (proto.graph, *proto.functions):
        graph.ClearField("doc_string")
        graph.ClearField("metadata_props")
        for node in graph.node:
            node.ClearField("doc_string")
            node.ClearField("metadata_props")
    for value in (*proto.graph.input, *proto.graph.output, *proto.graph.value_info, *proto.graph.initializer):
        value.ClearField("doc_string")
        value.ClearField("metadata_props")
    for value in proto.graph.input:
        value.type.tensor_type.shape.dim[0].dim_param = "batch"
    proto.producer_name, proto.producer_version = "bmvit", __version__
    onnx.helper.set_model_props(proto, told.written(facts))
    content: bytes = proto.SerializeToString()
    return content


def open_onnx(path: Path, *, threads: int = 0, frame_part: bool = False) -> tuple[Any, Facts]:
    """The session of ONNX Runtime on the CPU, and what the file says of itself. Errors as `load_onnx`.

    frame_part: it is the file of single frames, one of two
    """
    session = session_of(path, threads=threads)
    facts = told.read(path, dict(session.get_modelmeta().custom_metadata_map), frame_part=frame_part)
    given, wanted = [one.name for one in session.get_outputs()], list(facts.get("outputs", []))
    if given != wanted or [one.name for one in session.get_inputs()] != [facts["input"]["name"]]:
        raise ValueError(f"{path}: its inputs and outputs are not those that its metadata name; export it again")
    return session, facts


def session_of(path: Path, *, threads: int = 0) -> Any:
    """Any ONNX file as a session of ONNX Runtime on the CPU. Raises FileNotFoundError, and ValueError for what is none."""
    if not path.is_file():
        raise FileNotFoundError(f"weights {path} {'are not a file' if path.exists() else 'do not exist'}")
    runtime = from_extra("onnxruntime")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    try:
        session = runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime has a class of its own for each way to fail
        raise ValueError(f"{path} is cut off or no ONNX file ({_first_line(error)})") from None
    return session


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else type(error).__name__


class OnnxNetwork(nn.Module):
    """An ONNX file as a network: clips (B, 3, T, H, W) uint8 -> Candidates of a detector, logits (B, C) of a classifier."""

    def __init__(self, session: Any, *, detects: bool) -> None:
        super().__init__()
        self.session, self.detects = session, detects

    def forward(self, clips: Tensor) -> Candidates | Tensor:
        given = self.session.run(None, {"clips": clips.contiguous().numpy()})
        found = [torch.from_numpy(array) for array in given]
        return Candidates(*found) if self.detects else found[1]
