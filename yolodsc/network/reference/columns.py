"""The input of Darknet's matrix product where its columns do not match the output, rearranged for a 1x1 convolution.

Darknet's convolution is one product of the weights and a matrix of columns (``forward_convolutional_layer``).
It takes the number of columns from the output's shape. Where the matrix in memory has another width, rows begin at wrong offsets.
"""

import numpy as np

from yolodsc.arrays import Array, Shape


def memory_order(x: Array, *, groups: int, height: int, width: int) -> Array:
    """The first values of each group's feature maps, as rows of ``height * width`` values.

    Source: ``forward_convolutional_layer`` multiplies some 1x1 convolutions with the input itself, whatever stride and padding are.

    Parameters
    ----------
    x : (C, H, W)
    height, width
        Of the convolution's output; the product must not exceed H W.

    Returns
    -------
    (C, height, width) float32
    """
    channels = len(x) // groups
    front = x.reshape(groups, -1)[:, : channels * height * width]
    return front.reshape(len(x), height, width)


def columns_shape(shape: Shape, *, size: int, strides: tuple[int, int], padding: int, dilation: int) -> tuple[int, int]:
    """Height and width of the windows that ``im2col.c: im2col_cpu_ext`` lists; they depend on the dilation."""
    extent = (size - 1) * dilation + 1
    height, width = ((side + 2 * padding - extent) // stride + 1 for side, stride in zip(shape[1:], strides, strict=True))
    return height, width


def rearranged_columns(columns: Array, *, groups: int, height: int, width: int) -> Array:
    """Columns (C K K, H', W') of `columns_shape`, read as rows of ``height * width`` numbers, group by group.

    Values after a group's columns are 0, as Darknet allocates them.

    Returns
    -------
    (C K K, height, width) float32
    """
    rows = len(columns) // groups
    flat = columns.reshape(groups, -1)
    out = np.zeros((groups, rows * height * width), np.float32)
    count = min(flat.shape[1], out.shape[1])
    out[:, :count] = flat[:, :count]
    return out.reshape(len(columns), height, width)


def columns_of(x: Array, *, size: int, strides: tuple[int, int], padding: int, dilation: int) -> Array:
    """Columns (C K K, H', W') of an input (C, H, W) with ``padding`` zeros around it (``im2col.c: im2col_cpu_ext``)."""
    height, width = columns_shape(Shape(*x.shape), size=size, strides=strides, padding=padding, dilation=dilation)
    padded = np.pad(x, ((0, 0), (padding, padding), (padding, padding)))
    out = np.empty((len(x), size, size, height, width), np.float32)
    for ky, kx in np.ndindex(size, size):
        rows = slice(ky * dilation, ky * dilation + (height - 1) * strides[0] + 1, strides[0])
        columns = slice(kx * dilation, kx * dilation + (width - 1) * strides[1] + 1, strides[1])
        out[:, ky, kx] = padded[:, rows, columns]
    return out.reshape(len(x) * size * size, height, width)
