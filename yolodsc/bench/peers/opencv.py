"""OpenCV's dnn module. Version 4 reads the Darknet pair itself, batch norm with its own epsilon: outputs differ by up to 2e-3.

Version 5 has no reader for Darknet networks and is given our ONNX file.
"""

from collections.abc import Sequence
from typing import Any

from yolodsc.arrays import Array
from yolodsc.bench.job import Job
from yolodsc.bench.peers.engine import Engine

ACTIVATIONS = ("leaky", "relu", "relu6", "swish", "mish", "logistic", "hardswish", "tanh")


class OpenCV(Engine):
    """One network on OpenCV's own CPU backend."""

    distribution = "opencv-python"

    def __init__(self, job: Job) -> None:
        import cv2

        cv2.setNumThreads(job.threads)
        dnn: Any = cv2.dnn
        if hasattr(dnn, "readNetFromDarknet"):
            self.net = dnn.readNetFromDarknet(job.cfg, job.weights)
            self.net.setPreferableBackend(dnn.DNN_BACKEND_OPENCV)
            self.names = [_layer(self.net.getLayerNames(), index) for index in job.outputs]
        else:
            self.net = dnn.readNetFromONNX(job.onnx)
            self.names = [f"layer_{index}" for index in job.outputs]

    def __call__(self, image: Array) -> Sequence[Any]:
        """Run."""
        self.net.setInput(image[None])
        maps: Sequence[Any] = self.net.forward(self.names)
        return maps

    @classmethod
    def version(cls) -> str:
        """Whatever wheel it came with."""
        import cv2

        return cv2.__version__


def _layer(names: Sequence[str], index: int) -> str:
    """OpenCV's name of a layer's last part: ``conv_7 bn_7`` and, with the next number, ``leaky_8``."""
    own = [name for name in names if name.endswith(f"_{index}") and name.rsplit("_", 1)[0] not in ACTIVATIONS]
    bent = [name for name in names if name in {f"{activation}_{index + 1}" for activation in ACTIVATIONS}]
    if not own + bent:
        raise ValueError(f"OpenCV has no layer for number {index}")
    return (own + bent)[-1]
