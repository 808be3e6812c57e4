"""A convolution with batch norm on the batch's own statistics (Ioffe & Szegedy 2015, algorithm 1; ``batchnorm_layer.c``)."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from yolodsc.arrays import Array, Floats
from yolodsc.network import ConvolutionalLayer
from yolodsc.training.kernels.moments import Moments
from yolodsc.training.layers.activation import Finish
from yolodsc.training.layers.context import LayerContext, TrainingOperation, flat


class Normalised:
    """z = W * x; y = activation((z - mean) scale / deviation + bias), mean and deviation of z over all chunks of the batch.

    Each step needs what the step before has made of all chunks.
    """

    def __init__(
        self,
        place: LayerContext[ConvolutionalLayer],
        convolution: Callable[[LayerContext[ConvolutionalLayer]], TrainingOperation],
        moments: Moments,
    ) -> None:
        before = np.zeros_like(place.out)
        layer = replace(place.layer, activation="linear", batch_normalize=False)
        self._convolution = convolution(replace(place, layer=layer, out=before))
        self._finish = Finish(place.layer, place.out)
        self._profile, self._weights = place.layer.profile, place.weights
        self._z, self._gradient = flat(before), flat(place.gradient)
        self._moments, self._slot = moments, moments.slot(self._z.shape[1])
        self._mean = self._inverse = self._factor = np.zeros(len(self._z), np.float32)
        self.forward_steps: tuple[Callable[[], None], ...] = (self._convolve, self._normalise)
        self.backward_steps: tuple[Callable[[], None], ...] = (self._sum_slopes, self._denormalise)

    def _convolve(self) -> None:
        from yolodsc.training.kernels.batchnorm import moments

        self._convolution.forward()
        moments(self._z, self._slot[Moments.SUM], self._slot[Moments.SQUARES])

    def _normalise(self) -> None:
        from yolodsc.training.kernels.batchnorm import normalise

        self._mean = _single(self._moments.mean())
        self._inverse = _single(1 / self._profile.deviation(self._moments.variance()))
        self._factor = self._inverse * self._weights["scales"]
        normalise(self._z, self._mean, self._factor, self._weights["shifts"], self._finish.bending, flat(self._finish.before))
        self._finish.forward()

    def _sum_slopes(self) -> None:
        from yolodsc.training.kernels.batchnorm import slopes

        self._finish.backward(self._gradient)
        normal = self._mean, self._factor, self._weights["shifts"], self._finish.bending
        slopes(self._gradient, self._z, *normal, self._slot[Moments.BIAS], self._slot[Moments.PRODUCT])
        self._slot[Moments.PRODUCT] *= self._inverse

    def _denormalise(self) -> None:
        from yolodsc.training.kernels.batchnorm import denormalise

        plain = _single(self._moments.total(Moments.BIAS) / self._moments.count)
        product = _single(self._moments.total(Moments.PRODUCT) / self._moments.count) * self._inverse
        normal = self._mean, self._factor, self._weights["shifts"], self._finish.bending
        denormalise(self._gradient, self._z, *normal, plain, product)
        self._convolution.backward()


def _single(values: Floats) -> Array:
    return np.asarray(values, np.float32)
