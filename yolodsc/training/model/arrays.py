"""A layer's trainable arrays: raw for the optimizer, folded for the forward pass, gradients for the backward pass."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from yolodsc.arrays import Array, Floats
from yolodsc.darknet import Profile
from yolodsc.network import Layer, Weights
from yolodsc.training.layers.convolution import winograd
from yolodsc.training.layers.convolution.moments import Moments
from yolodsc.training.model.parameter import Parameter


class LayerArrays:
    """Arrays that the forward pass uses as they are on disk.

    Attributes
    ----------
    raw
        Copies of the network's arrays; the optimizer changes those of ``parameters`` in place.
    used
        The arrays that operations read; refreshed before every forward pass.
    """

    trained: ClassVar[tuple[str, ...]] = ("weights", "biases")

    def __init__(self, layer: Layer, weights: Weights) -> None:
        self.raw = {name: np.array(array, np.float32, order="C") for name, array in weights.items()}
        self.parameters = [
            Parameter(layer.index, name, self.raw[name], np.zeros_like(self.raw[name])) for name in self.trained if name in self.raw
        ]
        self.used: dict[str, Array] = self._used()
        if winograd.supports(layer):
            self.used[winograd.TRANSFORMED] = winograd.transformed(self.raw["weights"])
        self._slots: list[dict[str, Array]] = []

    def slot(self) -> Mapping[str, Array]:
        """Return a micro-batch's arrays for the gradients of ``used``; slots are summed in the order of creation."""
        self._slots.append({name: np.zeros_like(array) for name, array in self.used.items() if name != winograd.TRANSFORMED})
        return self._slots[-1]

    def clear(self) -> None:
        """Drop all slots, before images of another shape are planned."""
        self._slots.clear()

    def refresh(self) -> None:
        """Bring ``used`` up to date with ``raw``, and last the transforms of the weights in use."""
        self.update()
        if winograd.TRANSFORMED in self.used:
            winograd.transform(self.used["weights"], self.used[winograd.TRANSFORMED])

    def update(self) -> None:
        """Bring the weights and biases of ``used`` up to date with ``raw``."""

    def collect(self) -> None:
        """Compute the gradients of the parameters from those of the micro-batches."""
        for parameter in self.parameters:
            self._sum(parameter.name, parameter.gradient)

    def _used(self) -> dict[str, Array]:
        return {parameter.name: parameter.value for parameter in self.parameters}

    def _sum(self, name: str, out: Array) -> Array:
        """Sum over micro-batches, always in the same order, so the number of threads makes no difference."""
        out[:] = self._slots[0][name]
        for slot in self._slots[1:]:
            out += slot[name]
        return out


class FoldedArrays(LayerArrays):
    """Batch norm with constant statistics, folded into kernel and bias once a step instead of applied to feature maps.

    kernel = weights * scales / deviation, bias = biases - mean * scales / deviation. `collect` applies the transpose to gradients.
    """

    trained = ("weights", "biases", "scales")

    def __init__(self, layer: Layer, weights: Weights, profile: Profile) -> None:
        self._inverse = (1 / profile.deviation(weights["rolling_variance"])).astype(np.float32)
        super().__init__(layer, weights)
        self._sums = {name: np.zeros_like(self.used[name]) for name in ("weights", "biases")}
        self._gradients = {parameter.name: parameter.gradient for parameter in self.parameters}

    def update(self) -> None:
        """Fold batch norm into kernel and bias."""
        raw, factor = self.raw, self.raw["scales"] * self._inverse
        np.multiply(raw["weights"], factor[:, None, None, None], out=self.used["weights"])
        np.subtract(raw["biases"], raw["rolling_mean"] * factor, out=self.used["biases"])

    def collect(self) -> None:
        """Compute the gradients of weights, biases and scales from those of kernel and bias."""
        raw, factor = self.raw, self.raw["scales"] * self._inverse
        kernel, bias = (self._sum(name, self._sums[name]) for name in ("weights", "biases"))
        np.multiply(kernel, factor[:, None, None, None], out=self._gradients["weights"])
        np.copyto(self._gradients["biases"], bias)
        products = np.einsum("fk,fk->f", kernel.reshape(len(kernel), -1), raw["weights"].reshape(len(kernel), -1))
        np.multiply(products - bias * raw["rolling_mean"], self._inverse, out=self._gradients["scales"])

    def _used(self) -> dict[str, Array]:
        return {name: np.empty_like(self.raw[name]) for name in ("weights", "biases")}


class LiveArrays(LayerArrays):
    """Batch norm with the batch's own statistics; the rolling ones move by a hundredth of the difference each step.

    The batch is normalised by its variance. The rolling variance averages the unbiased estimate, n / (n - 1) times as large, as in
    cuDNN and PyTorch. The factor 0.01 is that of pjreddie (``batchnorm_layer.c: forward_batchnorm_layer``); AlexeyAB's code for the
    CPU uses 0.1.

    Attributes
    ----------
    moments
        Of the layer's feature map over the micro-batches.
    """

    trained = ("weights", "biases", "scales")
    momentum = 0.99

    def __init__(self, layer: Layer, weights: Weights) -> None:
        super().__init__(layer, weights)
        self.moments = Moments(len(self.raw["biases"]))

    def statistics(self) -> tuple[Floats, Floats]:
        """Return mean and variance (F,) of the last batch, float64."""
        return self.moments.mean(), self.moments.variance()

    def update_rolling(self) -> None:
        """Move the rolling statistics towards those of the last batch."""
        mean, variance = self.statistics()
        sample = variance * (self.moments.count / max(self.moments.count - 1, 1))
        for name, now in (("rolling_mean", mean), ("rolling_variance", sample)):
            self.raw[name][:] = self.momentum * self.raw[name] + (1 - self.momentum) * now

    def clear(self) -> None:
        """Drop all slots and sums."""
        super().clear()
        self.moments.clear()

    def collect(self) -> None:
        """Compute the gradient of the weights from the slots, and the others from the sums."""
        for parameter in self.parameters:
            if parameter.name == "weights":
                self._sum("weights", parameter.gradient)
            else:
                row = Moments.BIAS if parameter.name == "biases" else Moments.PRODUCT
                parameter.gradient[:] = self.moments.total(row)

    def _used(self) -> dict[str, Array]:
        """The convolution itself has no bias: ``shifts`` are added after the normalisation."""
        zeros = np.zeros_like(self.raw["biases"])
        return {"weights": self.raw["weights"], "biases": zeros, "scales": self.raw["scales"], "shifts": self.raw["biases"]}
