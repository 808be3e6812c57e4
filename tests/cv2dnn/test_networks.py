"""Rows and scores of trained networks equal those of OpenCV 4, and so do boxes of its detection model."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from tests.cv2dnn.cases import require_opencv_4
from yolodsc import cv2dnn
from yolodsc.arrays import Array

NETWORKS = """
mobilenetv2-yolo-fastest-voc-v1 mobilenetv2-yolov3-nano-voc number-lenet-classifier yolo-fastest-1.1-coco yolo-fastest-1.1-xl-coco
yolo-fastest-voc yolo-fastest-xl-voc yoloface-500k-v1 yoloface-50k yololite-coco-trial6-653550 yololite-voc-trial3-bn
yololite-voc-trial3-nobn yolov3-tiny-aix2022 yolov4-tiny-aix2023
""".split()


@pytest.fixture(autouse=True)
def _opencv_4() -> None:
    require_opencv_4()


def pair(shared: Path, name: str) -> tuple[str, str]:
    """The files of a network."""
    folder = shared / "data/models" / name
    return str(folder / f"{name}.cfg"), str(folder / f"{name}.weights")


def photograph(shared: Path, net: cv2dnn.Net) -> Array:
    """A photograph as the blob of a net, without and with a flip."""
    assert net.network is not None
    channels, height, width = net.network.input_shape
    image: Any = cv2.imread(str(shared / "data/images/dog.jpg"), cv2.IMREAD_COLOR if channels == 3 else cv2.IMREAD_GRAYSCALE)
    one = cv2.dnn.blobFromImage(image, 1 / 255, (width, height), swapRB=channels == 3)
    return np.concatenate([one, one[..., ::-1]])


@pytest.mark.slow
@pytest.mark.parametrize("name", NETWORKS)
def test_rows_of_trained_networks_equal_opencv(name: str, shared: Path) -> None:
    """All outputs of one image and of two, in OpenCV's order, within 1e-4; the same scores survive the threshold."""
    files = pair(shared, name)
    expected, net = cv2.dnn.readNetFromDarknet(*files), cv2dnn.readNetFromDarknet(*files)
    images = photograph(shared, net)
    names = expected.getUnconnectedOutLayersNames()

    assert net.getLayerNames() == expected.getLayerNames()
    assert net.getUnconnectedOutLayersNames() == names
    assert net.getFLOPS(images.shape) == expected.getFLOPS(images.shape)
    for count in (1, 2):
        for one in (expected, net):
            one.setInput(images[:count])
        for ours, theirs in zip(net.forward(names), expected.forward(names), strict=True):
            assert (ours.shape, ours.dtype) == (theirs.shape, theirs.dtype)
            np.testing.assert_allclose(ours, theirs, atol=1e-4)
            np.testing.assert_array_equal(ours[..., 5:] > 0, theirs[..., 5:] > 0)


@pytest.mark.parametrize("across", [False, True])
@pytest.mark.parametrize("name", ["yolo-fastest-1.1-coco", "mobilenetv2-yolov3-nano-voc", "yololite-voc-trial3-bn"])
def test_boxes_of_the_detection_model_equal_opencv(name: str, across: bool, shared: Path) -> None:
    """Class ids, confidences and boxes in whole pixels, in the same order; ``[region]`` suppresses nothing itself."""
    image: Any = cv2.imread(str(shared / "data/images/dog.jpg"))
    found = []
    for module in (cv2.dnn, cv2dnn):
        model = module.DetectionModel(*pair(shared, name))
        model.setInputParams(size=(320, 320), scale=1 / 255, swapRB=True)
        model.setNmsAcrossClasses(across)
        found.append([model.detect(image, confThreshold=thresh, nmsThreshold=nms) for thresh, nms in ((0.2, 0.4), (0.3, 0.0))])

    for theirs, ours in zip(*found, strict=True):
        assert len(theirs[0])
        np.testing.assert_array_equal(ours[0], theirs[0])
        np.testing.assert_allclose(ours[1], theirs[1], atol=1e-4)
        np.testing.assert_allclose(ours[2], theirs[2], atol=1)
        assert [part.dtype for part in ours] == [part.dtype for part in theirs]


def test_nothing_found_is_three_empty_tuples(shared: Path) -> None:
    """As OpenCV's bindings return empty lists."""
    black = np.zeros((100, 100, 3), np.uint8)
    for module in (cv2.dnn, cv2dnn):
        model = module.DetectionModel(*pair(shared, "yolo-fastest-voc"))
        model.setInputParams(size=(320, 320), scale=1 / 255)
        assert model.detect(black, confThreshold=0.9, nmsThreshold=0.4) == ((), (), ())


@pytest.mark.parametrize("softmax", [False, True])
def test_classes_of_the_classification_model_equal_opencv(softmax: bool, shared: Path) -> None:
    """With and without the softmax after the network."""
    image: Any = cv2.imread(str(shared / "data/images/dog.jpg"))
    found = []
    for module in (cv2.dnn, cv2dnn):
        model = module.ClassificationModel(*reversed(pair(shared, "number-lenet-classifier")))
        model.setInputSize((32, 32)).setInputScale(1 / 255).setInputSwapRB(True).setInputMean((1, 2, 3))
        model.setEnableSoftmaxPostProcessing(softmax)
        found.append(model.classify(image))

    assert found[0][0] == found[1][0]
    assert found[0][1] == pytest.approx(found[1][1], abs=1e-4)
