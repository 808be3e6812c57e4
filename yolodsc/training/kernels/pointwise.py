"""Pointwise convolution in blocks of columns that stay in the cache from the product to the activation.

The product of a wide feature map with few channels waits for memory. With blocks of 24,000 elements a step is 1.3 to 2.4 times as
fast as with whole feature maps (8 to 48 channels at 112x112: forward 1.8 to 0.7 ms).
"""

import numpy as np

from yolodsc.arrays import Array
from yolodsc.jit import njit
from yolodsc.training.kernels.arguments import ActivationParams, ConvolutionGradients, ConvolutionOperands, plain_arguments
from yolodsc.training.kernels.batchnorm import add_moments, output_gradient
from yolodsc.training.kernels.piecewise_linear import activation_forward, activation_forward_inplace
from yolodsc.training.kernels.vectors.products import ROWS, small_product
from yolodsc.training.kernels.vectors.rows import LANES


@njit(cache=True, nogil=True, error_model="numpy")
def _copy_columns(x: Array, start: int, columns: Array) -> None:
    """Fill (C, n) with columns of (C, N)."""
    for c in range(len(x)):
        source, target = x[c, start:], columns[c]
        for i in range(len(target)):
            target[i] = source[i]


@njit(cache=True, nogil=True, error_model="numpy")
def _store_columns(columns: Array, start: int, accumulate: bool, x: Array) -> None:
    """Store (C, n) in columns of (C, N), or add it to them."""
    for c in range(len(x)):
        source, target = columns[c], x[c, start:]
        if accumulate:
            for i in range(len(source)):
                target[i] += source[i]
        else:
            for i in range(len(source)):
                target[i] = source[i]


@plain_arguments
@njit(cache=True, nogil=True, error_model="numpy")
def forward(operands: ConvolutionOperands, block: int, memory: Array, out: Array) -> None:
    """Compute product, bias and activation.

    Parameters
    ----------
    operands
        With weights (F, C).
    block
        Columns at a time.
    memory : (at least (C + F) * block,)
        Not used where one block holds everything.
    out : (F, n, H, W)
    """
    operands = ConvolutionOperands(*operands)
    x, weights, bias, activation = operands.x, operands.weights, operands.bias, ActivationParams(operands.slope, operands.limit)
    filters, channels = weights.shape
    flat, out_rows = x.reshape(channels, -1), out.reshape(filters, -1)
    width = flat.shape[1]
    if block >= width:
        if filters >= ROWS and width % LANES == 0:
            arrays = weights.reshape(-1), flat.reshape(-1), out_rows.reshape(-1)
            small_product(arrays, (0, 0, 0), (filters, channels, width), (channels, 1, width, width))
        else:
            np.dot(weights, flat, out_rows)
        for f in range(filters):
            activation_forward_inplace(out_rows[f], bias[f], activation)
        for f in range(len(operands.moments)):
            add_moments(out_rows[f], 0, width, True, operands.moments[f])
        return
    for start in range(0, width, block):
        n = min(block, width - start)
        product = memory[channels * n : (channels + filters) * n].reshape(filters, n)
        if filters >= ROWS and n % LANES == 0:
            arrays, starts = (weights.reshape(-1), flat.reshape(-1), product.reshape(-1)), (0, start, 0)
            small_product(arrays, starts, (filters, channels, n), (channels, 1, width, n))
        else:
            columns = memory[: channels * n].reshape(channels, n)
            _copy_columns(flat, start, columns)
            np.dot(weights, columns, product)
        for f in range(filters):
            activation_forward(product[f], bias[f], activation, out_rows[f, start:])
        for f in range(len(operands.moments)):
            add_moments(out_rows[f], start, n, start == 0, operands.moments[f])


@plain_arguments
@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "nsz"})
def backward(operands: ConvolutionOperands, gradients: ConvolutionGradients, block: int, memory: Array, out: Array) -> None:
    """Compute the gradients of weights (F, C) and bias, and of the input where it is needed.

    ``memory`` holds (2 C + F) * block elements.
    """
    operands = ConvolutionOperands(*operands)
    gradients = ConvolutionGradients(*gradients)
    filters, channels = operands.weights.shape
    x, target = operands.x.reshape(channels, -1), gradients.x.reshape(channels, -1)
    gradient, out_rows, width = gradients.out.reshape(filters, -1), out.reshape(filters, -1), x.shape[1]
    part, weights_gradient = np.empty_like(operands.weights), gradients.weights
    weights_gradient[:] = 0
    gradients.bias[:] = 0
    activation = ActivationParams(operands.slope, operands.limit)
    for start in range(0, width, block):
        n = min(block, width - start)
        spare = memory[: channels * n].reshape(channels, n)
        before = memory[channels * n : (channels + filters) * n].reshape(filters, n)
        for f in range(filters):
            arrays, first = (gradient[f], out_rows[f], before[f]), (start, 0)
            gradients.bias[f] += output_gradient(gradients, f, arrays, (first, first, (0, 0)), (1, n), activation)
        if n == width:
            np.dot(before, x.T, part)
        else:
            columns = memory[(channels + filters) * n : (2 * channels + filters) * n].reshape(channels, n)
            _copy_columns(x, start, columns)
            np.dot(before, columns.T, part)
        weights_gradient += part
        if target.size == 0:
            continue
        if n == width and not gradients.accumulate:
            np.dot(operands.weights.T, before, target)
            continue
        if not gradients.accumulate and channels >= ROWS and n % LANES == 0:
            arrays, starts = (operands.weights.reshape(-1), before.reshape(-1), target.reshape(-1)), (0, 0, start)
            small_product(arrays, starts, (channels, filters, n), (1, channels, n, width))
            continue
        np.dot(operands.weights.T, before, spare)
        _store_columns(spare, start, gradients.accumulate, target)
