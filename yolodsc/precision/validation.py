"""Checks of a quantization against the network that it is for; kernels rely on them."""

from collections.abc import Iterator
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from yolodsc.errors import QuantizationError
from yolodsc.network import INPUT_INDEX, Network
from yolodsc.precision.oracle import multipliers
from yolodsc.precision.quantization import MAX_LEVEL, MAX_WEIGHT, PRECISIONS, Int8Weights, Quantization
from yolodsc.precision.tensors import is_alias, is_quantizable, passes_bytes, sources

_MIN_SCALE = float(np.finfo(np.float32).tiny)
_MAX_SCALE = 1 / _MIN_SCALE


def check_quantization(network: Network, quantization: Quantization, *, file: str = "quantization") -> None:
    """Raise a `QuantizationError` that names ``file`` and the first value that does not fit the network."""
    for index, precision in quantization.layers.items():
        at = f"layer {index}"
        if precision not in PRECISIONS:
            _refuse(file, at, f"precision {precision}", ", ".join(PRECISIONS))
        if not 0 <= index < len(network.layers):
            _refuse(file, at, f"precision {precision}", f"a layer from 0 to {len(network.layers) - 1}")
        if precision != "f32" and not is_quantizable(network.layers[index]):
            _refuse(file, at, f"precision {precision}", f"f32: [{network.layers[index].type}] has no such kernel")
    _check_scales(network, quantization, file)
    int8 = {index for index, precision in quantization.layers.items() if precision == "int8"}
    for index in sorted(int8 ^ quantization.weights.keys()):
        found = "weights" if index in quantization.weights else "no weights"
        _refuse(file, f"layer {index}", found, "weights of every int8 layer and of no other")
    for index in sorted(int8):
        _check_weights(network, quantization, index, file)


def _check_scales(network: Network, quantization: Quantization, file: str) -> None:
    for index, scale in quantization.scales.items():
        at = f"tensor {index}"
        if not INPUT_INDEX <= index < len(network.layers):
            _refuse(file, at, "a scale", f"a tensor from {INPUT_INDEX} to {len(network.layers) - 1}")
        if not _MIN_SCALE <= scale.scale <= _MAX_SCALE or np.float32(scale.scale) != scale.scale:
            _refuse(file, at, f"scale {scale.scale:g}", f"a float32 from {_MIN_SCALE:.3g} to {_MAX_SCALE:.3g}")
        if not 0 <= scale.zero_point <= MAX_LEVEL:
            _refuse(file, at, f"zero point {scale.zero_point}", f"0 to {MAX_LEVEL}")
        if index >= 0 and is_alias(network.layers[index]):
            _refuse(file, at, "a scale", f"none: [{network.layers[index].type}] passes on another tensor")
        if index >= 0 and passes_bytes(network.layers[index]):
            _check_group(network, quantization, index, file)


def _check_group(network: Network, quantization: Quantization, index: int, file: str) -> None:
    """A layer that moves bytes has the scale of everything that it reads."""
    scale = quantization.scales[index]
    for source in sources(network, index):
        found = quantization.scales.get(source)
        if found != scale:
            text = "no scale" if found is None else f"scale {found.scale:g}, zero point {found.zero_point}"
            expected = f"scale {scale.scale:g}, zero point {scale.zero_point} of layer {index}, which moves its bytes"
            _refuse(file, f"tensor {source}", text, expected)


def _check_weights(network: Network, quantization: Quantization, index: int, file: str) -> None:
    layer, weights, at = network.layers[index], quantization.weights[index], f"layer {index}"
    (source,) = sources(network, index)
    scale = quantization.scales.get(source)
    if scale is None:
        _refuse(file, f"tensor {source}", "no scale", f"one: int8 layer {index} reads it")
    for name, found, expected in _arrays(weights, layer.kernel_shape()):  # type: ignore[attr-defined]
        if found != expected:
            _refuse(file, f"{at}.{name}", found, expected)
    if weights.weights.min(initial=0) < -MAX_WEIGHT:
        _refuse(file, f"{at}.weights", str(weights.weights.min()), f"-{MAX_WEIGHT} to {MAX_WEIGHT}")
    if not (np.isfinite(weights.scale).all() and (weights.scale >= _MIN_SCALE).all()):
        _refuse(file, f"{at}.weight_scale", "a scale that is not positive and finite", f"{_MIN_SCALE:.3g} or more")
    if not np.isfinite(weights.bias).all():
        _refuse(file, f"{at}.bias", "a number that is not finite", "finite numbers")
    with np.errstate(over="ignore"):
        unit = multipliers(weights, scale)
    if not (np.isfinite(unit).all() and (unit >= _MIN_SCALE).all()):
        _refuse(file, f"{at}.weight_scale", "a product with the input's scale beyond float32", f"{_MIN_SCALE:.3g} or more")
    magnitudes = np.abs(weights.weights.astype(np.int64)).sum(axis=(1, 2, 3))
    if (_bias_bound(weights, scale.scale) + MAX_LEVEL * magnitudes >= 2**31).any():
        _refuse(file, at, "sums beyond 32 bits", "a larger scale, a smaller bias or smaller weights")


def _bias_bound(weights: Int8Weights, scale: float) -> NDArray[np.float64]:
    """Magnitudes of the biases in units of the products, rounded up: (F,)."""
    return np.ceil(np.abs(weights.bias.astype(np.float64) / (float(scale) * weights.scale.astype(np.float64))))


def _arrays(weights: Int8Weights, shape: tuple[int, ...]) -> Iterator[tuple[str, str, str]]:
    """Name, type found and type expected of each array."""
    expected = {"weights": ("int8", shape), "weight_scale": ("float32", shape[:1]), "bias": ("float32", shape[:1])}
    found: dict[str, NDArray[Any]] = {"weights": weights.weights, "weight_scale": weights.scale, "bias": weights.bias}
    for name, (dtype, dimensions) in expected.items():
        yield name, f"{found[name].dtype} {found[name].shape}", f"{dtype} {dimensions}"


def _refuse(file: str, at: str, found: str, expected: str) -> NoReturn:
    raise QuantizationError(f"{file}: {at}: got {found}, expected {expected}")
