"""What an operation is given: its layer, the arrays it reads and writes, the places for its gradients."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

import numpy as np

from yolodsc.arrays import Array
from yolodsc.network import Layer

L = TypeVar("L", bound=Layer)


class TrainingOperation(Protocol):
    """One layer on one chunk of images, bound to its arrays; it takes no arguments and allocates next to nothing."""

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
        """Make sure that ``count`` numbers can be taken."""
        if count > len(self._memory):
            self._memory = np.empty(count, np.float32)

    def take(self, *shape: int) -> Array:
        """An array of undefined content, the same memory at every call."""
        return self._memory[: int(np.prod(shape))].reshape(shape)


@dataclass(frozen=True, slots=True, eq=False)
class GradientTarget:
    """Where the gradient of one input goes; ``add`` to what other readers of that input have put there."""

    array: Array
    add: bool

    def put(self, gradient: Array) -> None:
        """Store or add."""
        if self.add:
            np.add(self.array, gradient, out=self.array)
        else:
            np.copyto(self.array, gradient)


@dataclass(frozen=True, slots=True, eq=False)
class LayerContext(Generic[L]):
    """An operation's surroundings. Maps are (C, n, H, W): channels first, so that one matrix product serves all n images.

    Attributes
    ----------
    layer
        With the shapes of the images at hand.
    inputs, out
        Maps; ``out`` is kept for the backward pass.
    gradient
        Of the output, summed over its readers when the backward pass comes here.
    targets
        For each input the place of its gradient, None where nobody wants it.
    weights
        Arrays as the forward pass uses them (batch norm folded where its statistics are frozen).
    weight_gradients
        This chunk's own places, of the shapes of ``weights``; overwritten.
    scratch
        Of the thread.
    """

    layer: L
    inputs: tuple[Array, ...]
    out: Array
    gradient: Array
    targets: tuple[GradientTarget | None, ...]
    scratch: Scratch
    weights: Mapping[str, Array] = field(default_factory=dict)
    weight_gradients: Mapping[str, Array] = field(default_factory=dict)


def flat(x: Array) -> Array:
    """(C, n, H, W) as (C, n H W), without a copy."""
    return x.reshape(len(x), -1)
