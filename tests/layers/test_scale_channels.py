"""[scale_channels]: one gate per channel or pixel."""

import numpy as np
import pytest

from tests.networks import image, network
from yolodsc.errors import CfgError


def test_one_gate_a_channel() -> None:
    """The layer named by from is multiplied by the input."""
    net = network("convolutional filters=4 size=1\navgpool\nscale_channels from=0 activation=relu")

    outputs = net.forward(image(net))

    np.testing.assert_allclose(outputs[2], np.maximum(outputs[0] * outputs[1], 0), rtol=1e-6)


def test_one_gate_a_pixel() -> None:
    """scale_wh=1 requires a single channel."""
    net = network("convolutional filters=4 size=1\nconvolutional filters=1 size=1\nscale_channels from=0 scale_wh=1")

    outputs = net.forward(image(net))

    np.testing.assert_allclose(outputs[2], outputs[0] * outputs[1], rtol=1e-6)


def test_gates_of_another_shape_are_refused() -> None:
    """The test has three gates for four channels."""
    with pytest.raises(CfgError, match="expected 4x1x1"):
        network("convolutional filters=4 size=1\nroute layers=-1 groups=2\navgpool\nscale_channels from=0")
