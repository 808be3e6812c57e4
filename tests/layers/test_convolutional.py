"""[convolutional] compared with a loop over all outputs."""

from dataclasses import replace

import numpy as np
import pytest

from tests.networks import image, last, network
from yolodsc.darknet.profile import ALEXEYAB, OPENCV, PJREDDIE, Profile
from yolodsc.errors import CfgError
from yolodsc.network.layers.convolutional import ConvolutionalLayer


def by_hand(layer: ConvolutionalLayer, kernel: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Compute the cross-correlation one output at a time."""
    out = np.zeros(layer.shape)
    per_group, channels = layer.filters // layer.groups, kernel.shape[1]
    for f, y, column in np.ndindex(*layer.shape):
        for c, ky, kx in np.ndindex(channels, layer.size, layer.size):
            row = y * layer.stride_y + (ky - layer.padding) * layer.dilation
            col = column * layer.stride_x + (kx - layer.padding) * layer.dilation
            if 0 <= row < x.shape[1] and 0 <= col < x.shape[2]:
                out[f, y, column] += kernel[f, c, ky, kx] * x[f // per_group * channels + c, row, col]
    return out


@pytest.mark.parametrize(
    "options",
    [
        "filters=4 size=3 pad=1",
        "filters=4 size=3 pad=1 stride=2",
        "filters=4 size=3 stride_x=2 stride_y=1 padding=2",
        "filters=6 size=3 pad=1 groups=2",
        "filters=8 size=5 pad=1 groups=4 stride=2",
        "filters=4 size=3 pad=1 dilation=2",
        "filters=3 size=2 pad=1",
        "filters=3 size=1",
        "filters=3 size=1 stride=2",
    ],
)
def test_equals_a_loop_over_every_number(options: str) -> None:
    """Strides, padding, groups and dilation sample the same cells as Darknet."""
    net = network(f"convolutional {options} activation=linear", channels=4, height=7, width=9)
    (layer,), (weights,) = net.layers, net.weights
    x = image(net)

    out = last(net, x)

    np.testing.assert_allclose(out, by_hand(layer, weights["weights"], x) + weights["biases"][:, None, None], atol=1e-5)


@pytest.mark.parametrize(
    ("profile", "deviation"),
    [(ALEXEYAB, lambda v: np.sqrt(v + 1e-5)), (PJREDDIE, lambda v: np.sqrt(v) + 1e-6), (OPENCV, lambda v: np.sqrt(v + 1e-6))],
)
def test_batch_norm_uses_the_epsilon_of_the_profile(profile, deviation) -> None:
    """A channel of tiny variance shows which program's epsilon is in use."""
    net = network("convolutional filters=1 size=1 batch_normalize=1 activation=linear", channels=1, profile=profile)
    own = {
        "biases": np.float32([0.5]),
        "scales": np.float32([2]),
        "rolling_mean": np.float32([0.25]),
        "rolling_variance": np.float32([1e-6]),
        "weights": np.ones((1, 1, 1, 1), np.float32),
    }
    x = image(net)

    out = last(net.with_weights([own]), x)

    np.testing.assert_allclose(out, 2 * (x - 0.25) / deviation(np.float64(np.float32(1e-6))) + 0.5, rtol=1e-5, atol=1e-2)


@pytest.mark.parametrize(
    ("options", "profile", "around"),
    [
        ("stride=1", ALEXEYAB, -1),
        ("stride=2", ALEXEYAB, -1),
        ("stride_x=1 stride_y=2", ALEXEYAB, 0),
        ("stride=1", PJREDDIE, 0),
        ("stride=1", OPENCV, 0),
    ],
)
def test_xnor_reduces_weights_and_inputs_to_signs(options: str, profile: Profile, around: int) -> None:
    """Weights are sign times mean magnitude, inputs +1 or -1; AlexeyAB's bit product (equal strides only) pads with -1."""
    net = network(
        f"convolutional filters=2 size=3 pad=1 xnor=1 activation=linear {options}", channels=2, height=4, width=4, profile=profile
    )
    (layer,), (weights,) = net.layers, net.weights
    x = image(net)
    kernel = np.where(weights["weights"] > 0, 1, -1) * np.abs(weights["weights"]).mean(axis=(1, 2, 3), keepdims=True)
    padded = np.pad(np.where(x > 0, 1.0, -1.0), ((0, 0), (1, 1), (1, 1)), constant_values=around)

    out = last(net, x)

    expected = by_hand(replace(layer, padding=0), kernel, padded) + weights["biases"][:, None, None]
    np.testing.assert_allclose(out, expected, atol=1e-5)


@pytest.mark.parametrize(
    ("after", "profile", "activation"),
    [
        ("", ALEXEYAB, "linear"),
        ("\nroute layers=-1", ALEXEYAB, "relu"),
        ("\nshortcut from=0", ALEXEYAB, "relu"),
        ("", PJREDDIE, "relu"),
    ],
)
def test_bin_output_drops_the_activation_unless_others_read_it(after: str, profile: Profile, activation: str) -> None:
    """The option affects xnor layers in AlexeyAB's program only."""
    binary = "convolutional filters=3 activation=relu bin_output=1"
    net = network(f"{binary}\n{binary} xnor=1{after}", profile=profile)

    first, second, *_ = net.layers

    assert isinstance(first, ConvolutionalLayer)
    assert isinstance(second, ConvolutionalLayer)
    assert (first.activation, second.activation) == ("relu", activation)


@pytest.mark.parametrize(
    ("options", "profile", "reads"),
    [
        ("size=1 stride_x=1 stride_y=2", ALEXEYAB, "raw"),
        ("size=1 stride_x=1 stride_y=2 groups=2", ALEXEYAB, "raw"),
        ("size=1 stride_x=1 stride_y=3 padding=1", ALEXEYAB, "raw"),
        ("size=1 stride=2", ALEXEYAB, "windows"),
        ("size=1 padding=1", ALEXEYAB, "windows"),
        ("size=1 stride=2", PJREDDIE, "raw"),
        ("size=1 stride_x=1 stride_y=2", OPENCV, "windows"),
        ("size=3 dilation=2", ALEXEYAB, "shifted"),
        ("size=3 dilation=2 groups=2 stride=2", ALEXEYAB, "shifted"),
        ("size=2 pad=1 dilation=2", ALEXEYAB, "shifted"),
        ("size=2 pad=1 dilation=3 groups=2", ALEXEYAB, "shifted"),
        ("size=3 pad=1 dilation=2", ALEXEYAB, "windows"),
    ],
)
def test_the_product_reads_what_darknets_does(options: str, profile: Profile, reads: str) -> None:
    """Row k of the matrix starts at number k * OH * OW of the group's memory: of the input itself, or of the columns."""
    net = network(f"convolutional filters=4 activation=linear {options}", channels=4, height=9, width=7, profile=profile)
    (layer,), (weights,) = net.layers, net.weights
    x = image(net)

    out = last(net, x)

    assert isinstance(layer, ConvolutionalLayer)
    assert layer.product.reads == reads
    expected = in_memory(layer, weights["weights"], x) if reads != "windows" else by_hand(layer, weights["weights"], x)
    np.testing.assert_allclose(out, expected + weights["biases"][:, None, None], atol=1e-5)
    assert bool(net.notes) == (reads != "windows" or options == "size=1 padding=1")


def in_memory(layer: ConvolutionalLayer, kernel: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Compute Darknet's im2col and matrix product, with zeros after the output of im2col."""
    filters, channels, per_group = layer.filters, x.shape[0] // layer.groups, layer.filters // layer.groups
    pixels, margin = layer.shape.height * layer.shape.width, layer.padding * layer.dilation
    span = (layer.size - 1) * layer.dilation + 1
    rows, columns = (x.shape[1] + 2 * margin - span) // layer.stride_y + 1, (x.shape[2] + 2 * margin - span) // layer.stride_x + 1
    out = np.zeros((filters, pixels))
    for group in range(layer.groups):
        own = x[group * channels : (group + 1) * channels]
        memory = list(own.ravel()) if layer.size == 1 else []
        for c, ky, kx, i, j in np.ndindex(channels, layer.size, layer.size, rows, columns) if layer.size > 1 else ():
            y, column = i * layer.stride_y + ky * layer.dilation - margin, j * layer.stride_x + kx * layer.dilation - margin
            inside = 0 <= y < x.shape[1] and 0 <= column < x.shape[2]
            memory.append(own[c, y, column] if inside else 0.0)
        memory += [0.0] * (channels * layer.size**2 * pixels)
        for f, k, p in np.ndindex(per_group, channels * layer.size**2, pixels):
            number = group * per_group + f
            out[number, p] += kernel[number].ravel()[k] * memory[k * pixels + p]
    return out.reshape(layer.shape)


def test_shared_weights_are_the_other_layers() -> None:
    """share_index stores nothing and follows the layer that it names."""
    net = network(
        """convolutional filters=3 size=3 pad=1 batch_normalize=1 activation=linear
        route layers=-1
        convolutional filters=3 size=3 pad=1 batch_normalize=1 share_index=0 activation=linear"""
    )

    assert net.layers[2].weight_shapes() == {}
    assert net.weights[2] is net.weights[0]


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ("filters=8 groups=5", "groups=5 must divide 4 channels and 8 filters"),
        ("activation=silo", "activation=silo is unknown"),
        ("size=5 padding=0 dilation=4", "dilation=4 with size=5 and padding=0 spans more than"),
        ("size=20", "gives output"),
        ("antialiasing=3", "antialiasing=3"),
        ("coordconv=1", "coordconv=1 is not supported"),
        ("share_index=-1", "names layer -1"),
        ("filters=1000000000 size=3 pad=1", "at most"),
    ],
)
def test_what_cannot_be_built_is_named(options: str, found: str) -> None:
    """Every error gives file, line, section and the value found."""
    with pytest.raises(CfgError, match=r"^test\.cfg:\d+: \[convolutional\] ") as error:
        network(f"convolutional {options}", channels=4)

    assert found in str(error.value)
