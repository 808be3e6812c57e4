"""Activations that the kernels do not apply themselves."""

from collections.abc import Callable

from yolodsc.arrays import Array
from yolodsc.network import PIECEWISE_LINEAR, activate


def remaining_activation(activation: str) -> Callable[[Array], None] | None:
    """Activation of (C, H, W) in place, after a kernel; None for the piecewise-linear ones, which kernels apply."""
    if activation in PIECEWISE_LINEAR:
        return None

    def in_place(x: Array) -> None:
        x[:] = activate(x, activation)

    return in_place
