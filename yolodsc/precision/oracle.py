"""The reference of a network in reduced precision: plain NumPy, integers exact, every float32 operation rounded once.

An int8 engine gives the same bytes. The tensors that the network stores are bytes where `Quantization.scales` names them, float32
elsewhere. Layers that are not int8 read real values. Depthwise convolutions in float32 use the order of the kernels (bias, then
taps by rows, fused multiply-adds), so that they are exact too; other float32 convolutions are those of the reference.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from yolodsc.arrays import Array
from yolodsc.network import INPUT_INDEX, ConvolutionalLayer, Network, ShortcutLayer, folded
from yolodsc.precision.arithmetic import activated, dequantize, fma, quantize, round_bf16
from yolodsc.precision.quantization import MAX_LEVEL, Bytes, Int8Weights, Quantization, TensorScale
from yolodsc.precision.tensors import is_alias, passes_bytes, sources

Stored = NDArray[Any]
"""A tensor as the network stores it: (C, H, W) bytes or float32."""

_EXACT_IN_FLOAT32 = 2**24
DEPTHWISE_LIMIT = 9
"""Maximum kernel size of the depthwise kernels."""


def quantized_forward(network: Network, quantization: Quantization, image: Array) -> list[Stored]:
    """Stored output of every layer for one image (C, H, W)."""
    outputs: list[Stored] = []
    first = stored(image, quantization.scales.get(INPUT_INDEX))
    for layer in network.layers:
        inputs = [first if source < 0 else outputs[source] for source in layer.sources]
        outputs.append(inputs[0] if is_alias(layer) else quantized_layer(network, quantization, layer.index, inputs))
    return outputs


def quantized_layer(network: Network, quantization: Quantization, index: int, inputs: Sequence[Stored]) -> Stored:
    """Stored output of one layer that is no alias, from the stored outputs of its sources."""
    layer, scale = network.layers[index], quantization.scales.get(index)
    if scale is not None and passes_bytes(layer):
        moved = layer.forward([x.astype(np.float32) for x in inputs], {})
        return np.clip(moved, 0, MAX_LEVEL).astype(np.uint8)  # a maximum of no pixels is the lowest float: 0
    scales = [quantization.scales.get(source) for source in sources(network, index)]
    if quantization.precision(index) == "int8":
        assert isinstance(layer, ConvolutionalLayer) and scales[0] is not None
        return stored(int8_convolution(layer, quantization.weights[index], inputs[0], scales[0]), scale)
    real = [x if s is None else dequantize(x, s) for x, s in zip(inputs, scales, strict=True)]
    if isinstance(layer, ConvolutionalLayer) and quantization.precision(index) == "bf16":
        return stored(bf16_convolution(network, layer, real[0]), scale)
    return stored(_float_layer(network, index, real), scale)


def int8_convolution(layer: ConvolutionalLayer, weights: Int8Weights, x: Bytes, scale: TensorScale) -> Array:
    """Output of a convolution of bytes in real units, activated, before it is stored: (F, OH, OW)."""
    sums = accumulated(layer, weights, x, scale)
    with np.errstate(over="ignore"):
        real = sums.astype(np.float32) * multipliers(weights, scale)[:, None, None]
    return activated(real, layer.activation)


def accumulated(layer: ConvolutionalLayer, weights: Int8Weights, x: Bytes, scale: TensorScale) -> NDArray[np.int64]:
    """Exact sums of products and bias, (F, OH, OW); padding is the zero point."""
    bound = MAX_LEVEL * int(np.abs(weights.weights.astype(np.int64)).sum(axis=(1, 2, 3)).max())
    exact: Any = np.float32 if bound < _EXACT_IN_FLOAT32 else np.float64
    shifted = x.astype(exact) - exact(scale.zero_point)
    sums = np.rint(_products(layer, shifted, weights.weights.astype(exact))).astype(np.int64)
    return sums + integer_bias(weights, scale)[:, None, None]


def integer_bias(weights: Int8Weights, scale: TensorScale) -> NDArray[np.int64]:
    """The bias in units of the products, (F,)."""
    unit = float(scale.scale) * weights.scale.astype(np.float64)
    return np.rint(weights.bias.astype(np.float64) / unit).astype(np.int64)


def multipliers(weights: Int8Weights, scale: TensorScale) -> Array:
    """Real value of 1 in the sums, (F,): a product of two scales, rounded once."""
    return (float(scale.scale) * weights.scale.astype(np.float64)).astype(np.float32)


def bf16_convolution(network: Network, layer: ConvolutionalLayer, x: Array) -> Array:
    """Output of a bf16 convolution, activated, before it is stored: rounded factors, exact sums, bias in float32."""
    kernel, bias = folded(layer, network.weights[layer.index])
    sums = _products(layer, round_bf16(x).astype(np.float64), round_bf16(kernel).astype(np.float64))
    return activated((sums + bias[:, None, None].astype(np.float64)).astype(np.float32), layer.activation)


def stored(x: Array, scale: TensorScale | None) -> Stored:
    """Real values as they are stored."""
    return x if scale is None else quantize(x, scale)


def _float_layer(network: Network, index: int, inputs: Sequence[Array]) -> Array:
    layer, weights = network.layers[index], network.weights[index]
    if isinstance(layer, ConvolutionalLayer) and layer.depthwise and layer.ordinary and layer.size <= DEPTHWISE_LIMIT:
        return _depthwise(layer, *folded(layer, weights), inputs[0])
    if isinstance(layer, ShortcutLayer) and _is_plain_sum(layer):
        return activated(sum(inputs[1:], start=inputs[0]), layer.activation)
    return layer.forward(inputs, weights).astype(np.float32, copy=False)


def _is_plain_sum(layer: ShortcutLayer) -> bool:
    plain = layer.weights_type == "none" and layer.alpha == layer.beta == 1
    return plain and all(shape == layer.shape for shape in layer.inputs)


def _depthwise(layer: ConvolutionalLayer, kernel: Array, bias: Array, x: Array) -> Array:
    """The depthwise kernel's order: the bias, then every tap by rows as a fused multiply-add."""
    times = layer.filters // layer.groups
    windows = _windows(layer, x)
    total = np.broadcast_to(bias[:, None, None], tuple(layer.shape)).astype(np.float32)
    for ky, kx in np.ndindex(layer.size, layer.size):
        seen = windows[:, ky, kx].repeat(times, axis=0)
        total = fma(seen, kernel[:, 0, ky, kx, None, None], total)
    return activated(total, layer.activation)


def _products(layer: ConvolutionalLayer, x: NDArray[Any], kernel: NDArray[Any]) -> NDArray[Any]:
    """Sums of products (F, OH, OW) in the dtype of ``x``, which must hold them exactly."""
    groups, (filters, channels, size, _), (_, height, width) = layer.groups, kernel.shape, layer.shape
    taps = kernel.reshape(groups, filters // groups, channels, size, size)
    windows = _windows(layer, x)
    out = np.zeros((groups, filters // groups, height * width), x.dtype)
    for ky, kx in np.ndindex(size, size):
        out += taps[:, :, :, ky, kx] @ windows[:, ky, kx].reshape(groups, channels, -1)
    return out.reshape(filters, height, width)


def _windows(layer: ConvolutionalLayer, x: NDArray[Any]) -> NDArray[Any]:
    """A view (C, K, K, OH, OW) of the input (C, H, W) with zeros around it."""
    _, height, width = layer.shape
    extent, halo = (layer.size - 1) * layer.dilation + 1, layer.padding * layer.dilation
    rows, columns = (height - 1) * layer.stride_y + extent, (width - 1) * layer.stride_x + extent
    below, right = max(rows - x.shape[1] - halo, 0), max(columns - x.shape[2] - halo, 0)
    padded = np.pad(x, ((0, 0), (halo, below), (halo, right)))
    at_c, at_y, at_x = padded.strides
    strides = (at_c, at_y * layer.dilation, at_x * layer.dilation, at_y * layer.stride_y, at_x * layer.stride_x)
    shape = (len(x), layer.size, layer.size, height, width)
    return np.lib.stride_tricks.as_strided(padded, shape, strides, writeable=False)
