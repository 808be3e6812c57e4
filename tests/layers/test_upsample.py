"""[upsample]: enlarging, reducing, scale."""

import numpy as np
import pytest

from tests.networks import image, last, network
from yolodsc.errors import CfgError


def test_every_pixel_is_repeated() -> None:
    """The result is nearest neighbour times scale."""
    net = network("upsample stride=3 scale=2", height=2, width=3)
    x = image(net)

    np.testing.assert_array_equal(last(net, x), 2 * np.kron(x, np.ones((1, 3, 3), np.float32)))


def test_negative_stride_sums_blocks() -> None:
    """Darknet runs the backward form for stride=-2."""
    net = network("upsample stride=-2", height=4, width=6)
    x = image(net)

    expected = x[:, ::2, ::2] + x[:, 1::2, ::2] + x[:, ::2, 1::2] + x[:, 1::2, 1::2]
    np.testing.assert_allclose(last(net, x), expected, rtol=1e-5, atol=1e-6)


def test_stride_zero_is_refused() -> None:
    """Stride 0 is invalid."""
    with pytest.raises(CfgError, match="stride=0"):
        network("upsample stride=0")
