"""[maxpool] compared with a loop over all windows."""

import numpy as np
import pytest

from tests.networks import image, last, network


@pytest.mark.parametrize(
    "options",
    [
        "size=2 stride=2",
        "size=2 stride=1",
        "size=3 stride=2 padding=0",
        "size=5 stride=1",
        "size=3 stride_x=1 stride_y=2",
        "stride=3",
    ],
)
def test_equals_a_loop_over_every_window(options: str) -> None:
    """Windows start at -(padding // 2), and cells outside the map are ignored, for odd sizes too."""
    net = network(f"maxpool {options}", channels=2, height=7, width=9)
    (layer,) = net.layers
    x = image(net) - 10

    out = last(net, x)

    for c, y, column in np.ndindex(*layer.shape):
        top, left = y * layer.stride_y - layer.padding // 2, column * layer.stride_x - layer.padding // 2
        window = x[c, max(top, 0) : top + layer.size, max(left, 0) : left + layer.size]
        assert out[c, y, column] == window.max()


def test_depth_takes_every_nth_channel() -> None:
    """maxpool_depth=1 with out_channels=2 is the maximum over channels g, g + 2, g + 4."""
    net = network("maxpool maxpool_depth=1 out_channels=2", channels=6)
    x = image(net)

    assert (last(net, x) == np.stack([x[0::2].max(axis=0), x[1::2].max(axis=0)])).all()
