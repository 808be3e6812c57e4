"""Darknet YOLO networks in pure NumPy and Numba.

import yolodsc

detector = yolodsc.load("name-or-directory")
detections = detector("image.jpg")
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from yolodsc.detection.detections import Detections
    from yolodsc.detection.detector import Detector, load
    from yolodsc.network.network import Network

__version__ = "0.1.0"
__all__ = ["Detections", "Detector", "Network", "__version__", "load"]

_HOMES = {
    "Detections": "yolodsc.detection.detections",
    "Detector": "yolodsc.detection.detector",
    "Network": "yolodsc.network.network",
    "load": "yolodsc.detection.detector",
}


def __getattr__(name: str) -> Any:
    """Import on first use, so that ``import yolodsc`` costs nothing."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
