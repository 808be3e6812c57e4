"""OpenCV's dnn module. Version 4 reads the Darknet pair, and its epsilon of batch norm differs: outputs differ by up to 2e-3.

Version 5 has no reader for Darknet networks and reads our ONNX file.
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
        outputs: Sequence[Any] = self.net.forward(self.names)
        return outputs

    @classmethod
    def version(cls) -> str:
        """Version of the module, whatever wheel installed it."""
        import cv2

        return cv2.__version__


def _layer(names: Sequence[str], index: int) -> str:
    """OpenCV's name of the last part of a layer: ``conv_7 bn_7`` and, with the next number, ``leaky_8``."""
    parts = [name for name in names if name.endswith(f"_{index}") and name.rsplit("_", 1)[0] not in ACTIVATIONS]
    activations = [name for name in names if name in {f"{activation}_{index + 1}" for activation in ACTIVATIONS}]
    if not parts + activations:
        raise ValueError(f"OpenCV has no layer for number {index}")
    return (parts + activations)[-1]
