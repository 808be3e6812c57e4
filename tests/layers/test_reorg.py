"""[reorg]: Darknet's index arithmetic, in both directions."""

import numpy as np
import pytest

from tests.networks import image, last, network
from yolodsc.errors import CfgError


def darknet(x: np.ndarray, stride: int) -> np.ndarray:
    """Compute blas.c: reorg_cpu as reorg_layer.c calls it, with the input's sizes in place of the output's."""
    c, h, w = x.shape
    flat, out = x.reshape(-1), np.empty(x.size, np.float32)
    out_c = c // stride**2
    for k, j, i in np.ndindex(c, h, w):
        offset = k // out_c
        w2, h2 = i * stride + offset % stride, j * stride + offset // stride
        out[i + w * (j + h * k)] = flat[w2 + w * stride * (h2 + h * stride * (k % out_c))]
    return out.reshape(c * stride**2, h // stride, w // stride)


def test_equals_darknets_index_arithmetic() -> None:
    """It is not a space-to-depth, even for stride 2."""
    net = network("reorg stride=2", channels=8, height=4, width=6)
    x = image(net)

    np.testing.assert_array_equal(last(net, x), darknet(x, 2))


def test_reverse_scatters_offset_major_channels() -> None:
    """Channel (dy s + dx) C/s² + c goes to the pixels at offset (dy, dx) of channel c: not the inverse."""
    net = network("reorg stride=2 reverse=1", channels=8, height=2, width=3)
    x = image(net)

    out = last(net, x)

    for offset in range(4):
        np.testing.assert_array_equal(out[:, offset // 2 :: 2, offset % 2 :: 2], x[2 * offset : 2 * offset + 2])


def test_strides_that_do_not_divide_are_refused() -> None:
    """The stride must divide the sides of the map, and its square the channels."""
    with pytest.raises(CfgError, match="stride=3 must divide"):
        network("reorg stride=3", channels=9)
    with pytest.raises(CfgError, match="squared must divide 3 channels"):
        network("reorg stride=2", channels=3)
