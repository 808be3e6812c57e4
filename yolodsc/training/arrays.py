"""A layer's trainable arrays: raw for the optimizer, folded for the forward pass, gradients of chunks for the backward pass."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from yolodsc.layer import Layer, Weights
from yolodsc.profile import Profile
from yolodsc.shape import Array
from yolodsc.training.parameter import Parameter


class LayerArrays:
    """Arrays that the forward pass uses as they are on disk.

    Attributes
    ----------
    raw
        Copies of the network's arrays; the optimizer changes those of ``parameters`` in place.
    used
        What operations read; refreshed before every forward pass.
    """

    trained: ClassVar[tuple[str, ...]] = ("weights", "biases")

    def __init__(self, layer: Layer, weights: Weights) -> None:
        self.raw = {name: np.array(array, np.float32, order="C") for name, array in weights.items()}
        self.parameters = [
            Parameter(layer.index, name, self.raw[name], np.zeros_like(self.raw[name])) for name in self.trained if name in self.raw
        ]
        self.used: dict[str, Array] = self._used()
        self._slots: list[dict[str, Array]] = []

    def slot(self) -> Mapping[str, Array]:
        """A chunk's places for gradients of ``used``; chunks are summed in the order in which they asked."""
        self._slots.append({name: np.zeros_like(array) for name, array in self.used.items()})
        return self._slots[-1]

    def forget(self) -> None:
        """Give up all slots, before pictures of another shape are planned."""
        self._slots.clear()

    def refresh(self) -> None:
        """Bring ``used`` up to date with ``raw``."""

    def collect(self) -> None:
        """Gradients of the parameters from those of the chunks."""
        for parameter in self.parameters:
            self._sum(parameter.name, parameter.gradient)

    def _used(self) -> dict[str, Array]:
        return {parameter.name: parameter.value for parameter in self.parameters}

    def _sum(self, name: str, out: Array) -> Array:
        """Over chunks, always in the same order, so that the number of threads makes no difference."""
        out[:] = self._slots[0][name]
        for slot in self._slots[1:]:
            out += slot[name]
        return out


class FoldedArrays(LayerArrays):
    """Batch norm with constant statistics, folded into kernel and bias once a step rather than applied to maps.

    kernel = weights * scales / deviation, bias = biases - mean * scales / deviation; gradients go the same way back.
    """

    trained = ("weights", "biases", "scales")

    def __init__(self, layer: Layer, weights: Weights, profile: Profile) -> None:
        self._inverse = (1 / profile.deviation(weights["rolling_variance"])).astype(np.float32)
        super().__init__(layer, weights)
        self._sums = {name: np.zeros_like(array) for name, array in self.used.items()}
        self._gradients = {parameter.name: parameter.gradient for parameter in self.parameters}

    def refresh(self) -> None:
        """Fold."""
        raw, factor = self.raw, self.raw["scales"] * self._inverse
        np.multiply(raw["weights"], factor[:, None, None, None], out=self.used["weights"])
        np.subtract(raw["biases"], raw["rolling_mean"] * factor, out=self.used["biases"])

    def collect(self) -> None:
        """Unfold."""
        raw, factor = self.raw, self.raw["scales"] * self._inverse
        kernel, bias = (self._sum(name, self._sums[name]) for name in ("weights", "biases"))
        np.multiply(kernel, factor[:, None, None, None], out=self._gradients["weights"])
        np.copyto(self._gradients["biases"], bias)
        products = np.einsum("fk,fk->f", kernel.reshape(len(kernel), -1), raw["weights"].reshape(len(kernel), -1))
        np.multiply(products - bias * raw["rolling_mean"], self._inverse, out=self._gradients["scales"])

    def _used(self) -> dict[str, Array]:
        return {name: np.empty_like(self.raw[name]) for name in ("weights", "biases")}
