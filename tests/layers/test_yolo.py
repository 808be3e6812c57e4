"""[yolo]: boxes computed by hand."""

import numpy as np
import pytest

from tests.networks import network
from yolodsc.errors import CfgError
from yolodsc.network.layers.yolo import YoloLayer

HEAD = "yolo classes=2 num=3 mask=1,2 anchors=1,2,10,20,30,40"


def sigmoid(v: float) -> float:
    """Compute the logistic function."""
    return 1 / (1 + np.exp(-v))


def one_box(options: str, values: list[float]) -> tuple[YoloLayer, np.ndarray]:
    """Return a 2x3 grid with the values at the second anchor (30x40), row 1, column 2; objectness is low elsewhere."""
    net = network(f"{HEAD} {options}", channels=14, height=2, width=3)
    raw = np.full((2, 7, 2, 3), 0.0 if "new_coords" in options else -9.0, np.float32)
    raw[1, :, 1, 2] = values
    return net.layers[0], net.layers[0].forward([raw.reshape(14, 2, 3)], {})


def test_box_of_one_cell() -> None:
    """The centre comes from cell and scaled sigmoid, the size from anchor and exponential, the scores from objectness and class."""
    layer, out = one_box("scale_x_y=1.2", [0.3, -0.4, 0.1, 0.2, 2.0, 1.0, -3.0])

    found = layer.decode(out, input_shape=layer.shape._replace(height=64, width=96), thresh=0.25)

    x, y = (2 + sigmoid(0.3) * 1.2 - 0.1) / 3, (1 + sigmoid(-0.4) * 1.2 - 0.1) / 2
    np.testing.assert_allclose(found.boxes_xywh, [[x, y, np.exp(0.1) * 30 / 96, np.exp(0.2) * 40 / 64]], rtol=1e-5)
    np.testing.assert_allclose(found.probabilities, [[sigmoid(2) * sigmoid(1), 0]], rtol=1e-5)


def test_new_coords_are_taken_as_they_are() -> None:
    """Sizes are (2 v)² anchors; nothing is activated."""
    layer, out = one_box("new_coords=1", [0.5, 0.25, 0.6, 0.7, 0.9, 0.8, 0.1])

    found = layer.decode(out, input_shape=layer.shape._replace(height=64, width=96), thresh=0.25)

    np.testing.assert_allclose(found.boxes_xywh, [[2.5 / 3, 1.25 / 2, 4 * 0.36 * 30 / 96, 4 * 0.49 * 40 / 64]], rtol=1e-5)
    np.testing.assert_allclose(found.probabilities, [[0.72, 0]], rtol=1e-5)


def test_threshold_is_strict_and_nan_never_passes() -> None:
    """An objectness equal to the threshold is dropped."""
    layer, out = one_box("new_coords=1", [0, 0, 0, 0, 0.5, 1, 1])

    assert len(layer.decode(out, input_shape=layer.shape, thresh=0.5)) == 0
    assert len(layer.decode(np.full_like(out, np.nan), input_shape=layer.shape, thresh=0.5)) == 0


def test_short_anchor_lists_are_filled_with_halves() -> None:
    """0.5 is Darknet's initial value."""
    net = network("yolo classes=2 num=2 anchors=10,20", channels=14)

    assert net.layers[0].anchors == ((10, 20), (0.5, 0.5))


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ("yolo classes=3 num=2", "14 input channels .* expected 16: filters=16"),
        ("yolo classes=2 num=3 mask=1,5", "mask=1,5 of 3 anchors"),
    ],
)
def test_what_cannot_be_built_is_named(options: str, found: str) -> None:
    """The message gives the number of filters that the previous layer should have."""
    with pytest.raises(CfgError, match=found):
        network(options, channels=14)
