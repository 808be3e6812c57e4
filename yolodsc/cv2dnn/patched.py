"""``cv2`` with this package as its ``dnn``, for scripts that write ``cv2.dnn.readNet``."""

import types
from typing import Any

import cv2 as _opencv

from yolodsc import cv2dnn


class PatchedOpenCv(types.ModuleType):
    """Everything of the installed OpenCV but ``dnn``, which is `yolodsc.cv2dnn`; OpenCV itself is not changed."""

    def __init__(self) -> None:
        super().__init__("cv2", "OpenCV, with yolodsc.cv2dnn as its dnn.")

    def __getattr__(self, name: str) -> Any:
        if name == "dnn":
            return cv2dnn
        short = name.removeprefix("dnn_")
        if short != name and short in dir(cv2dnn):
            return getattr(cv2dnn, short)
        return getattr(_opencv, name)

    def __dir__(self) -> list[str]:
        return sorted({*dir(_opencv), "dnn"})


cv2: Any = PatchedOpenCv()
