"""Cross-layer equalization (Nagel et al. 2019): channels are scaled so that one range serves a whole tensor.

The scales are powers of two: the equalized network computes the same floats up to their exponents. A scale trades the error of
rounding the tensor against that of rounding the weights that read it; single steps of a factor of two are tried until none helps.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from yolodsc.decompose import Matrix
from yolodsc.network import ConvolutionalLayer, Network, Weights, folded
from yolodsc.precision import MAX_LEVEL, MAX_WEIGHT, sources
from yolodsc.quantize.calibration import TensorSample
from yolodsc.quantize.channel_classes import ChannelClasses

WEIGHT_SHARE = 0.3
"""Squared error of weights rounded on the data, as a share of that of weights rounded to nearest."""

MAX_EXPONENT = 8
SWEEPS = 4


@dataclass(slots=True, eq=False)
class _Reader:
    """One int8 convolution as a function of the exponents of the classes that it reads."""

    classes: np.ndarray  # (C,) int
    magnitudes: Matrix  # (F, C): greatest magnitude of the weights of an input channel
    energies: Matrix  # (C,): sum of squared weights of an input channel
    power: Matrix  # (C,): mean square of an input channel
    taps: int

    def error(self, factors: Matrix) -> float:
        """Expected squared error of the outputs, whose channels are divided by ``factors`` (classes,) before rounding."""
        s = factors[self.classes]
        rounding = np.sum(self.energies * s**2) / (12 * MAX_LEVEL**2)
        steps = (self.magnitudes * s).max(axis=1) / MAX_WEIGHT
        return float(rounding + WEIGHT_SHARE * self.taps / 12 * np.sum(steps**2) * np.sum(self.power / s**2))


def equalizing_factors(
    network: Network, classes: ChannelClasses, int8: Sequence[int], samples: Mapping[int, TensorSample]
) -> Matrix:
    """Factor of every class, (classes,): a power of two, 1 for the classes that are fixed or that no int8 layer reads."""
    readers = [_reader(network, classes, index, samples) for index in int8]
    readers = [reader for reader in readers if not classes.fixed[reader.classes].any()]
    ranges = np.zeros(len(classes.fixed))
    for index, sample in samples.items():
        np.maximum.at(ranges, classes.of[index], sample.ranges)
    reading: dict[int, list[_Reader]] = {}
    for reader in readers:
        for number in np.unique(reader.classes).tolist():
            reading.setdefault(number, []).append(reader)
    factors = np.ones(len(ranges))
    used = np.array(sorted(number for number in reading if ranges[number] > 0), np.int64)
    factors[used] = 2.0 ** np.round(np.log2(ranges[used]))
    _descend(factors, used, ranges, reading)
    return _centred(factors, used)


def _descend(factors: Matrix, used: np.ndarray, ranges: Matrix, reading: Mapping[int, Sequence[_Reader]]) -> None:
    """Try factors of two up and down for each class; a factor stays at or above the class's range."""
    for _ in range(SWEEPS):
        changed = False
        for number in used.tolist():
            here = sum(reader.error(factors) for reader in reading[number])
            for step in (2.0, 0.5):
                before = factors[number]
                if before * step < ranges[number] / 2**0.5 or before * step > ranges[number] * 2**MAX_EXPONENT:
                    continue
                factors[number] = before * step
                there = sum(reader.error(factors) for reader in reading[number])
                if there < here * (1 - 1e-9):
                    here, changed = there, True
                    break
                factors[number] = before
        if not changed:
            break


def _centred(factors: Matrix, used: np.ndarray) -> Matrix:
    """Factors around 1, so that weights and tensors keep their order of magnitude."""
    if len(used):
        factors[used] /= 2.0 ** np.round(np.log2(factors[used]).mean())
    return factors


def _reader(network: Network, classes: ChannelClasses, index: int, samples: Mapping[int, TensorSample]) -> _Reader:
    layer, source = network.layers[index], sources(network, index)[0]
    assert isinstance(layer, ConvolutionalLayer)
    kernel, _ = folded(layer, network.weights[index])
    each = layer.filters // layer.groups
    flat = kernel.astype(np.float64).reshape(layer.groups, each, -1, layer.size**2)  # (g, F / g, C / g, K K)
    magnitudes = np.zeros((layer.groups, each, layer.groups, flat.shape[2]))
    for g in range(layer.groups):
        magnitudes[g, :, g] = np.abs(flat[g]).max(axis=2)
    return _Reader(
        classes=classes.of[source],
        magnitudes=magnitudes.reshape(layer.filters, -1),
        energies=np.square(flat).sum(axis=(1, 3)).reshape(-1),
        power=np.square(samples[source].values, dtype=np.float64).mean(axis=1),
        taps=layer.size**2,
    )


def scaled(network: Network, classes: ChannelClasses, factors: Matrix) -> Network:
    """The same function with every channel divided by the factor of its class; ``factors`` are positive, 1 where fixed."""
    weights = [
        _scaled(layer, arrays, factors[classes.of[layer.sources[0]]], factors[classes.of[layer.index]])
        if isinstance(layer, ConvolutionalLayer) and layer.weight_shapes()
        else arrays
        for layer, arrays in zip(network.layers, network.weights, strict=True)
    ]
    return network.with_weights(weights)


def _scaled(layer: ConvolutionalLayer, arrays: Weights, inputs: Matrix, outputs: Matrix) -> Weights:
    """The arrays of a layer that reads channels times ``inputs`` (C,) and writes channels divided by ``outputs`` (F,)."""
    kernel = arrays["weights"]
    each = inputs.reshape(layer.groups, -1).repeat(layer.filters // layer.groups, axis=0)  # (F, C / groups)
    changed = {"biases": arrays["biases"] / outputs}
    if layer.batch_normalize:
        changed |= {"scales": arrays["scales"] / outputs, "weights": kernel * each[:, :, None, None]}
    else:
        changed["weights"] = kernel * (each / outputs[:, None])[:, :, None, None]
    return {name: changed.get(name, array).astype(np.float32) for name, array in arrays.items()}
