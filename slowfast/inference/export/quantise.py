"""Smaller ONNX files: 8-bit weights of the matrix products, by ONNX Runtime's dynamic quantisation."""

import tempfile
from pathlib import Path

from slowfast.inference.export.extra import from_extra
from slowfast.utils.files import write_bytes


def int8_bytes(content: bytes, metadata: dict[str, str]) -> bytes:
    """content: an ONNX file -> the same network with INT8 weights in MatMul and Gemm, per channel.

    Activations are quantised while it runs, by the range that each has then; no data is needed. Convolutions stay.
    """
    onnx = from_extra("onnx")
    quantization = from_extra("onnxruntime.quantization")
    with tempfile.TemporaryDirectory() as folder:
        before, after = Path(folder, "float.onnx"), Path(folder, "int8.onnx")
        write_bytes(content, before)
        quantization.quantize_dynamic(
            before,
            after,
            per_channel=True,
            weight_type=quantization.QuantType.QInt8,
            op_types_to_quantize=["MatMul", "Gemm"],
        )
        proto = onnx.load(after)
    onnx.helper.set_model_props(proto, metadata)
    small: bytes = proto.SerializeToString()
    return small
