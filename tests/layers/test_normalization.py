"""[normalization]: Darknet's running window."""

import numpy as np

from tests.networks import image, last, network


def test_equals_darknets_running_window() -> None:
    """Channel size // 2 never enters the window but is subtracted from it."""
    net = network("normalization size=5 alpha=.01 beta=.75 kappa=1", channels=8, height=2, width=2)
    x = image(net)
    squares = 0.01 * x.astype(float) ** 2
    norm = [1 + squares[0] + squares[1]]
    for k in range(1, 8):
        norm.append(norm[-1] + (squares[k + 2] if k + 2 < 8 else 0) - (squares[k - 3] if k >= 3 else 0))

    np.testing.assert_allclose(last(net, x), x * np.array(norm) ** -0.75, rtol=1e-5)
