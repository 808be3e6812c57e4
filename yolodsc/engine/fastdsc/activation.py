"""Activations applied in place."""

from collections.abc import Callable

import numpy as np

from yolodsc.reference.activations import activate
from yolodsc.shape import Array


def _leaky(x: Array) -> None:
    np.maximum(x, x * np.float32(0.1), out=x)


def _relu(x: Array) -> None:
    np.maximum(x, 0, out=x)


def _relu6(x: Array) -> None:
    np.clip(x, 0, 6, out=x)


_IN_PLACE: dict[str, Callable[[Array], None]] = {
    "linear": lambda x: None,
    "leaky": _leaky,
    "relu": _relu,
    "relu6": _relu6,
}


def in_place(activation: str) -> Callable[[Array], None]:
    """A function that overwrites (C, H, W) with its activation."""
    if activation in _IN_PLACE:
        return _IN_PLACE[activation]

    def general(x: Array) -> None:
        x[:] = activate(x, activation)

    return general
