"""Piecewise-linear activations of rows, forward with the bias and backward with the gradient of the bias, in one pass each.

The derivative at an element follows from the output alone, so the backward pass needs no other array.

Rows that are overwritten have separate functions: LLVM generates scalar code where two arguments may be the same array.
"""

import numpy as np

from yolodsc.arrays import Array
from yolodsc.jit import njit
from yolodsc.training.kernels.arguments import ActivationParams, plain_arguments
from yolodsc.training.kernels.reductions import row_sum

BLOCK = 1024
"""Elements that are written and then summed while they are in the first cache."""


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "nsz"})
def activated(value: np.float32, activation: ActivationParams) -> np.float32:
    """Return the activation of one element."""
    slope, limit = activation
    return min(max(value, slope * value), limit)


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "nsz", "reassoc"})
def input_gradient(gradient: np.float32, out: np.float32, activation: ActivationParams) -> np.float32:
    """Return the gradient of the activation's input from that of its output ``out``, for one element."""
    slope, limit = activation
    derivative = np.float32(1) if out > np.float32(0) else slope
    return gradient * (derivative if out < limit else np.float32(0))


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "nsz"})
def activation_forward(x: Array, bias: np.float32, activation: ActivationParams, out: Array) -> None:
    """Fill ``out`` (n,) with the activation of x + bias."""
    slope, limit = activation
    for i in range(len(x)):
        value = x[i] + bias
        out[i] = min(max(value, slope * value), limit)


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "nsz"})
def activation_forward_inplace(row: Array, bias: np.float32, activation: ActivationParams) -> None:
    """Overwrite (n,) with the activation of row + bias."""
    slope, limit = activation
    for i in range(len(row)):
        value = row[i] + bias
        row[i] = min(max(value, slope * value), limit)


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "nsz", "reassoc"})
def activation_backward(gradient: Array, out: Array, activation: ActivationParams, target: Array) -> np.float32:
    """Fill ``target`` (n,) with the gradient of the activation's input; return its sum."""
    total = np.float32(0)
    for i in range(len(target)):
        value = input_gradient(gradient[i], out[i], activation)
        target[i] = value
        total += value
    return total


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "nsz", "reassoc"})
def activation_backward_inplace(gradient: Array, out: Array, activation: ActivationParams) -> np.float32:
    """Overwrite the gradient (n,) of the activation's output with that of its input; return its sum."""
    total = np.float32(0)
    for i in range(len(gradient)):
        value = input_gradient(gradient[i], out[i], activation)
        gradient[i] = value
        total += value
    return total


@plain_arguments
@njit(cache=True, nogil=True, error_model="numpy")
def bias_backward(gradient: Array, out: Array, activation: ActivationParams, bias_gradient: Array) -> None:
    """Overwrite the gradient (F, N) of the activation's output with that of its input, and (F,) with the sums of its rows."""
    activation = ActivationParams(*activation)
    for f in range(len(out)):
        if activation.slope == 1 and activation.limit == np.inf:
            bias_gradient[f] = row_sum(gradient[f])
        else:
            bias_gradient[f] = activation_backward_inplace(gradient[f], out[f], activation)
