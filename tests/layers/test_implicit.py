"""[implicit]: numbers that don't depend on the picture."""

import numpy as np

from tests.networks import last, network, picture


def test_puts_out_its_weights() -> None:
    """Whatever comes in."""
    net = network("implicit filters=5 atoms=2")

    out = last(net, picture(net))

    assert out.shape == (5, 2, 1)
    np.testing.assert_array_equal(out, net.weights[0]["weights"])
