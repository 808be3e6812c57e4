"""3x3 convolution of stride 1 through Winograd's F(4x4, 3x3), where it multiplies less than im2col."""

from functools import lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

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
        self._tiles = tiles_of(x.shape[1], height, width, -(-total // chunks))
        padded, *_ = self._tiles.chunks.max(axis=0)[1:]
        pixels = int(max(self._tiles.chunks[:, 3].max(), self._tiles.chunks[:, 5].max()))
        self._forward = POSITIONS * ((channels + filters) * int(padded) + 2 * LINE + int(padded)) + 2 + pixels
        self._size = max(self._forward, 45 * KERNELS) + POSITIONS * channels * filters
        context.scratch.reserve(self._size)

    def forward(self) -> None:
        """Compute convolution, bias and activation."""
        self._kernels.forward(self._operands, self._tiles, self._scratch.take(self._forward), self._activation.before)
        self._activation.forward()

    def backward(self) -> None:
        """Compute all gradients; transformed pixels are computed again."""
        self._activation.backward(self._gradients.out)
        self._kernels.backward(self._operands, self._gradients, self._tiles, self._scratch.take(self._size), self._out)


@lru_cache(maxsize=64)
def tiles_of(images: int, height: int, width: int, rows: int) -> WinogradTiles:
    """Return the tiles of ``images`` feature maps, ``rows`` rows of tiles at a time; rows are numbered over all images."""
    down = -(-height // 4)
    total = images * down
    parts = [_chunk(first, min(first + rows, total), height, width) for first in range(0, total, rows)]
    starts = np.cumsum([0, *(len(indices) for _, indices in parts)])
    chunks = np.array([[*numbers, start] for (numbers, _), (start, _) in zip(parts, pairwise(starts), strict=True)], np.int64)
    return WinogradTiles(chunks, np.concatenate([indices for _, indices in parts]))


def _chunk(first: int, last: int, height: int, width: int) -> tuple[list[int], NDArray[np.uint32]]:
    """Return numbers and tables of rows of tiles ``first`` to ``last`` - 1."""
    down, across = -(-height // 4), -(-width // 4)
    count = (last - first) * across
    padded = -(-count // LANES) * LANES
    row, column = np.divmod(np.arange(padded), across)
    image, y = np.divmod(row + first, down)
    top, bottom = _rows(first, down, height)[0], _rows(last - 1, down, height)[1]
    low, high = max(top - 1, first // down * height), min(bottom + 1, ((last - 1) // down + 1) * height)
    real = np.arange(padded) < count

    def elements(offsets: NDArray[np.int64], start: int, end: int) -> NDArray[np.int64]:
        """The index, in pixel rows ``start`` to ``end`` - 1, of pixels at offsets from the tiles' corners, or one behind them."""
        v, u = (4 * y + offsets[:, None])[:, None], (4 * column + offsets[:, None])[None]  # rows and columns of (K, K, P)
        inside = (v >= 0) & (v < height) & (u >= 0) & (u < width) & real
        return np.where(inside, (image * height + v - start) * width + u, (end - start) * width)

    read = elements(np.arange(-1, 5), low, high).reshape(POSITIONS, padded)
    written = elements(np.arange(4), top, bottom).reshape(16, padded)
    tables = [read, _inverse(written, (bottom - top) * width, 1), written, _inverse(read, (high - low) * width, 4)]
    numbers = [count, padded, low * width, (high - low) * width, top * width, (bottom - top) * width]
    return numbers, np.concatenate([table.reshape(-1) for table in tables]).astype(np.uint32)


def _rows(row: int, down: int, height: int) -> tuple[int, int]:
    """Return the first pixel row of a row of tiles, and the one behind the last, numbered over all images."""
    image, y = divmod(row, down)
    return image * height + 4 * y, image * height + min(4 * y + 4, height)


def _inverse(table: NDArray[np.int64], count: int, copies: int) -> NDArray[np.int64]:
    """Return for each of ``count`` elements its positions (copies, count) in a table, or those behind the last."""
    order = np.argsort(table, axis=None, kind="stable")
    element = table.reshape(-1)[order]
    order, element = order[element < count], element[element < count]
    number = np.arange(len(element)) - np.searchsorted(element, element)  # which copy of its element
    out = np.full((copies, count), table.size)
    out[number, element] = order
    return out
