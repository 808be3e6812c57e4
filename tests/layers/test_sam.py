"""[sam]: the product of two maps."""

import numpy as np
import pytest

from tests.networks import image, network
from yolodsc.errors import CfgError


def test_product_number_by_number() -> None:
    """The previous layer is multiplied by the layer named by from, then activated."""
    net = network("convolutional filters=4 size=1\nconvolutional filters=4 size=1\nsam from=-2 activation=leaky")

    outputs = net.forward(image(net))

    product = outputs[0] * outputs[1]
    np.testing.assert_allclose(outputs[2], np.where(product > 0, product, 0.1 * product), rtol=1e-5)


def test_unequal_shapes_are_refused() -> None:
    """Darknet would read outside its buffer."""
    with pytest.raises(CfgError, match="expected equal shapes"):
        network("convolutional filters=4 size=1\nconvolutional filters=2 size=1\nsam from=-2")
