"""Random sample positions in the output of a layer, and the input patches at these positions."""

from dataclasses import dataclass

import numpy as np

from yolodsc.arrays import Array, Ints
from yolodsc.network import ConvolutionalLayer, MaxpoolLayer, Network


@dataclass(frozen=True, slots=True, eq=False)
class SamplePositions:
    """Output pixels of one layer, for every image.

    Attributes
    ----------
    rows, columns : (images, M)
    window
        Pixels of one max-pool window, 1 without a pool. M is a multiple of it, and consecutive positions are one window.
    """

    rows: Ints
    columns: Ints
    window: int


def choose_positions(network: Network, layer: ConvolutionalLayer, *, images: int, count: int, seed: int) -> SamplePositions:
    """Draw about ``count`` positions per image without repetition; whole windows if only a 2x2 max pool reads the layer.

    The positions depend on seed, layer and image number only.
    """
    side = 2 if pooled(network, layer) else 1
    height, width = layer.shape.height // side, layer.shape.width // side
    windows = min(max(count // side**2, 1), height * width)
    drawn = np.stack([_draw(height * width, windows, (seed, layer.index, image)) for image in range(images)])
    steps_y, steps_x = np.divmod(np.arange(side**2), side)
    rows = (drawn // width * side)[:, :, None] + steps_y  # (images, windows, window)
    columns = (drawn % width * side)[:, :, None] + steps_x
    return SamplePositions(rows.reshape(images, -1), columns.reshape(images, -1), side**2)


def pooled(network: Network, layer: ConvolutionalLayer) -> bool:
    """Whether the only reader of the layer is a 2x2 max pool of stride 2 with aligned windows."""
    readers = [other for other in network.layers if layer.index in other.sources]
    if len(readers) != 1 or not isinstance(readers[0], MaxpoolLayer):
        return False
    pool, shape = readers[0], layer.shape
    halved = (pool.shape.height, pool.shape.width) == (shape.height // 2, shape.width // 2)
    plain = (pool.size, pool.stride_x, pool.stride_y) == (2, 2, 2) and pool.shape.channels == shape.channels
    return plain and halved and shape.height % 2 == shape.width % 2 == 0


def gather_patches(x: Array, layer: ConvolutionalLayer, rows: Ints, columns: Ints) -> Array:
    """Patches (M, C K K), channel-major, of the layer's input ``x`` (C, H, W) for output pixels (M,) and (M,)."""
    offsets = np.arange(layer.size) * layer.dilation - layer.padding * layer.dilation
    y = rows[:, None] * layer.stride_y + offsets  # (M, K)
    x_ = columns[:, None] * layer.stride_x + offsets
    inside_y, inside_x = (y >= 0) & (y < x.shape[1]), (x_ >= 0) & (x_ < x.shape[2])
    y, x_ = np.clip(y, 0, x.shape[1] - 1), np.clip(x_, 0, x.shape[2] - 1)
    seen = x[:, y[:, :, None], x_[:, None, :]] * (inside_y[:, :, None] & inside_x[:, None, :])  # (C, M, K, K)
    return np.ascontiguousarray(seen.transpose(1, 0, 2, 3)).reshape(len(rows), -1)


def _draw(positions: int, count: int, seed: tuple[int, ...]) -> Ints:
    return np.random.default_rng(seed).choice(positions, count, replace=False)
