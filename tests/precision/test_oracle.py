"""The reference of quantized networks against sums of Python integers, and the rule of storage."""

import numpy as np
import pytest

from tests.networks import image, network
from yolodsc.network import ConvolutionalLayer
from yolodsc.precision import (
    Int8Weights,
    Quantization,
    TensorScale,
    byte_tensors,
    check_quantization,
    dequantize,
    minmax_quantization,
    quantized_forward,
)
from yolodsc.precision.oracle import accumulated

LAYERS = """
convolutional filters=8 size=3 pad=1 activation=leaky
convolutional filters=16 size=1 activation=relu
convolutional filters=16 groups=16 size=3 pad=1 stride=2 activation=relu6
convolutional filters=8 size=1 activation=linear
convolutional filters=8 size=3 pad=1 activation=leaky
shortcut from=-2 activation=linear
maxpool size=2 stride=1
route layers=-1,-2
upsample stride=2
convolutional filters=6 size=1 activation=linear
"""


def test_sums_are_exact_integers() -> None:
    """Every sum equals the plain loop over windows, the padding being the zero point."""
    net = network("convolutional filters=4 size=3 pad=1 stride=2 groups=2 activation=linear", channels=4, height=5, width=6)
    (layer,), random = net.layers, np.random.default_rng(3)
    assert isinstance(layer, ConvolutionalLayer)
    x = random.integers(0, 256, (4, 5, 6)).astype(np.uint8)
    scale = TensorScale(0.5, 37)
    weights = Int8Weights(
        random.integers(-127, 128, (4, 2, 3, 3)).astype(np.int8),
        np.full(4, 0.25, np.float32),
        np.array([1, -2, 0, 9.06], np.float32),
    )

    found = accumulated(layer, weights, x, scale)

    padded = np.pad(x.astype(int), ((0, 0), (1, 1), (1, 1)), constant_values=37)
    for f, y, z in np.ndindex(found.shape):
        window = padded[f // 2 * 2 : f // 2 * 2 + 2, 2 * y : 2 * y + 3, 2 * z : 2 * z + 3] - 37
        expected = int((window * weights.weights[f].astype(int)).sum()) + [8, -16, 0, 72][f]
        assert found[f, y, z] == expected


def test_bytes_are_stored_where_int8_layers_read() -> None:
    """Tensors between int8 layers are bytes, those that only depthwise layers, sums or nobody read are float32."""
    net = network(LAYERS, height=12, width=12)
    x = image(net)
    quantization = minmax_quantization(net, [x])

    outputs = quantized_forward(net, quantization, x)

    is_bytes = [out.dtype == np.uint8 for out in outputs]
    assert is_bytes == [True, False, True, True, False, True, True, True, True, False]
    assert quantization.scales[5] == quantization.scales[6] == quantization.scales[7] == quantization.scales[8]


def test_outputs_are_near_those_in_float32() -> None:
    """The real values of all tensors differ from float32 by a few steps of their scales."""
    net = network(LAYERS, height=12, width=12)
    x = image(net)
    quantization = minmax_quantization(net, [x])

    found, expected = quantized_forward(net, quantization, x), net.forward(x)

    for index, (a, b) in enumerate(zip(found, expected, strict=True)):
        real = dequantize(a, quantization.scales[index]) if a.dtype == np.uint8 else a
        assert np.linalg.norm(real - b) < 0.05 * np.linalg.norm(b)


def test_a_group_of_tensors_shares_one_scale() -> None:
    """Layers that move bytes join their sources and their outputs."""
    net = network(LAYERS, height=12, width=12)

    groups = byte_tensors(net, [9])

    assert groups == [frozenset({5, 6, 7, 8})]


@pytest.mark.parametrize("precision", ["f32", "bf16"])
def test_other_precisions_change_little(precision: str) -> None:
    """Without scales, float32 layers give the reference's outputs, and bf16 layers outputs within a part in a hundred."""
    net = network(LAYERS, height=12, width=12)
    x = image(net)
    quantization = Quantization(dict.fromkeys([0, 1, 3, 4, 9], precision), {}, {})  # type: ignore[arg-type]
    check_quantization(net, quantization)

    found, expected = quantized_forward(net, quantization, x)[-1], net.forward(x)[-1]

    limit = 1e-5 if precision == "f32" else 2e-2
    assert np.linalg.norm(found - expected) < limit * np.linalg.norm(expected)
    if precision == "bf16":
        assert not np.allclose(found, expected, rtol=1e-5)
