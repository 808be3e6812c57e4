"""All of Darknet's activations, forward (``activations.h``).

Each takes and returns float32 of any shape, except the ``normalize_channels`` family, which normalizes over the first axis.
AlexeyAB's CPU build returns 0 for relu6, swish and mish in some layers; here they are computed correctly.
"""

from collections.abc import Callable

import numpy as np

from yolodsc.arrays import Array


def logistic(x: Array) -> Array:
    """1 / (1 + e^-x), without overflow."""
    decay = np.exp(-np.abs(x))
    return np.where(x >= 0, 1, decay) / (1 + decay)


def elu(x: Array) -> Array:
    """Linear above 0, e^x - 1 below."""
    return np.where(x >= 0, x, np.expm1(np.minimum(x, 0)))


def stair(x: Array) -> Array:
    """Constant on even intervals, linear on odd ones."""
    lower = np.floor(x)
    return np.where(lower % 2 == 0, np.floor(x / 2), (x - lower) + np.floor(x / 2))


def plse(x: Array) -> Array:
    """Piecewise linear sigmoid."""
    outside = np.where(x < 0, np.float32(0.01) * (x + 4), np.float32(0.01) * (x - 4) + 1)
    return np.where(np.abs(x) > 4, outside, np.float32(0.125) * x + np.float32(0.5))


def lhtan(x: Array) -> Array:
    """Identity on 0..1, nearly flat outside."""
    leak = np.float32(0.001)
    return np.where(x < 0, leak * x, np.where(x > 1, leak * (x - 1) + 1, x))


def mish(x: Array) -> Array:
    """X * tanh(softplus(x)), softplus cut at +-20 as Darknet does."""
    exponential = np.exp(np.minimum(x, 20))
    softplus = np.where(x > 20, x, np.where(x < -20, exponential, np.log(exponential + 1)))
    return x * np.tanh(softplus)


def hard_mish(x: Array) -> Array:
    """Identity above 0, a parabola down to -2, 0 below."""
    return np.where(x > 0, x, np.where(x > -2, x * x / 2 + x, 0))


def normalize_channels(x: Array) -> Array:
    """Rectified values divided by their sum over channels."""
    positive = np.maximum(x, 0)
    return positive / (positive.sum(axis=0) + np.float32(1e-4))


def normalize_channels_softmax(x: Array) -> Array:
    """Softmax over channels without the subtraction of the maximum: overflows to NaN, as Darknet's does."""
    with np.errstate(over="ignore", invalid="ignore"):
        exponential = np.exp(x)
        return exponential / (exponential.sum(axis=0) + np.float32(1e-4))


def normalize_channels_softmax_maxval(x: Array) -> Array:
    """Softmax over channels."""
    exponential = np.exp(x - x.max(axis=0))
    return exponential / (exponential.sum(axis=0) + np.float32(1e-4))


def _gelu(x: Array) -> Array:
    return np.float32(0.5) * x * (1 + np.tanh(np.float32(0.797885) * x + np.float32(0.035677) * x**3))


def _selu(x: Array) -> Array:
    return np.float32(1.0507) * np.where(x >= 0, x, np.float32(1.6732) * np.expm1(np.minimum(x, 0)))


def _leaky(x: Array) -> Array:
    return np.where(x > 0, x, np.float32(0.1) * x)


ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "linear": lambda x: x,
    "logistic": logistic,
    "loggy": lambda x: 2 * logistic(x) - 1,
    "relu": lambda x: np.maximum(x, 0),
    "relu6": lambda x: np.clip(x, 0, 6),
    "elu": elu,
    "selu": _selu,
    "gelu": _gelu,
    "relie": lambda x: np.where(x > 0, x, np.float32(0.01) * x),
    "ramp": lambda x: np.maximum(x, 0) + np.float32(0.1) * x,
    "leaky": _leaky,
    "revleaky": _leaky,
    "tanh": np.tanh,
    "plse": plse,
    "stair": stair,
    "hardtan": lambda x: np.clip(x, -1, 1),
    "lhtan": lhtan,
    "swish": lambda x: x * logistic(x),
    "mish": mish,
    "hard_mish": hard_mish,
    "normalize_channels": normalize_channels,
    "normalize_channels_softmax": normalize_channels_softmax,
    "normalize_channels_softmax_maxval": normalize_channels_softmax_maxval,
}
"""Forward functions by the names that cfg files use."""

ACTIVATION_NAMES = frozenset(ACTIVATIONS)


def activate(x: Array, activation: str) -> Array:
    """``x`` through the named activation, as float32 of the same shape."""
    return ACTIVATIONS[activation](x).astype(np.float32, copy=False)


NO_LIMIT = np.float32(np.inf)

PIECEWISE_LINEAR: dict[str, tuple[np.float32, np.float32]] = {
    "linear": (np.float32(1), NO_LIMIT),
    "leaky": (np.float32(0.1), NO_LIMIT),
    "revleaky": (np.float32(0.1), NO_LIMIT),
    "relie": (np.float32(0.01), NO_LIMIT),
    "relu": (np.float32(0), NO_LIMIT),
    "relu6": (np.float32(0), np.float32(6)),
}
"""Slope below 0 and maximum value of the piecewise-linear activations."""
