"""`NetLayer`: what ``cv2.dnn.Net.getLayer`` returns."""

from dataclasses import dataclass
from typing import Self

from yolodsc.arrays import Array
from yolodsc.cv2dnn.layer_table import DnnLayer
from yolodsc.network import Network


@dataclass(frozen=True, slots=True, eq=False)
class NetLayer:
    """A layer of OpenCV: its name, its type and its arrays, in Darknet's order for convolutions.

    Attributes
    ----------
    blobs
        Weights and bias of a convolution or fully connected layer; mean, variance, scale and bias of batch norm.
    """

    name: str
    type: str
    blobs: tuple[Array, ...]
    preferableTarget: int = 0  # noqa: N815 OpenCV's name

    @classmethod
    def of(cls, layer: DnnLayer, network: Network) -> Self:
        """A layer of the table."""
        arrays = network.weights[layer.index] if layer.index >= 0 else {}
        blobs: tuple[Array, ...] = ()
        if layer.type == "BatchNorm":
            blobs = tuple(arrays[key][None] for key in ("rolling_mean", "rolling_variance", "scales", "biases"))
        elif layer.type in ("Convolution", "InnerProduct"):
            bias = () if layer.stage == "product" else (arrays["biases"][None],)
            blobs = (arrays["weights"], *bias)
        return cls(layer.name, layer.type, blobs)

    def outputNameToIndex(self, outputName: str) -> int:  # noqa: N802
        """0 for the layer's own name, -1 for any other."""
        return 0 if outputName == self.name else -1
