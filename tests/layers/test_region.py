"""[region]: YOLOv2, and the tree of YOLO9000."""

from pathlib import Path

import numpy as np
import pytest

from tests.networks import network
from yolodsc.darknet.profile import ALEXEYAB, PJREDDIE, Profile
from yolodsc.errors import CfgError


def test_box_of_one_cell() -> None:
    """Anchors are in grid cells; classes compete."""
    net = network("region classes=2 num=1 anchors=1.5,2 softmax=1", channels=7, height=2, width=4)
    (layer,) = net.layers
    raw = np.full((7, 2, 4), -9, np.float32)
    raw[:, 1, 3] = [0.3, -0.2, 0.1, 0.2, 2, 1, 0]

    found = layer.decode(layer.forward([raw], {}), input_shape=net.input_shape, thresh=0.2)

    sigmoid = lambda v: 1 / (1 + np.exp(-v))  # noqa: E731
    expected = [[(3 + sigmoid(0.3)) / 4, (1 + sigmoid(-0.2)) / 2, np.exp(0.1) * 1.5 / 4, np.exp(0.2) * 2 / 2]]
    np.testing.assert_allclose(found.boxes_xywh, expected, rtol=1e-5)
    np.testing.assert_allclose(found.probabilities, sigmoid(2) * np.array([[sigmoid(1), sigmoid(-1)]]), rtol=1e-5)


@pytest.mark.parametrize(("profile", "score"), [(ALEXEYAB, 3.0), (PJREDDIE, 1 / (1 + np.exp(-3.0)))])
def test_without_softmax_the_profile_decides(profile, score: float) -> None:
    """AlexeyAB leaves class scores raw, pjreddie applies the logistic function."""
    net = network("region classes=1 num=1 anchors=1,1", channels=6, height=1, width=1, profile=profile)
    raw = np.float32([0, 0, 0, 0, 0, 3]).reshape(6, 1, 1)

    out = net.layers[0].forward([raw], {})

    np.testing.assert_allclose(out[5, 0, 0], score, rtol=1e-6)


def test_tree_reports_the_deepest_probable_class(tmp_path: Path) -> None:
    """Probabilities are products down the tree; the last class above one half wins."""
    tree = tmp_path / "t.tree"
    tree.write_text("animal -1\nthing -1\ncat 0\ndog 0\n")
    net = network(f"region classes=4 num=1 anchors=1,1 softmax=1 tree={tree}", channels=9, height=1, width=1)
    (layer,) = net.layers
    raw = np.float32([0, 0, 0, 0, 5, 4, 0, 0, 3]).reshape(9, 1, 1)

    found = layer.decode(layer.forward([raw], {}), input_shape=net.input_shape, thresh=0.2)

    animal, dog = 1 / (1 + np.exp(-4)), 1 / (1 + np.exp(-3))
    np.testing.assert_allclose(found.probabilities, [[0, 0, 0, animal * dog]], rtol=1e-5)


def test_map_reports_the_mapped_classes(tmp_path: Path) -> None:
    """Class i of the result is the tree's class map[i], with objectness times probability."""
    tree, mapped = tmp_path / "t.tree", tmp_path / "t.map"
    tree.write_text("animal -1\nthing -1\ncat 0\ndog 0\n")
    mapped.write_text("3\n1\n")
    net = network(f"region classes=4 num=1 anchors=1,1 softmax=1 tree={tree} map={mapped}", channels=9, height=1, width=1)
    (layer,) = net.layers
    raw = np.float32([0, 0, 0, 0, 5, 4, 0, 0, 3]).reshape(9, 1, 1)

    found = layer.decode(layer.forward([raw], {}), input_shape=net.input_shape, thresh=0.2)

    assert layer.reported == 2
    expected = 1 / (1 + np.exp(-5)) / (1 + np.exp(-4)) / (1 + np.exp(-3))
    np.testing.assert_allclose(found.probabilities, [[expected, 0]], rtol=1e-5)


def test_channels_that_do_not_fit_are_refused() -> None:
    """The message gives the number of filters that the previous layer should have."""
    with pytest.raises(CfgError, match="expected 125: filters=125"):
        network("region classes=20 num=5", channels=120)


@pytest.mark.parametrize(
    ("profile", "objectness"), [(ALEXEYAB, 1 / (1 + np.exp(-2.0))), (PJREDDIE, np.exp(2) / (np.exp(2) + np.exp(1) + 1))]
)
def test_background_is_pjreddies(profile: Profile, objectness: float) -> None:
    """In pjreddie's program the objectness competes with the classes; AlexeyAB ignores the option."""
    net = network("region classes=2 num=1 anchors=1,1 softmax=1 background=1", channels=7, height=1, width=1, profile=profile)
    raw = np.float32([0, 0, 0, 0, 2, 1, 0]).reshape(7, 1, 1)

    out = net.layers[0].forward([raw], {})

    np.testing.assert_allclose(out[4, 0, 0], objectness, rtol=1e-6)


@pytest.mark.parametrize(("profile", "entry"), [(ALEXEYAB, 4), (PJREDDIE, 5)])
def test_the_objectness_stands_behind_four_or_all_coordinates(profile: Profile, entry: int) -> None:
    """In AlexeyAB's program it is entry 4 for any ``coords``."""
    net = network("region classes=1 num=1 anchors=1,1 coords=5 softmax=1", channels=7, height=1, width=1, profile=profile)
    raw = np.zeros((7, 1, 1), np.float32)

    out = net.layers[0].forward([raw], {})

    assert np.flatnonzero(out.ravel() == 0.5).tolist() == [entry]


@pytest.mark.parametrize(("profile", "count"), [(ALEXEYAB, 1), (PJREDDIE, 2)])
def test_classfix_drops_boxes_of_little_objectness(profile: Profile, count: int) -> None:
    """In AlexeyAB's program classfix=-1 requires an objectness of one half."""
    net = network("region classes=1 num=1 anchors=1,1 softmax=1 classfix=-1", channels=6, height=1, width=2, profile=profile)
    (layer,) = net.layers
    raw = np.zeros((6, 1, 2), np.float32)
    raw[4] = [-0.1, 0.1]

    found = layer.decode(layer.forward([raw], {}), input_shape=net.input_shape, thresh=0.2)

    assert len(found) == count
