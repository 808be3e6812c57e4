"""Which activations the kernels apply themselves, and the others in place."""

from collections.abc import Callable

import numpy as np

from yolodsc.reference.activations import activate
from yolodsc.shape import Array

NO_LIMIT = np.float32(np.inf)

BENDS: dict[str, tuple[np.float32, np.float32]] = {
    "linear": (np.float32(1), NO_LIMIT),
    "leaky": (np.float32(0.1), NO_LIMIT),
    "revleaky": (np.float32(0.1), NO_LIMIT),
    "relie": (np.float32(0.01), NO_LIMIT),
    "relu": (np.float32(0), NO_LIMIT),
    "relu6": (np.float32(0), np.float32(6)),
}
"""Slope below 0 and greatest value of the activations that are a bend and a cut."""


def after(activation: str) -> Callable[[Array], None] | None:
    """What is left to do to (C, H, W) when the kernel has applied its bend: nothing, or the whole activation in place."""
    if activation in BENDS:
        return None

    def general(x: Array) -> None:
        x[:] = activate(x, activation)

    return general
