"""Table of engines: each is a class in a separate file, which only its worker process imports."""

from collections.abc import Iterable
from importlib import import_module

from yolodsc.bench.peers.engine import Engine
from yolodsc.errors import OptionError

ENGINES = {
    "yolodsc": ("yolodsc", "Yolodsc"),
    "yolodsc-bf16": ("yolodsc", "YolodscBf16"),
    "yolodsc-int8": ("yolodsc", "YolodscInt8"),
    "opencv": ("opencv", "OpenCV"),
    "onnxruntime": ("onnxruntime", "OnnxRuntime"),
    "onnxruntime-int8": ("onnxruntime", "OnnxRuntimeInt8"),
    "onnxruntime-qdq": ("onnxruntime", "OnnxRuntimeQdq"),
    "openvino": ("openvino", "OpenVino"),
    "openvino-f32": ("openvino", "OpenVinoF32"),
    "openvino-int8": ("openvino", "OpenVinoInt8"),
    "openvino-qdq": ("openvino", "OpenVinoQdq"),
    "ncnn": ("ncnn", "Ncnn"),
    "ncnn-bf16": ("ncnn", "NcnnBf16"),
    "torch": ("torch", "Torch"),
}
"""Name on the command line; module in this package and class."""

OURS = {"f32": "yolodsc", "bf16": "yolodsc-bf16", "int8": "yolodsc-int8"}
"""This package's engine by precision."""

PEERS = tuple(name for name in ENGINES if name not in OURS.values())

READ_ONNX = tuple(name for name in PEERS if name.startswith(("onnxruntime", "openvino")))
"""Engines that need an ONNX file."""

READ_INT8 = ("yolodsc-int8", "onnxruntime-qdq", "openvino-qdq")
"""Engines that need a quantization."""

CALIBRATED = ("onnxruntime-int8", "openvino-int8")
"""Engines that quantize the network themselves, on calibration images."""

__all__ = ["CALIBRATED", "ENGINES", "OURS", "PEERS", "READ_INT8", "READ_ONNX", "Engine", "engine_versions", "find_engine"]


def find_engine(name: str) -> type[Engine]:
    """The class of an engine. If its library is missing, opening it raises an `ImportError`."""
    if name not in ENGINES:
        raise OptionError(f"peers={name}: expected some of {', '.join(PEERS)}", parameter="peers")
    module, kind = ENGINES[name]
    engine: type[Engine] = getattr(import_module(f"yolodsc.bench.peers.{module}"), kind)
    return engine


def engine_versions(names: Iterable[str]) -> dict[str, str | None]:
    """Versions by name, None for engines that are not installed."""
    return {name: _version(find_engine(name)) for name in names}


def _version(engine: type[Engine]) -> str | None:
    try:
        return engine.version()
    except ImportError:
        return None
