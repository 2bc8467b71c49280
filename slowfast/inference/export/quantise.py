"""Smaller ONNX files: 8-bit weights of the matrix products, by ONNX Runtime's dynamic quantisation."""

import tempfile
from pathlib import Path
from typing import Any

from slowfast.inference.export.extra import from_extra, quiet_libraries
from slowfast.utils.files import write_bytes


def int8_bytes(content: bytes, metadata: dict[str, str]) -> bytes:
    """content: an ONNX file -> the same network with INT8 weights in MatMul and Gemm, per channel.

    Activations are quantised while it runs, by the range that each has then; no data is needed. Convolutions stay, and so
    do products with a stack of matrices (the relative positions), which ONNX Runtime cannot run with 8-bit weights.
    """
    onnx = from_extra("onnx")
    quantization = from_extra("onnxruntime.quantization")
    with tempfile.TemporaryDirectory() as folder:
        before, after = Path(folder, "float.onnx"), Path(folder, "int8.onnx")
        write_bytes(content, before)
        with quiet_libraries():
            quantization.quantize_dynamic(
                before,
                after,
                per_channel=True,
                weight_type=quantization.QuantType.QInt8,
                op_types_to_quantize=["MatMul", "Gemm"],
                nodes_to_exclude=_products_with_stacks(onnx.load_from_string(content).graph),
            )
        proto = onnx.load(after)
    onnx.helper.set_model_props(proto, metadata)
    small: bytes = proto.SerializeToString()
    return small


def _products_with_stacks(graph: Any) -> list[str]:
    """The names of the MatMul nodes whose weight is no single matrix."""
    stacks = {tensor.name for tensor in graph.initializer if len(tensor.dims) != 2}
    return [node.name for node in graph.node if node.op_type == "MatMul" and stacks.intersection(node.input)]
