"""Export of quantized networks."""

from pathlib import Path

import numpy as np
import pytest

from tests.networks import image, network
from tests.onnx_export.runtime import onnx_outputs
from yolodsc.convert.onnx.export import export_onnx
from yolodsc.errors import QuantizationError
from yolodsc.precision import Quantization, TensorScale, dequantize, minmax_quantization, quantized_forward

LAYERS = """
convolutional filters=8 size=3 pad=1 stride=2 activation=leaky
convolutional filters=16 size=3 pad=1 groups=2 activation=relu
convolutional filters=16 groups=16 size=3 pad=1 activation=relu
convolutional filters=8 size=1 activation=linear
shortcut from=-4 activation=linear
maxpool size=2 stride=1
route layers=-1,-2
upsample stride=2
convolutional filters=6 size=1 activation=linear
"""


def test_onnx_runtime_computes_the_levels_of_the_reference(tmp_path: Path) -> None:
    """Every stored tensor equals the exact reference but for single steps where a sum lies between two levels."""
    net = network(LAYERS, height=12, width=12)
    x = image(net)
    quantization = minmax_quantization(net, [x])
    path = tmp_path / "network.onnx"

    export_onnx(net, path, outputs=range(9), quantization=quantization)

    found = onnx_outputs(path, x[None])
    for index, stored in enumerate(quantized_forward(net, quantization, x)):
        scale = quantization.scales.get(index)
        real = stored if scale is None else dequantize(stored, scale)
        step = 1e-5 * np.abs(real).max() if scale is None else 1.01 * scale.scale
        difference = np.abs(found[f"layer_{index}"][0] - real)
        assert difference.max() <= (step if index < 8 else 0.05 * np.abs(real).max())
        assert (difference > 0.01 * step).mean() < (1.0 if scale is None else 0.01)


def test_the_exact_form_gives_the_bytes_of_the_reference(tmp_path: Path) -> None:
    """Every stored tensor is the same to the bit in ONNX Runtime, with a depthwise layer of several filters a channel as well."""
    layers = LAYERS.replace(
        "route layers", "convolutional filters=16 groups=8 size=5 stride=2 pad=1 activation=leaky\nroute layers"
    )
    net = network(layers.replace("route layers=-1,-2", "route layers=-2,-3"), height=12, width=12)
    images = [image(net, seed=seed) for seed in range(8)]
    quantization = minmax_quantization(net, images)
    path = tmp_path / "network.onnx"

    export_onnx(net, path, outputs=range(10), quantization=quantization, int8_form="exact", dynamic_batch=True)

    found = onnx_outputs(path, np.stack(images))
    for n, x in enumerate(images):
        for index, stored in enumerate(quantized_forward(net, quantization, x)):
            scale = quantization.scales.get(index)
            real = stored if scale is None else dequantize(stored, scale)
            assert np.array_equal(found[f"layer_{index}"][n], real), index


def test_inputs_and_weights_of_bf16_layers_are_rounded(tmp_path: Path) -> None:
    """The outputs are those of the reference in bf16, nearer than those in float32."""
    net = network("convolutional filters=8 size=3 pad=1 activation=leaky\nconvolutional filters=6 size=3 activation=linear")
    x = image(net)
    mixed = minmax_quantization(net, [x], int8=[0])
    quantization = Quantization({**mixed.layers, 1: "bf16"}, mixed.scales, mixed.weights)
    expected = quantized_forward(net, quantization, x)[1]
    largest = np.abs(expected).max()

    export_onnx(net, tmp_path / "a.onnx", quantization=quantization)
    export_onnx(net, tmp_path / "b.onnx", quantization=mixed)

    assert np.abs(onnx_outputs(tmp_path / "a.onnx", x[None])["layer_1"][0] - expected).max() < 1e-5 * largest
    assert np.abs(onnx_outputs(tmp_path / "b.onnx", x[None])["layer_1"][0] - expected).max() > 1e-4 * largest


def test_the_model_has_bytes_for_weights(tmp_path: Path) -> None:
    """The file takes little more than a byte for each weight."""
    net = network(
        "convolutional filters=256 size=3 pad=1 activation=leaky\nconvolutional filters=128 size=3 pad=1 activation=linear"
    )
    quantization = minmax_quantization(net, [image(net)])

    export_onnx(net, tmp_path / "a.onnx")
    export_onnx(net, tmp_path / "b.onnx", quantization=quantization)

    assert (tmp_path / "b.onnx").stat().st_size < 0.3 * (tmp_path / "a.onnx").stat().st_size


def test_a_quantization_of_another_network_is_refused(tmp_path: Path) -> None:
    """Scales of tensors that do not exist give an error, and no file."""
    net = network("convolutional filters=4 size=1 activation=linear")

    with pytest.raises(QuantizationError, match="tensor 7"):
        export_onnx(net, tmp_path / "a.onnx", quantization=Quantization({}, {7: TensorScale(1.0, 0)}, {}))
    assert not (tmp_path / "a.onnx").exists()
