"""Drop-in replacement of ``cv2.dnn`` for Darknet networks, which OpenCV 5 no longer reads.

    from yolodsc import cv2dnn

    net = cv2dnn.readNetFromDarknet("yolov4-tiny.cfg", "yolov4-tiny.weights")

Scripts that write ``cv2.dnn.…`` change their import instead: ``from yolodsc.cv2dnn import cv2`` is ``cv2`` with this module as its
``dnn``. Names that are not here, such as ``blobFromImage`` and ``NMSBoxes``, are those of OpenCV.
"""

from typing import Any

import lazy_loader

_own, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)


def __getattr__(name: str) -> Any:
    if name in __all__ or name.startswith("__"):
        return _own(name)
    import cv2

    return getattr(cv2.dnn, name)
