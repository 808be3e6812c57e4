"""Convolutions as steps: one matrix product for pointwise layers, im2col and a product for others, a kernel for depthwise ones.

A `Step` is prepared once. It reads and writes arrays that are bound to it, and a call allocates next to nothing.
"""

from functools import partial
from typing import Literal

import numpy as np

from yolodsc.arrays import Array
from yolodsc.engine.fastdsc.activation import remaining_activation
from yolodsc.engine.fastdsc.matmul import MatmulPool, Step, matmul_blocks
from yolodsc.network import PIECEWISE_LINEAR, ConvolutionalLayer, Weights, folded

Pointwise = Literal["flat", "im2col"]
"""How pointwise layers run: FastDSC's product on the flattened feature map, or im2col, which it replaces (for comparison)."""


def convolution_step(
    layer: ConvolutionalLayer, weights: Weights, x: Array, out: Array, *, pointwise: Pointwise, pool: MatmulPool
) -> Step:
    """Return the step of a convolution from ``x`` (C, H, W) to ``out`` (F, OH, OW), which are bound to it."""
    kernel, bias = folded(layer, weights)
    if layer.pointwise and pointwise == "flat":
        product = _pointwise_product(kernel, x, out, pool)
    elif layer.depthwise:
        return _depthwise_step(layer, kernel, bias, x, out)
    else:
        product = _im2col_product(layer, kernel, x, out, pool)
    return _with_epilogue(layer, product, bias, out)


def _with_epilogue(layer: ConvolutionalLayer, product: Step, bias: Array, out: Array) -> Step:
    """Return a step that runs the product, then adds the bias and applies the activation."""
    from yolodsc.engine.fastdsc.piecewise_linear import add_bias_and_activate

    flattened = out.reshape(len(out), -1)
    slope, limit = PIECEWISE_LINEAR.get(layer.activation, PIECEWISE_LINEAR["linear"])
    finish = remaining_activation(layer.activation)

    def step() -> None:
        product()
        add_bias_and_activate(flattened, bias, slope, limit)
        if finish:
            finish(out)

    return step


def _pointwise_product(kernel: Array, x: Array, out: Array, pool: MatmulPool) -> Step:
    matrix = np.ascontiguousarray(kernel.reshape(kernel.shape[:2]))  # (F, C)
    blocks = matmul_blocks(matrix, x.reshape(len(x), -1), out.reshape(len(out), -1))
    return partial(pool.run, blocks)


def _im2col_product(layer: ConvolutionalLayer, kernel: Array, x: Array, out: Array, pool: MatmulPool) -> Step:
    groups, (filters, channels, size, _) = layer.groups, kernel.shape
    _, height, width = out.shape
    fill, padded = padded_input(layer, x)
    taps = [_tap_view(layer, padded, height, width, ky, kx) for ky in range(size) for kx in range(size)]
    columns = np.empty((len(x), size * size, height, width), np.float32)
    matrices = np.ascontiguousarray(kernel.reshape(groups, filters // groups, channels * size * size))
    flattened_columns = columns.reshape(groups, channels * size * size, height * width)
    blocks = matmul_blocks(matrices, flattened_columns, out.reshape(groups, filters // groups, height * width))

    def product() -> None:
        fill()
        for i, tap in enumerate(taps):
            columns[:, i] = tap
        pool.run(blocks)

    return product


def _depthwise_step(layer: ConvolutionalLayer, kernel: Array, bias: Array, x: Array, out: Array) -> Step:
    from yolodsc.engine.fastdsc.depthwise import depthwise

    fill, padded = padded_input(layer, x)
    filters = np.ascontiguousarray(kernel[:, 0])  # (F, K, K)
    stride = (layer.stride_y, layer.stride_x)
    slope, limit = PIECEWISE_LINEAR.get(layer.activation, PIECEWISE_LINEAR["linear"])
    finish = remaining_activation(layer.activation)

    def step() -> None:
        fill()
        depthwise(padded, filters, bias, stride, layer.dilation, slope, limit, out)
        if finish:
            finish(out)

    return step


def padded_input(layer: ConvolutionalLayer, x: Array) -> tuple[Step, Array]:
    """Return a step that copies ``x`` into a zero-padded buffer, and the buffer.

    If no tap needs padding, the step does nothing and the buffer is ``x``.
    """
    channels, height, width = x.shape
    padding = layer.padding * layer.dilation
    extent = (layer.size - 1) * layer.dilation + 1
    rows = max((layer.shape.height - 1) * layer.stride_y + extent, height + padding)
    columns = max((layer.shape.width - 1) * layer.stride_x + extent, width + padding)
    if (rows, columns) == (height, width):
        return (lambda: None), x
    padded = np.zeros((channels, rows, columns), np.float32)
    interior = padded[:, padding : padding + height, padding : padding + width]

    def fill() -> None:
        interior[:] = x

    return fill, padded


def _tap_view(layer: ConvolutionalLayer, padded: Array, height: int, width: int, ky: int, kx: int) -> Array:
    """Return the view (C, OH, OW) of the padded input that one tap of the kernel reads."""
    top, left = ky * layer.dilation, kx * layer.dilation
    rows = slice(top, top + (height - 1) * layer.stride_y + 1, layer.stride_y)
    return padded[:, rows, left : left + (width - 1) * layer.stride_x + 1 : layer.stride_x]
