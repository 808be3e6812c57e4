"""[shortcut]: sums, weights and pjreddie's strides."""

import numpy as np
import pytest

from tests.networks import image, network
from yolodsc.errors import CfgError

TWO = "convolutional filters=4 size=1 activation=linear\nconvolutional filters=6 size=1 activation=linear\n"


def test_channels_in_common_take_part() -> None:
    """The output has the shape of the previous layer."""
    net = network(TWO + "shortcut from=-2")

    outputs = net.forward(image(net))

    expected = outputs[1].copy()
    expected[:4] += outputs[0]
    np.testing.assert_array_equal(outputs[2], expected)


def test_larger_sources_are_sampled_and_smaller_ones_scattered() -> None:
    """In pjreddie's ResNets every second pixel of a larger map is added; a smaller map is added to every second pixel."""
    net = network(
        """convolutional filters=2 size=1 activation=linear
        maxpool size=2 stride=2
        shortcut from=0
        upsample stride=2
        shortcut from=1"""
    )

    outputs = net.forward(image(net))

    np.testing.assert_array_equal(outputs[2], outputs[1] + outputs[0][:, ::2, ::2])
    expected = outputs[3].copy()
    expected[:, ::2, ::2] += outputs[1]
    np.testing.assert_array_equal(outputs[4], expected)


def test_weights_scale_every_input() -> None:
    """per_feature weights have one number per input, the previous layer first."""
    net = network(TWO + "shortcut from=-2 weights_type=per_feature")
    weights = net.weights[2]["weights"][:, 0]

    outputs = net.forward(image(net))

    expected = weights[0] * outputs[1]
    expected[:4] += weights[1] * outputs[0]
    np.testing.assert_allclose(outputs[2], expected, rtol=1e-6)


def test_uneven_sizes_are_refused() -> None:
    """Height and width must differ by the same factor."""
    with pytest.raises(CfgError, match="the same factor for height and width"):
        network("convolutional filters=2\nmaxpool size=2 stride_x=1 stride_y=2 padding=0\nshortcut from=0", width=16)
