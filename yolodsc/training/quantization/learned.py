"""`LearnedQuantization`: what is learned of a quantization, and the quantization that results."""

from collections.abc import Iterable, Mapping

import numpy as np

from yolodsc.arrays import Array
from yolodsc.network import INPUT_INDEX, ConvolutionalLayer, Network, Weights, folded, folded_exactly, scale_and_shift
from yolodsc.precision import Int8Weights, Quantization, TensorScale, byte_tensors, check_quantization, passes_bytes, sources
from yolodsc.training.model.arrays import LayerArrays
from yolodsc.training.model.parameter import Parameter
from yolodsc.training.quantization.tensors import TENSOR_SCALE, TensorGroup
from yolodsc.training.quantization.weights import WEIGHT_SCALE, Bf16Arrays, Int8Arrays, log_scales, rounded_weights

CELL = 0.49
"""Largest distance in levels of a weight from the integer that calibration has chosen for it, at the start."""

Learned = Mapping[tuple[int, str], Array]
"""Values of parameters by layer and name."""


class LearnedQuantization:
    """A quantization in training: which layers and tensors it rounds is fixed, their scales are learned.

    Attributes
    ----------
    groups
        Of all tensors of bytes; the scales of those that `rounded` contains follow the parameters.

    Raises
    ------
    YolodscError
        The quantization does not fit the network, or an int8 layer shares its weights with another.
    """

    def __init__(self, network: Network, start: Quantization) -> None:
        check_quantization(network, start)
        _require_own_weights(network, start)
        self._start = start
        self.groups = [
            TensorGroup(group, start.scales[min(group)], elements=sum(_elements(network, i) for i in group))
            for group in byte_tensors(network, list(start.weights))
        ]
        self._group_of = {index: group for group in self.groups for index in group.tensors}
        self._sources = {index: sources(network, index)[0] for index in start.weights}
        self.rounded = {
            index: group
            for index, group in self._group_of.items()
            if index == INPUT_INDEX or not passes_bytes(network.layers[index])
        }
        """The group of every tensor that is rounded when it is written; others consist of rounded values already."""

    def arrays(self, index: int, exact: LayerArrays) -> LayerArrays:
        """The arrays of a layer with the rounding of its precision."""
        if index in self._start.weights:
            return Int8Arrays(index, exact, self._start.weights[index], self._group_of[self._sources[index]])
        return Bf16Arrays(exact) if self._start.precision(index) == "bf16" else exact

    def parameters(self) -> list[Parameter]:
        """Scales of tensors; those of weights belong to the arrays of their layers."""
        return [parameter for group in self.groups for parameter in group.parameters]

    def initial(self) -> dict[str, Array]:
        """The scales that training starts from, in the form of `learned_arrays`."""
        scales = {f"{index}/{WEIGHT_SCALE}": log_scales(weights.scale) for index, weights in self._start.weights.items()}
        return scales | {f"{p.layer}/{p.name}": p.value for p in self.parameters()}

    def quantization(self, network: Network, learned: Learned, provenance: Mapping[str, str]) -> Quantization:
        """The quantization of a network whose arrays are trained, with learned scales."""
        scales: dict[int, TensorScale] = {}
        for group in self.groups:
            value = learned.get((min(group.tensors), TENSOR_SCALE))
            scales |= dict.fromkeys(group.tensors, group.scale if value is None else group.of(value))
        weights: dict[int, Int8Weights] = {}
        for index in self._start.weights:
            layer = network.layers[index]
            assert isinstance(layer, ConvolutionalLayer)
            kernel, bias = folded(layer, network.weights[index])
            input_scale = scales[self._sources[index]].scale
            weights[index] = rounded_weights(kernel, bias, learned[index, WEIGHT_SCALE], input_scale=input_scale)
        found = Quantization(self._start.layers, scales, weights, dict(provenance))
        check_quantization(network, found)
        return found


def learned_arrays(parameters: Iterable[Parameter]) -> dict[str, Array]:
    """Copies of the learned scales, by layer and name, for a checkpoint."""
    return {f"{p.layer}/{p.name}": p.value.copy() for p in parameters if p.name in (TENSOR_SCALE, WEIGHT_SCALE)}


def restore_learned(parameters: Iterable[Parameter], arrays: Mapping[str, Array]) -> None:
    """Set the learned scales to those of a checkpoint."""
    for p in parameters:
        if p.name in (TENSOR_SCALE, WEIGHT_SCALE):
            p.value[...] = arrays[f"{p.layer}/{p.name}"]


def calibrated_start(network: Network, start: Quantization) -> Network:
    """The network whose weights round to the integers of a quantization, each as near to its own value as that allows.

    Biases become those of the quantization. Calibration rounds some weights away from the nearest integer; training starts there.
    """
    arrays = list(network.weights)
    for index, weights in start.weights.items():
        layer = network.layers[index]
        assert isinstance(layer, ConvolutionalLayer)
        arrays[index] = _started(layer, arrays[index], weights)
    return network.with_weights(arrays)


def _started(layer: ConvolutionalLayer, arrays: Weights, weights: Int8Weights) -> dict[str, Array]:
    kernel, bias = folded_exactly(layer, arrays)
    scale, levels = weights.scale.astype(np.float64)[:, None, None, None], weights.weights.astype(np.float64)
    moved = np.clip(kernel / scale, levels - CELL, levels + CELL) * scale
    factor = scale_and_shift(arrays, profile=layer.profile)[0] if layer.batch_normalize else np.ones(layer.filters)
    factor = factor[:, None, None, None]
    moved = np.divide(moved, factor, out=arrays["weights"].astype(np.float64), where=factor != 0)
    changed = {"weights": moved, "biases": arrays["biases"] + (weights.bias - bias)}
    return {name: np.asarray(changed.get(name, array), np.float32) for name, array in arrays.items()}


def _elements(network: Network, index: int) -> int:
    return network.input_shape.size if index == INPUT_INDEX else network.layers[index].shape.size


def _require_own_weights(network: Network, start: Quantization) -> None:
    """Raise the error of a layer in int8 whose weights are those of another."""
    for layer in network.layers:
        shared = layer.share_index if isinstance(layer, ConvolutionalLayer) else None
        if shared is not None and {layer.index, shared} & start.weights.keys():
            raise layer.section.error("with share_index cannot be trained in int8")
