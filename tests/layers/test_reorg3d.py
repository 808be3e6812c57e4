"""[reorg3d]: space to depth."""

import numpy as np

from tests.networks import last, network, picture


def test_channels_are_offset_major() -> None:
    """Channel (dy s + dx) C + c holds the pixels at offset (dy, dx) of channel c."""
    net = network("reorg3d stride=2", channels=3, height=4, width=6)
    x = picture(net)

    wanted = np.concatenate([x[:, dy::2, dx::2] for dy in range(2) for dx in range(2)])
    np.testing.assert_array_equal(last(net, x), wanted)


def test_reverse_goes_back() -> None:
    """reverse=1 after the plain one is the identity."""
    net = network("reorg3d stride=2\nreorg3d stride=2 reverse=1", channels=3, height=4, width=6)
    x = picture(net)

    np.testing.assert_array_equal(last(net, x), x)
