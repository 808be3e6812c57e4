"""Table of engines: each is a class in a separate file, which only its worker process imports."""

from collections.abc import Iterable
from importlib import import_module

from yolodsc.bench.peers.engine import Engine
from yolodsc.errors import OptionError

ENGINES = {
    "yolodsc": ("yolodsc", "Yolodsc"),
    "opencv": ("opencv", "OpenCV"),
    "onnxruntime": ("onnxruntime", "OnnxRuntime"),
    "openvino": ("openvino", "OpenVino"),
    "openvino-default": ("openvino", "OpenVinoDefault"),
    "ncnn": ("ncnn", "Ncnn"),
    "torch": ("torch", "Torch"),
}
"""Name on the command line; module in this package and class."""

PEERS = tuple(name for name in ENGINES if name != "yolodsc")

READ_ONNX = ("onnxruntime", "openvino", "openvino-default")
"""Engines that need an ONNX file."""

__all__ = ["ENGINES", "PEERS", "READ_ONNX", "Engine", "engine_versions", "find_engine"]


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
