"""[detection]: the flat vector of YOLOv1."""

import numpy as np
import pytest

from tests.networks import network
from yolodsc.darknet.profile import ALEXEYAB, OPENCV, PJREDDIE, Profile
from yolodsc.detection.network_input import default_geometry
from yolodsc.errors import CfgError


def test_boxes_of_a_cell_share_its_classes() -> None:
    """Classes, confidences and boxes follow each other; sizes are squared with sqrt=1."""
    net = network("detection classes=2 coords=4 num=2 side=2 sqrt=1", channels=48, height=1, width=1)
    (layer,) = net.layers
    vector = np.zeros(48, np.float32)
    vector[2 * 2 : 2 * 2 + 2] = [0.5, 0.9]  # classes of cell 2: row 1, column 0
    vector[8 + 2 * 2 + 1] = 0.8  # confidence of its second box
    vector[16 + (2 * 2 + 1) * 4 :][:4] = [0.25, 0.5, 0.6, 0.7]

    found = layer.decode(layer.forward([vector.reshape(48, 1, 1)], {}), input_shape=net.input_shape, thresh=0.3)

    np.testing.assert_allclose(found.boxes_xywh, [[0.25 / 2, 1.5 / 2, 0.36, 0.49]], rtol=1e-5)
    np.testing.assert_allclose(found.probabilities, [[0.4, 0.72]], rtol=1e-5)


def test_vectors_that_do_not_fit_are_refused() -> None:
    """The message gives the expected length."""
    with pytest.raises(CfgError, match="expected 1470"):
        network("detection classes=20 coords=4 num=2 side=7", channels=100, height=1, width=1)


@pytest.mark.parametrize("profile", [ALEXEYAB, PJREDDIE, OPENCV])
def test_images_are_stretched_unless_the_cfg_letterboxes(profile: Profile) -> None:
    """The yolo command of pjreddie stretches them, too; no program undoes the letterbox of these boxes."""
    net = network("detection classes=2 coords=4 num=2 side=2", channels=48, height=1, width=1, profile=profile)

    assert default_geometry(net) == "stretch"
