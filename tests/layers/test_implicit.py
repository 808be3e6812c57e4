"""[implicit]: outputs that do not depend on the image."""

import numpy as np

from tests.networks import image, last, network


def test_puts_out_its_weights() -> None:
    """The output is the same for any input."""
    net = network("implicit filters=5 atoms=2")

    out = last(net, image(net))

    assert out.shape == (5, 2, 1)
    np.testing.assert_array_equal(out, net.weights[0]["weights"])
