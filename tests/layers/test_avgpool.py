"""[avgpool]: one mean per channel."""

import numpy as np

from tests.networks import image, last, network


def test_every_channel_becomes_its_mean() -> None:
    """(C, H, W) becomes (C, 1, 1)."""
    net = network("avgpool", height=5, width=7)
    x = image(net)

    np.testing.assert_allclose(last(net, x)[:, 0, 0], [plane.mean() for plane in x], rtol=1e-5, atol=1e-6)
