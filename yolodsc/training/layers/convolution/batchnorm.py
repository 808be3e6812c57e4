"""A convolution with batch norm on the batch's own statistics (Ioffe & Szegedy 2015, algorithm 1; ``batchnorm_layer.c``)."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from yolodsc.arrays import Array, Floats, aligned_zeros
from yolodsc.network import ConvolutionalLayer
from yolodsc.training.kernels.arguments import Normalization
from yolodsc.training.layers.context import LayerContext, TrainingOperation, flattened
from yolodsc.training.layers.convolution.moments import Moments
from yolodsc.training.layers.convolution.operands import OutputActivation


class BatchNormTraining:
    """z = W * x; y = activation((z - mean) scale / deviation + bias), mean and deviation of z over the whole batch.

    Each step needs the results of the step before for all micro-batches.
    """

    def __init__(
        self,
        context: LayerContext[ConvolutionalLayer],
        convolution: Callable[[LayerContext[ConvolutionalLayer]], TrainingOperation],
        moments: Moments,
    ) -> None:
        from yolodsc.training.kernels import batchnorm

        self._kernels = batchnorm
        before = aligned_zeros(*context.out.shape)
        layer = replace(context.layer, activation="linear", batch_normalize=False)
        self._table = np.zeros((layer.filters, 7), np.float32)
        self._own = np.zeros((layer.filters, 3))
        self._convolution = convolution(replace(context, layer=layer, out=before, moments=self._own, normalization=self._table))
        self._activation = OutputActivation(context.layer, context.out)
        self._profile, self._weights = context.layer.profile, context.weights
        self._z, self._gradient = flattened(before), flattened(context.gradient)
        self._moments, self._slot = moments, moments.slot(self._z.shape[1])
        self._inverse = np.zeros(len(self._z), np.float32)
        self._normalization = Normalization(self._inverse, self._inverse, self._weights["shifts"], *self._activation.params)
        self.forward_steps: tuple[Callable[[], None], ...] = (self._convolve, self._normalise)
        self.backward_steps: tuple[Callable[[], None], ...] = (self._sum_gradients, self._denormalise)

    def _convolve(self) -> None:
        self._convolution.forward()
        Moments.store(self._own, self._z.shape[1], self._slot)

    def _normalise(self) -> None:
        self._inverse = _single(1 / self._profile.deviation(self._moments.variance()))
        mean, factor = _single(self._moments.mean()), self._inverse * self._weights["scales"]
        self._normalization = Normalization(mean, factor, self._weights["shifts"], *self._activation.params)
        self._kernels.normalise(self._z, self._normalization, flattened(self._activation.before))
        self._activation.forward()

    def _sum_gradients(self) -> None:
        self._activation.backward(self._gradient)
        sums = self._slot[Moments.BIAS], self._slot[Moments.PRODUCT]
        self._kernels.sum_gradients(self._gradient, self._z, self._normalization, *sums)
        self._slot[Moments.PRODUCT] *= self._inverse

    def _denormalise(self) -> None:
        means = _single(self._moments.total(Moments.BIAS) / self._moments.count)
        products = _single(self._moments.total(Moments.PRODUCT) / self._moments.count) * self._inverse
        n = self._normalization
        self._table[:] = np.stack(np.broadcast_arrays(n.mean, n.factor, n.bias, means, products, n.slope, n.limit), axis=1)
        self._convolution.backward()


def _single(values: Floats) -> Array:
    return np.asarray(values, np.float32)
