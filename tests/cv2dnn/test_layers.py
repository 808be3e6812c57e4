"""Layers, names and counts equal those of OpenCV 4 on small networks."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.cv2dnn.cases import CASES, LAYERS, blob, require_opencv_4, written
from yolodsc import cv2dnn

UNDEFINED = {"scale_channels"}
"""Cases that OpenCV itself runs for single images only."""


@pytest.fixture(autouse=True)
def _opencv_4() -> None:
    require_opencv_4()


@pytest.mark.parametrize("name", CASES)
def test_outputs_equal_opencv(name: str, tmp_path: Path) -> None:
    """Of one image and of two: values, shapes and types; `readNet` takes the files in either order."""
    files = written(name, tmp_path)
    expected, net = cv2.dnn.readNet(*files), cv2dnn.readNet(*reversed(files))

    for count in (1,) if name in UNDEFINED else (1, 2):
        x = blob(count, 4, 8, 12)
        for one in (expected, net):
            one.setInput(x)
        names = expected.getUnconnectedOutLayersNames()

        assert net.getUnconnectedOutLayersNames() == names
        for ours, theirs in zip(net.forward(names), expected.forward(names), strict=True):
            assert (ours.shape, ours.dtype) == (theirs.shape, theirs.dtype)
            np.testing.assert_allclose(ours, theirs, atol=1e-4)
        np.testing.assert_array_equal(net.forward(), net.forward(names)[-1])


def test_the_layers_of_opencvs_own_tests_are_all_here() -> None:
    """Nineteen single-layer tests of the importer; two of its routes are one test there."""
    assert len(LAYERS) == 19


@pytest.mark.parametrize("name", CASES)
def test_names_ids_and_costs_equal_opencv(name: str, tmp_path: Path) -> None:
    """Of all layers, inner ones included."""
    files = written(name, tmp_path)
    expected, net = cv2.dnn.readNetFromDarknet(*files), cv2dnn.readNetFromDarknet(*files)
    shape = (1, 4, 8, 12)

    assert net.getLayerNames() == expected.getLayerNames()
    assert net.getUnconnectedOutLayers().tolist() == expected.getUnconnectedOutLayers().tolist()
    assert net.getLayerTypes() == expected.getLayerTypes()
    assert net.getLayersCount("Convolution") == expected.getLayersCount("Convolution")
    for layer in net.getLayerNames():
        assert net.getLayerId(layer) == expected.getLayerId(layer)
        assert net.getLayer(layer).type == expected.getLayer(layer).type
        blobs = [array.shape for array in expected.getLayer(layer).blobs]
        if not layer.startswith(("yolo", "detection", "adjust")):
            assert [array.shape for array in net.getLayer(layer).blobs] == blobs
    if "avgpool" not in " ".join(CASES[name]):  # OpenCV's count changes with its first run
        assert net.getFLOPS(shape) == expected.getFLOPS(shape)
        assert net.getFLOPS(1, shape) == expected.getFLOPS(1, shape)
    if name not in ("crop", "maxpool", "pools"):  # OpenCV counts constants of a crop, and indices of a pool that is an output
        assert net.getMemoryConsumption(shape) == expected.getMemoryConsumption(shape)


@pytest.mark.parametrize(
    "name", ["convolutional", "grouped", "shortcut_leaky", "yolo", "half", "concatenation", "sam", "classifier"]
)
def test_inner_layers_equal_opencv(name: str, tmp_path: Path) -> None:
    """A convolution before batch norm and before its activation, permutations, slices and the rest."""
    files = written(name, tmp_path)
    net = cv2dnn.readNetFromDarknet(*files)
    x = blob(1, 4, 8, 12)
    net.setInput(x)

    for layer in net.getLayerNames():
        fresh = cv2.dnn.readNetFromDarknet(*files)  # OpenCV's results change once another layer was asked for
        fresh.enableFusion(False)
        fresh.setInput(x)
        theirs = fresh.forward(layer)
        ours = net.forward(layer)
        assert ours.shape == theirs.shape
        np.testing.assert_allclose(ours, theirs, atol=1e-4, err_msg=layer)


def test_slices_of_several_sources_equal_opencv(tmp_path: Path) -> None:
    """A route of groups over two layers is three of OpenCV's layers; OpenCV joins them in the order of the layers' numbers."""
    files = written("route_multi", tmp_path)
    expected, net = cv2.dnn.readNetFromDarknet(*files), cv2dnn.readNetFromDarknet(*files)
    x = blob(1, 4, 8, 12)
    names = ["slice_2", "slice_3", "concat_4"]
    for one in (expected, net):
        one.setInput(x)

    for ours, theirs in zip(net.forward(names), expected.forward(names), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)


@pytest.mark.parametrize("size", [(16, 20), (8, 12), (24, 8)])
def test_blobs_of_any_size_run(size: tuple[int, int], tmp_path: Path) -> None:
    """Also one after the other on the same net; sizes of boxes are relative to the blob."""
    files = written("yolo_default", tmp_path)
    net = cv2dnn.readNetFromDarknet(*files)
    net.setInput(blob(1, 4, 8, 12))
    net.forward()
    expected = cv2.dnn.readNetFromDarknet(*files)
    for one in (expected, net):
        one.setInput(blob(2, 4, *size))

    np.testing.assert_allclose(net.forward(), expected.forward(), atol=1e-4)
    assert net.getFLOPS((1, 4, *size)) == expected.getFLOPS((1, 4, *size))


@pytest.mark.parametrize("kind", [np.float32, np.uint8])
def test_set_input_scales_and_shifts_as_opencv(kind: type, tmp_path: Path) -> None:
    """(blob - mean) * scale, of real numbers and of bytes; the caller's blob stays."""
    files = written("relu", tmp_path)
    expected, net = cv2.dnn.readNetFromDarknet(*files), cv2dnn.readNetFromDarknet(*files)
    x = np.random.default_rng(0).integers(0, 255, (1, 4, 8, 12)).astype(kind)
    before = x.copy()
    for one in (expected, net):
        one.setInput(x, "", 1 / 255, (10, 20, 30, 40))

    np.testing.assert_allclose(net.forward(), expected.forward(), atol=1e-5)
    np.testing.assert_array_equal(x, before)


@pytest.mark.parametrize("kind", [bytes, bytearray, lambda content: np.frombuffer(content, np.uint8)])
def test_buffers_equal_files(kind: type, tmp_path: Path) -> None:
    """The bytes of both files, as any kind of buffer."""
    files = written("yolo", tmp_path)
    net = cv2dnn.readNetFromDarknet(*files)
    other = cv2dnn.readNetFromDarknet(*(kind(Path(file).read_bytes()) for file in files))
    for one in (net, other):
        one.setInput(blob(1, 4, 8, 12))

    np.testing.assert_array_equal(net.forward(), other.forward())


def test_shapes_of_layers_equal_opencv(tmp_path: Path) -> None:
    """`getLayersShapes` of a batch."""
    files = written("two_heads", tmp_path)
    shape = (2, 4, 16, 8)

    ids, inputs, outputs = cv2dnn.readNetFromDarknet(*files).getLayersShapes(shape)
    expected = cv2.dnn.readNetFromDarknet(*files).getLayersShapes(shape)

    assert ids.tolist() == expected[0].tolist()
    for ours, theirs in zip((inputs, outputs), expected[1:], strict=True):
        assert [[one.tolist() for one in layer] for layer in ours] == [[one.tolist() for one in layer] for layer in theirs]
