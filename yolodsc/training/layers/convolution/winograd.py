"""3x3 convolution of stride 1 through Winograd's F(4x4, 3x3), where it multiplies less than im2col."""

import numpy as np

from yolodsc.arrays import Array
from yolodsc.network import ConvolutionalLayer, Layer
from yolodsc.training.kernels.arguments import WinogradTiles
from yolodsc.training.layers.context import LayerContext
from yolodsc.training.layers.convolution.operands import OutputActivation, bound_operands

TRANSFORMED = "transformed"
"""Name of the transformed weights (36 * F * C,) beside the layer's other arrays."""
CACHED = 300_000
"""Elements of transformed pixels and sums at a time, as long as there are at least `FEWEST` tiles."""
FEWEST = 96
POSITIONS, LANES, LINE, KERNELS = 36, 16, 16, 512


def supports(layer: Layer) -> bool:
    """Whether the layer has a Winograd form that is worth its transforms, at every size of images."""
    if not isinstance(layer, ConvolutionalLayer) or layer.share_index is not None:
        return False
    geometry = (layer.size, layer.stride_y, layer.stride_x, layer.dilation, layer.groups, layer.padding)
    return geometry == (3, 1, 1, 1, 1, 1) and min(layer.filters, layer.weight_shapes()["weights"][1]) >= 16


def transformed(weights: Array) -> Array:
    """Return memory for the transformed weights of (F, C, 3, 3)."""
    return np.empty(POSITIONS * weights.shape[0] * weights.shape[1], np.float32)


def transform(weights: Array, out: Array) -> None:
    """Fill ``out`` with the transforms of (F, C, 3, 3)."""
    from yolodsc.training.kernels import winograd

    winograd.transform_kernels(weights.reshape(-1, 9), np.empty(45 * KERNELS, np.float32), out)


class WinogradTraining:
    """Three products in place of those of im2col, with a quarter of the multiplications."""

    def __init__(self, context: LayerContext[ConvolutionalLayer]) -> None:
        from yolodsc.training.kernels import winograd

        layer, x = context.layer, context.inputs[0]
        self._kernels, self._out, self._scratch = winograd, context.out, context.scratch
        self._activation = OutputActivation(layer, context.out)
        channels, filters = len(x), layer.filters
        operands, self._gradients = bound_operands(context, self._activation.params, (filters * channels, 9))
        self._operands = operands._replace(weights=context.weights[TRANSFORMED])
        height, width = context.out.shape[2:]
        largest = max(CACHED // (POSITIONS * (channels + filters)), FEWEST)
        total, rows = x.shape[1] * -(-height // 4), max(largest // -(-width // 4), 1)
        chunks = -(-total // rows)
        self._tiles = WinogradTiles(x.shape[1], -(-total // chunks))
        padded = -(-self._tiles.rows * -(-width // 4) // LANES) * LANES
        self._forward = POSITIONS * ((channels + filters + 1) * padded + 2 * LINE)
        self._size = max(self._forward + 4 * self._tiles.rows * width, 45 * KERNELS) + POSITIONS * channels * filters
        context.scratch.reserve(self._size)

    def forward(self) -> None:
        """Compute convolution, bias and activation."""
        self._kernels.forward(self._operands, self._tiles, self._scratch.take(self._forward), self._activation.before)
        self._activation.forward()

    def backward(self) -> None:
        """Compute all gradients; transformed pixels are computed again."""
        self._activation.backward(self._gradients.out)
        self._kernels.backward(self._operands, self._gradients, self._tiles, self._scratch.take(self._size), self._out)
