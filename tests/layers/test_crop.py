"""[crop]: the centre of the image."""

import numpy as np
import pytest

from tests.networks import image, last, network
from yolodsc.errors import CfgError


@pytest.mark.parametrize(("noadjust", "factor", "offset"), [(0, 2, -1), (1, 1, 0)])
def test_centre_is_cut_out_and_adjusted(noadjust: int, factor: int, offset: int) -> None:
    """Values become 2x - 1 unless noadjust=1."""
    net = network(f"crop crop_height=4 crop_width=5 noadjust={noadjust}", height=8, width=8)
    x = image(net)

    np.testing.assert_allclose(last(net, x), factor * x[:, 2:6, 1:6] + offset, rtol=1e-6)


def test_a_crop_larger_than_its_input_is_refused() -> None:
    """Darknet would read outside the image."""
    with pytest.raises(CfgError, match="crop of 9x9"):
        network("crop crop_height=9 crop_width=9")
