"""The ONNX file that ONNX Runtime and OpenVINO read: our own export."""

from collections.abc import Sequence
from pathlib import Path

from yolodsc.network import Network
from yolodsc.precision import Quantization


def export(network: Network, path: str | Path, *, outputs: Sequence[int], quantization: Quantization | None = None) -> None:
    """Write the network up to ``outputs``; a `YolodscError` if ONNX cannot express it."""
    from yolodsc.convert import export_onnx

    export_onnx(network, path, outputs=outputs, quantization=quantization)
