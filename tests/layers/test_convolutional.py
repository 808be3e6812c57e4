"""[convolutional] against a loop over every output number."""

import numpy as np
import pytest

from tests.networks import last, network, picture
from yolodsc.errors import CfgError
from yolodsc.layers.convolutional import ConvolutionalLayer
from yolodsc.profile import ALEXEYAB, OPENCV, PJREDDIE


def by_hand(layer: ConvolutionalLayer, kernel: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Cross-correlation, one output number at a time."""
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
    """Strides, padding, groups and dilation sample the cells that Darknet samples."""
    net = network(f"convolutional {options} activation=linear", channels=4, height=7, width=9)
    (layer,), (weights,) = net.layers, net.weights
    x = picture(net)

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
    x = picture(net)

    out = last(net.with_weights([own]), x)

    np.testing.assert_allclose(out, 2 * (x - 0.25) / deviation(np.float64(np.float32(1e-6))) + 0.5, rtol=1e-5, atol=1e-2)


def test_xnor_reduces_weights_and_inputs_to_signs() -> None:
    """The float path: sign times mean magnitude, +1 or -1, zeros in the padding."""
    net = network("convolutional filters=2 size=3 pad=1 xnor=1 activation=linear", channels=2, height=4, width=4)
    weights = net.weights[0]
    x = picture(net)
    kernel = np.where(weights["weights"] > 0, 1, -1) * np.abs(weights["weights"]).mean(axis=(1, 2, 3), keepdims=True)

    out = last(net, x)

    wanted = by_hand(net.layers[0], kernel, np.where(x > 0, 1.0, -1.0)) + weights["biases"][:, None, None]
    np.testing.assert_allclose(out, wanted, atol=1e-5)


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
        ("activation=silu", "activation=silu is unknown"),
        ("size=20", "gives output"),
        ("antialiasing=3", "antialiasing=3"),
        ("coordconv=1", "coordconv=1 is not supported"),
        ("share_index=-1", "names layer -1"),
        ("filters=1000000000 size=3 pad=1", "at most"),
    ],
)
def test_what_cannot_be_built_is_named(options: str, found: str) -> None:
    """Every refusal says file, line, section and what was found."""
    with pytest.raises(CfgError, match=r"^test\.cfg:\d+: \[convolutional\] ") as error:
        network(f"convolutional {options}", channels=4)

    assert found in str(error.value)
