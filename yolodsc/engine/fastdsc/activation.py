"""Which activations the kernels apply themselves, and the others in place."""

from collections.abc import Callable

from yolodsc.arrays import Array
from yolodsc.network import PIECEWISE_LINEAR, activate


def after(activation: str) -> Callable[[Array], None] | None:
    """What is left to do to (C, H, W) when the kernel has applied its bend: nothing, or the whole activation in place."""
    if activation in PIECEWISE_LINEAR:
        return None

    def general(x: Array) -> None:
        x[:] = activate(x, activation)

    return general
