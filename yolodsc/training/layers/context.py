"""What an operation is given: its layer, the arrays that it reads and writes, and the arrays for its gradients."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

import numpy as np

from yolodsc.arrays import Array, Floats, aligned_zeros
from yolodsc.network import Layer

L = TypeVar("L", bound=Layer)


class TrainingOperation(Protocol):
    """One layer on one micro-batch, bound to its arrays; it takes no arguments and allocates little."""

    def forward(self) -> None:
        """Fill the output from the inputs."""
        ...

    def backward(self) -> None:
        """Fill the gradients of inputs and weights from that of the output, which may be overwritten."""
        ...


class Scratch:
    """Memory for the duration of one call, shared by all operations of one thread."""

    def __init__(self) -> None:
        self._memory = np.empty(0, np.float32)

    def reserve(self, count: int) -> None:
        """Make sure that ``count`` elements can be taken."""
        if count > len(self._memory):
            self._memory = aligned_zeros(count)

    def take(self, *shape: int) -> Array:
        """Return an array of undefined content; every call returns the same memory."""
        return self._memory[: int(np.prod(shape))].reshape(shape)


@dataclass(frozen=True, slots=True, eq=False)
class GradientTarget:
    """The array for the gradient of one input; ``accumulate`` adds to what other readers of that input have stored."""

    array: Array
    accumulate: bool

    def put(self, gradient: Array) -> None:
        """Store the gradient, or add it."""
        if self.accumulate:
            np.add(self.array, gradient, out=self.array)
        else:
            np.copyto(self.array, gradient)


@dataclass(frozen=True, slots=True, eq=False)
class LayerContext(Generic[L]):
    """What an operation works on. Feature maps are (C, n, H, W): with channels first, one matrix product computes all n images.

    Attributes
    ----------
    layer
        The layer, with the shapes for the present size of images.
    inputs, out
        Feature maps; ``out`` is kept for the backward pass.
    gradient
        Gradient of the output, the sum over its readers when the layer's backward pass begins.
    targets
        For each input the array of its gradient, None where the gradient is not needed.
    weights
        Arrays as the forward pass uses them (batch norm folded where its statistics are frozen).
    weight_gradients
        Arrays of the micro-batch, of the shapes of ``weights``; overwritten.
    scratch
        Memory of the thread.
    moments, normalization
        Of live batch norm; see the arguments of the kernels. Empty elsewhere.
    """

    layer: L
    inputs: tuple[Array, ...]
    out: Array
    gradient: Array
    targets: tuple[GradientTarget | None, ...]
    scratch: Scratch
    weights: Mapping[str, Array] = field(default_factory=dict)
    weight_gradients: Mapping[str, Array] = field(default_factory=dict)
    moments: Floats = field(default_factory=lambda: np.empty((0, 3)))
    normalization: Array = field(default_factory=lambda: np.empty((0, 7), np.float32))


def flattened(x: Array) -> Array:
    """View (C, n, H, W) as (C, n H W)."""
    return x.reshape(len(x), -1)
