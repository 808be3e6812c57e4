"""Convolution as a sum over kernel taps, binarization, and the blur of ``antialiasing``."""

import numpy as np

from yolodsc.arrays import Array


def convolution(
    x: Array, weights: Array, *, groups: int, stride_y: int, stride_x: int, padding: int, dilation: int, padding_value: float = 0.0
) -> Array:
    """Cross-correlation without bias; ``padding_value`` fills the padding.

    Parameters
    ----------
    x : (C, H, W)
    weights : (F, C / groups, K, K)
    groups
        Filters [j F/groups, (j+1) F/groups) read channels [j C/groups, (j+1) C/groups).
    padding
        Pixels on each side, before dilation: the image is padded by ``padding * dilation``, while the output's size ignores
        dilation altogether (``convolutional_layer.c: convolutional_out_height``, ``im2col.c: im2col_cpu_ext``).

    Returns
    -------
    (F, OH, OW) float32
    """
    filters, channels, size, _ = weights.shape
    height, width = (
        (side + 2 * padding - size) // stride + 1 for side, stride in zip(x.shape[1:], (stride_y, stride_x), strict=True)
    )
    extent_y = (height - 1) * stride_y + (size - 1) * dilation + 1
    extent_x = (width - 1) * stride_x + (size - 1) * dilation + 1
    padded = _padded(x, padding * dilation, extent_y, extent_x, padding_value).reshape(groups, channels, extent_y, extent_x)
    taps = weights.reshape(groups, filters // groups, channels, size, size)
    out = np.zeros((groups, filters // groups, height * width), np.float32)
    for ky in range(size):
        for kx in range(size):
            rows = slice(ky * dilation, ky * dilation + (height - 1) * stride_y + 1, stride_y)
            columns = slice(kx * dilation, kx * dilation + (width - 1) * stride_x + 1, stride_x)
            seen = padded[:, :, rows, columns].reshape(groups, channels, height * width)
            out += taps[:, :, :, ky, kx] @ seen
    return out.reshape(filters, height, width)


def _padded(x: Array, padding: int, height: int, width: int, padding_value: float) -> Array:
    """``x`` with ``padding`` rows above and columns to the left, cropped or filled to ``height`` x ``width``."""
    out = np.full((x.shape[0], height, width), padding_value, np.float32)
    window = out[:, padding:, padding:]
    rows, columns = min(x.shape[1], window.shape[1]), min(x.shape[2], window.shape[2])
    window[:, :rows, :columns] = x[:, :rows, :columns]
    return out


def binarized_weights(weights: Array) -> Array:
    """Sign times the filter's mean magnitude (``convolutional_layer.c: binarize_weights``); 0 counts as negative."""
    magnitude = np.abs(weights).mean(axis=(1, 2, 3), keepdims=True)
    return np.where(weights > 0, magnitude, -magnitude)


def binarized(x: Array) -> Array:
    """+1 above 0, else -1 (``convolutional_layer.c: binarize_cpu``)."""
    return np.where(x > 0, np.float32(1), np.float32(-1))


BLUR_GEOMETRY = {1: (3, 1), 2: (2, 0)}
"""Size and padding of the blur for each ``antialiasing`` mode."""


def blur(x: Array, *, antialiasing: int, stride_y: int, stride_x: int) -> Array:
    """The fixed depthwise blur after an anti-aliased layer: [1 2 1] x [1 2 1] / 16 (mode 1) or a 2x2 mean (mode 2)."""
    size, padding = BLUR_GEOMETRY[antialiasing]
    row = np.array([1, 2, 1] if size == 3 else [1, 1], np.float32)
    kernel = np.outer(row, row) / row.sum() ** 2  # (K, K)
    channels = x.shape[0]
    weights = np.broadcast_to(kernel, (channels, 1, size, size))
    return convolution(x, weights, groups=channels, stride_y=stride_y, stride_x=stride_x, padding=padding, dilation=1)
