"""[local]: separate weights at every position."""

import numpy as np

from tests.networks import image, last, network


def test_every_location_has_its_own_filters() -> None:
    """Position (y, x) uses matrix y W + x."""
    net = network("local filters=3 size=3 pad=1 stride=1 activation=linear", channels=2, height=4, width=5)
    weights, x = net.weights[0], image(net)
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1)))

    out = last(net, x)

    for row, column in np.ndindex(4, 5):
        seen = padded[:, row : row + 3, column : column + 3].ravel()
        expected = weights["weights"][row * 5 + column] @ seen + weights["biases"].reshape(3, 4, 5)[:, row, column]
        np.testing.assert_allclose(out[:, row, column], expected, rtol=1e-4, atol=1e-5)
