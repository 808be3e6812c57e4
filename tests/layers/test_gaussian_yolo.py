"""[Gaussian_yolo]: boxes with uncertainty."""

import numpy as np
import pytest

from tests.networks import network


@pytest.mark.parametrize(("point", "shift"), [("center", 0.0), ("left_top", 0.5), ("right_bottom", -0.5)])
def test_box_of_one_cell(point: str, shift: float) -> None:
    """The score is reduced by the mean deviation; yolo_point moves the centre by half a box."""
    net = network(f"Gaussian_yolo classes=1 num=1 anchors=16,32 yolo_point={point}", channels=10, height=1, width=1)
    (layer,) = net.layers
    raw = np.array([0.2, -1, 0.4, -2, 0.1, -3, 0.3, -1, 3, 2], np.float32).reshape(10, 1, 1)
    sigmoid = 1 / (1 + np.exp(-raw.ravel()))

    found = layer.decode(layer.forward([raw], {}), input_shape=layer.shape._replace(height=64, width=64), thresh=0.1)

    w, h = np.exp(0.1) * 16 / 64, np.exp(0.3) * 32 / 64
    np.testing.assert_allclose(found.boxes_xywh, [[sigmoid[0] + shift * w, sigmoid[2] + shift * h, w, h]], rtol=1e-5)
    np.testing.assert_allclose(found.probabilities, [[sigmoid[8] * sigmoid[9] * (1 - sigmoid[[1, 3, 5, 7]].mean())]], rtol=1e-5)
