"""[reorg3d]: space to depth."""

import numpy as np
import pytest

from tests.networks import image, last, network
from yolodsc.errors import CfgError


def test_channels_are_offset_major() -> None:
    """Channel (dy s + dx) C + c holds the pixels at offset (dy, dx) of channel c."""
    net = network("reorg3d stride=2", channels=3, height=4, width=6)
    x = image(net)

    expected = np.concatenate([x[:, dy::2, dx::2] for dy in range(2) for dx in range(2)])
    np.testing.assert_array_equal(last(net, x), expected)


def test_reverse_reads_the_input_with_the_outputs_shape() -> None:
    """The result equals Darknet's loop, which is not the inverse."""
    net = network("reorg3d stride=2 reverse=1", channels=32, height=2, width=3)
    x = image(net)
    channels, height, width = net.layers[0].shape
    blocks = channels // 4
    expected = np.zeros(x.size, np.float32)
    for k, j, i in np.ndindex(channels, height, width):
        offset, c = divmod(k, blocks)
        row, column = 2 * j + offset // 2, 2 * i + offset % 2
        expected[column + 2 * width * (row + 2 * height * c)] = x.ravel()[i + width * (j + height * k)]

    np.testing.assert_array_equal(last(net, x).ravel(), expected)


def test_reverse_that_writes_beyond_the_output_is_refused() -> None:
    """Darknet does so if the fourth power of the stride does not divide the channels."""
    with pytest.raises(CfgError, match=r"12 channels with reverse=1; expected a multiple of stride\^4=16"):
        network("reorg3d stride=2 reverse=1", channels=12, height=2, width=3)
