"""A network's layers as a table: shapes, operations, parameters, and the cost of separable convolutions."""

from math import prod
from typing import Any

from yolodsc.network.layer import Layer
from yolodsc.network.layers.convolutional import ConvolutionalLayer
from yolodsc.network.network import Network
from yolodsc.values import Value


class SummaryRow(Value):
    """One layer.

    Attributes
    ----------
    separable_bflops
        Cost of a depthwise and a pointwise convolution instead of a regular k x k convolution: k²M + MN multiplications per pixel
        instead of k²MN. None for other layers.
    """

    layer: Layer
    bflops: float
    parameters: int
    separable_bflops: float | None

    def options(self) -> str:
        """Filters and size/stride of convolutions and pools, sources of layers that read earlier ones."""
        layer = self.layer
        if isinstance(layer, ConvolutionalLayer):
            groups = f"/{layer.groups}" if layer.groups > 1 else ""
            return f"{layer.filters}{groups}  {layer.size}x{layer.size}/{layer.stride_x}"
        if layer.type in ("maxpool", "local_avgpool"):
            return f"{layer.size}x{layer.size}/{layer.stride_x}"  # type: ignore[attr-defined]
        if layer.type == "route" or len(layer.sources) > 1:
            return ", ".join(map(str, layer.sources))
        return ""

    def to_json(self) -> dict[str, Any]:
        """The row as JSON values."""
        return {
            "index": self.layer.index,
            "type": self.layer.type,
            "sources": list(self.layer.sources),
            "input": list(self.layer.inputs[0]),
            "output": list(self.layer.shape),
            "bflops": self.bflops,
            "parameters": self.parameters,
            "separable_bflops": self.separable_bflops,
        }


class Summary(Value):
    """All rows and their totals."""

    rows: tuple[SummaryRow, ...]

    @property
    def bflops(self) -> float:
        """Operations of one image, in 10^9."""
        return sum(row.bflops for row in self.rows)

    @property
    def parameters(self) -> int:
        """Number of values in the weights file."""
        return sum(row.parameters for row in self.rows)

    @property
    def separable_bflops(self) -> float:
        """Operations with every regular k x k convolution made separable."""
        return sum(row.bflops if row.separable_bflops is None else row.separable_bflops for row in self.rows)

    def to_json(self) -> dict[str, Any]:
        """The table as JSON values."""
        return {
            "layers": [row.to_json() for row in self.rows],
            "bflops": self.bflops,
            "separable_bflops": self.separable_bflops,
            "parameters": self.parameters,
        }


def summarise(network: Network) -> Summary:
    """Table of a network."""
    return Summary(tuple(_row(layer) for layer in network.layers))


def _row(layer: Layer) -> SummaryRow:
    parameters = sum(prod(shape) for shape in layer.weight_shapes().values())
    return SummaryRow(layer, layer.bflops(), parameters, _separable_bflops(layer))


def _separable_bflops(layer: Layer) -> float | None:
    if not isinstance(layer, ConvolutionalLayer) or layer.groups > 1 or layer.size == 1:
        return None
    channels, pixels = layer.inputs[0].channels, layer.shape.height * layer.shape.width
    return 2 * channels * (layer.size**2 + layer.filters) * pixels / 1e9
