"""Convolutions as steps: plan once, run bare.

A `Step` reads arrays that were bound when it was made and fills its output; it takes no arguments and allocates next to nothing.
"""

from collections.abc import Callable
from functools import partial
from typing import Literal

import numpy as np

from yolodsc.arrays import Array
from yolodsc.engine.fastdsc.activation import after
from yolodsc.engine.fastdsc.products import Workers, parts
from yolodsc.network import PIECEWISE_LINEAR, ConvolutionalLayer, Weights, folded

Step = Callable[[], None]

Pointwise = Literal["flat", "im2col"]
"""How pointwise layers run: FastDSC's product on the flattened map, or the im2col that it does away with (for comparison)."""


def convolution_step(
    layer: ConvolutionalLayer, weights: Weights, x: Array, out: Array, *, pointwise: Pointwise, workers: Workers
) -> Step:
    """The step of an ordinary convolution; ``x`` (C, H, W) and ``out`` (F, OH, OW) are bound."""
    kernel, bias = folded(layer, weights)
    if layer.pointwise and pointwise == "flat":
        product = _flat_product(kernel, x, out, workers)
    elif layer.depthwise:
        return _depthwise_step(layer, kernel, bias, x, out)
    else:
        product = _im2col_product(layer, kernel, x, out, workers)
    return _bent(layer, product, bias, out)


def _bent(layer: ConvolutionalLayer, product: Step, bias: Array, out: Array) -> Step:
    """The product, then bias and activation."""
    from yolodsc.engine.fastdsc.piecewise_linear import add_bias_and_activate

    flat = out.reshape(len(out), -1)
    slope, limit = PIECEWISE_LINEAR.get(layer.activation, PIECEWISE_LINEAR["linear"])
    finish = after(layer.activation)

    def step() -> None:
        product()
        add_bias_and_activate(flat, bias, slope, limit)
        if finish:
            finish(out)

    return step


def _flat_product(kernel: Array, x: Array, out: Array, workers: Workers) -> Step:
    matrix = np.ascontiguousarray(kernel.reshape(kernel.shape[:2]))  # (F, C)
    tasks = parts(matrix, x.reshape(len(x), -1), out.reshape(len(out), -1))
    return partial(workers.run, tasks)


def _im2col_product(layer: ConvolutionalLayer, kernel: Array, x: Array, out: Array, workers: Workers) -> Step:
    groups, (filters, channels, size, _) = layer.groups, kernel.shape
    _, height, width = out.shape
    fill, padded = padded_input(layer, x)
    taps = [_tap(layer, padded, height, width, ky, kx) for ky in range(size) for kx in range(size)]
    columns = np.empty((len(x), size * size, height, width), np.float32)
    matrices = np.ascontiguousarray(kernel.reshape(groups, filters // groups, channels * size * size))
    flat_columns = columns.reshape(groups, channels * size * size, height * width)
    tasks = parts(matrices, flat_columns, out.reshape(groups, filters // groups, height * width))

    def product() -> None:
        fill()
        for i, tap in enumerate(taps):
            columns[:, i] = tap
        workers.run(tasks)

    return product


def _depthwise_step(layer: ConvolutionalLayer, kernel: Array, bias: Array, x: Array, out: Array) -> Step:
    from yolodsc.engine.fastdsc.depthwise import depthwise

    fill, padded = padded_input(layer, x)
    planes = np.ascontiguousarray(kernel[:, 0])  # (F, K, K)
    stride = (layer.stride_y, layer.stride_x)
    slope, limit = PIECEWISE_LINEAR.get(layer.activation, PIECEWISE_LINEAR["linear"])
    finish = after(layer.activation)

    def step() -> None:
        fill()
        depthwise(padded, planes, bias, stride, layer.dilation, slope, limit, out)
        if finish:
            finish(out)

    return step


def padded_input(layer: ConvolutionalLayer, x: Array) -> tuple[Step, Array]:
    """A step that copies ``x`` into a buffer with zero margins, and that buffer; nothing and ``x`` where no tap leaves it."""
    channels, height, width = x.shape
    margin = layer.padding * layer.dilation
    span = (layer.size - 1) * layer.dilation + 1
    rows = max((layer.shape.height - 1) * layer.stride_y + span, height + margin)
    columns = max((layer.shape.width - 1) * layer.stride_x + span, width + margin)
    if (rows, columns) == (height, width):
        return (lambda: None), x
    padded = np.zeros((channels, rows, columns), np.float32)
    middle = padded[:, margin : margin + height, margin : margin + width]

    def fill() -> None:
        middle[:] = x

    return fill, padded


def _tap(layer: ConvolutionalLayer, padded: Array, height: int, width: int, ky: int, kx: int) -> Array:
    """The view (C, OH, OW) of what one tap of the kernel sees."""
    top, left = ky * layer.dilation, kx * layer.dilation
    rows = slice(top, top + (height - 1) * layer.stride_y + 1, layer.stride_y)
    return padded[:, rows, left : left + (width - 1) * layer.stride_x + 1 : layer.stride_x]
