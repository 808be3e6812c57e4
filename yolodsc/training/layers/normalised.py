"""A convolution with batch norm on the batch's own statistics (Ioffe & Szegedy 2015, algorithm 1; ``batchnorm_layer.c``)."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from yolodsc.layers.convolutional import ConvolutionalLayer
from yolodsc.shape import Array, Floats
from yolodsc.training.layers.activation import Finish
from yolodsc.training.layers.moments import Moments
from yolodsc.training.layers.place import Operation, Place, flat


class Normalised:
    """z = W * x; y = activation((z - mean) scale / deviation + bias), mean and deviation of z over all chunks of the batch.

    Each step needs what the step before has made of all chunks.
    """

    def __init__(
        self,
        place: Place[ConvolutionalLayer],
        convolution: Callable[[Place[ConvolutionalLayer]], Operation],
        moments: Moments,
    ) -> None:
        before = np.zeros_like(place.out)
        layer = replace(place.layer, activation="linear", batch_normalize=False)
        self._convolution = convolution(replace(place, layer=layer, out=before))
        self._finish = Finish(place.layer, place.out)
        self._profile, self._weights = place.layer.profile, place.weights
        self._z, self._out, self._gradient = flat(before), flat(place.out), flat(place.gradient)
        self._moments, self._slot = moments, moments.slot(self._z.shape[1])
        self._mean = self._inverse = np.zeros(len(self._z), np.float32)
        self.forward_steps: tuple[Callable[[], None], ...] = (self._sum, self._square, self._normalise)
        self.backward_steps: tuple[Callable[[], None], ...] = (self._slopes, self._denormalise)

    def _sum(self) -> None:
        from yolodsc.training.layers.normal import total

        self._convolution.forward()
        total(self._z, self._slot[Moments.MEAN])

    def _square(self) -> None:
        from yolodsc.training.layers.normal import squares

        self._mean = _single(self._moments.mean(Moments.MEAN))
        squares(self._z, self._mean, self._slot[Moments.VARIANCE])

    def _normalise(self) -> None:
        from yolodsc.training.layers.normal import normalise

        self._inverse = _single(1 / self._profile.deviation(self._moments.mean(Moments.VARIANCE)))
        factor = self._inverse * self._weights["scales"]
        normalise(self._z, self._mean, factor, self._weights["shifts"], self._finish.bending, flat(self._finish.before))
        self._finish.forward()

    def _slopes(self) -> None:
        from yolodsc.training.layers.normal import unbend

        self._finish.backward(self._gradient)
        sums = self._slot[Moments.BIAS], self._slot[Moments.SCALE]
        unbend(self._gradient, self._out, self._z, self._mean, self._inverse, self._finish.bending, *sums)

    def _denormalise(self) -> None:
        from yolodsc.training.layers.normal import denormalise

        factor = self._inverse * self._weights["scales"]
        plain = _single(self._moments.mean(Moments.BIAS))
        product = _single(self._moments.mean(Moments.SCALE)) * self._inverse
        denormalise(self._gradient, self._z, self._mean, factor, plain, product)
        self._convolution.backward()


def _single(values: Floats) -> Array:
    return np.asarray(values, np.float32)
