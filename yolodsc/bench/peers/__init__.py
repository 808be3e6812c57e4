"""Who takes part: a written table of engines, each a class in a file of its own, imported where it runs."""

from collections.abc import Iterable
from importlib import import_module

from yolodsc.bench.peers.engine import Engine
from yolodsc.errors import OptionError

ENGINES = {
    "yolodsc": "Yolodsc",
    "opencv": "OpenCV",
    "onnxruntime": "OnnxRuntime",
    "openvino": "OpenVino",
    "ncnn": "Ncnn",
    "torch": "Torch",
}
"""Name on the command line and of the module here, and its class."""

PEERS = tuple(name for name in ENGINES if name != "yolodsc")

READ_ONNX = ("onnxruntime", "openvino")
"""Who takes no part where there is no ONNX file."""

__all__ = ["ENGINES", "PEERS", "READ_ONNX", "Engine", "engine_versions", "find_engine"]


def find_engine(name: str) -> type[Engine]:
    """The class of an engine; an `ImportError` where its library is missing comes when it is opened."""
    if name not in ENGINES:
        raise OptionError(f"peers={name}: expected some of {', '.join(PEERS)}", parameter="peers")
    engine: type[Engine] = getattr(import_module(f"yolodsc.bench.peers.{name}"), ENGINES[name])
    return engine


def engine_versions(names: Iterable[str]) -> dict[str, str | None]:
    """Versions by name, None for what is not installed."""
    return {name: _version(find_engine(name)) for name in names}


def _version(engine: type[Engine]) -> str | None:
    try:
        return engine.version()
    except ImportError:
        return None
