"""Derivatives of the activations that are not piecewise linear (``activations.c: gradient``), in NumPy.

Those of swish and mish are computed from the input of the activation, which the forward pass keeps, as AlexeyAB does.
"""

from collections.abc import Callable

import numpy as np

from yolodsc.arrays import Array
from yolodsc.network import logistic

Derivative = Callable[[Array, Array], Array]
"""From the input and the output of the activation to the derivative, all of one shape."""


def _swish(x: Array, y: Array) -> Array:
    return y + logistic(x) * (1 - y)


def _mish(x: Array, y: Array) -> Array:
    """tanh(s) + x (1 - tanh² s) logistic(x), s = softplus(x)."""
    softplus = np.where(x > 20, x, np.log1p(np.exp(np.minimum(x, 20))))
    bounded = np.tanh(softplus)
    return bounded + x * (1 - bounded * bounded) * logistic(x)


def _hard_mish(x: Array, y: Array) -> Array:
    return np.where(x > 0, np.float32(1), np.where(x > -2, x + 1, np.float32(0)))


def _gelu(x: Array, y: Array) -> Array:
    inner = np.float32(0.797885) * x + np.float32(0.035677) * x**3
    bounded = np.tanh(inner)
    inner_derivative = np.float32(0.797885) + np.float32(0.107031) * x * x
    return np.float32(0.5) * (1 + bounded + x * (1 - bounded * bounded) * inner_derivative)


DERIVATIVES: dict[str, Derivative] = {
    "logistic": lambda x, y: y * (1 - y),
    "loggy": lambda x, y: (1 - y * y) * np.float32(0.5),
    "tanh": lambda x, y: 1 - y * y,
    "elu": lambda x, y: np.where(x >= 0, 1, y + 1),
    "selu": lambda x, y: np.where(x >= 0, np.float32(1.0507), y + np.float32(1.0507 * 1.6732)),
    "gelu": _gelu,
    "ramp": lambda x, y: np.where(x > 0, np.float32(1.1), np.float32(0.1)),
    "hardtan": lambda x, y: ((x > -1) & (x < 1)).astype(np.float32),
    "lhtan": lambda x, y: np.where((x > 0) & (x < 1), np.float32(1), np.float32(0.001)),
    "plse": lambda x, y: np.where(np.abs(x) > 4, np.float32(0.01), np.float32(0.125)),
    "stair": lambda x, y: (np.floor(x) % 2 != 0).astype(np.float32),
    "swish": _swish,
    "mish": _mish,
    "hard_mish": _hard_mish,
}
"""All activations except the piecewise-linear ones and the ``normalize_channels`` family."""
