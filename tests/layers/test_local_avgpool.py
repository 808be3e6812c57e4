"""[local_avgpool]: sums of windows divided by the number of cells inside the map."""

import numpy as np

from tests.networks import last, network


def test_border_windows_are_divided_by_the_cells_inside() -> None:
    """The mean of a constant map is that constant everywhere."""
    net = network("local_avgpool size=3 stride=1", channels=1, height=5, width=5)

    out = last(net, np.full(net.input_shape, 7, np.float32))

    np.testing.assert_allclose(out, 7)


def test_inner_windows_are_means() -> None:
    """A 2x2 window of stride 2 on an even map is a plain mean."""
    net = network("local_avgpool size=2 stride=2", channels=1, height=4, width=4)
    x = np.arange(16, dtype=np.float32).reshape(1, 4, 4)

    np.testing.assert_allclose(last(net, x)[0], [[2.5, 4.5], [10.5, 12.5]])
