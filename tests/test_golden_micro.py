"""36 tiny networks, one a feature, against what AlexeyAB's Darknet computes for every layer and box."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from tests.conftest import GOLDEN
from yolodsc import engine
from yolodsc.arrays import Array
from yolodsc.detection.detections import Detections
from yolodsc.detection.detector import Detector
from yolodsc.images.image import Placement, letterboxed
from yolodsc.network.boxes import to_xywh
from yolodsc.network.layers.convolutional import ConvolutionalLayer
from yolodsc.network.layers.maxpool import MaxpoolLayer
from yolodsc.network.layers.region import RegionLayer
from yolodsc.network.network import Network

NAMES = sorted(path.stem for path in (GOLDEN / "micro").glob("*.cfg"))
WITH_BOXES = "yolo-v3 yolo-v4 yolo-diounms yolo-new-coords gaussian-yolo region-v2 region-v2-nosoftmax".split()
WIDTH, HEIGHT = 100, 76
"""Size of the image that the golden boxes are relative to."""

Execute = Callable[[Network, Array], Sequence[Array]]


def on_reference(network: Network, x: Array) -> Sequence[Array]:
    """Every layer's output on the plain kernels."""
    return network.forward(x)


def on_engine(network: Network, x: Array) -> Sequence[Array]:
    """Every layer's output on the fast executor."""
    with engine.compile(network, threads=2, outputs=range(len(network.layers))) as runner:
        outputs = runner(x)
    return [outputs[index] for index in range(len(network.layers))]


def load(name: str) -> tuple[Network, dict[str, Array]]:
    """A micro network and its golden results."""
    stem = GOLDEN / "micro" / name
    with np.load(f"{stem}.npz") as file:
        return Network.load(f"{stem}.cfg", f"{stem}.weights"), dict(file)


def comparable(network: Network, index: int) -> bool:
    """Whether Darknet's buffer holds the layer's output: not that of [cost] (a loss) or before the blur of antialiasing."""
    layer = network.layers[index]
    blurred = isinstance(layer, ConvolutionalLayer | MaxpoolLayer) and layer.antialiasing
    return layer.type != "cost" and not blurred


@pytest.mark.parametrize("execute", [on_reference, on_engine])
@pytest.mark.parametrize("name", NAMES)
def test_every_layer_equals_darknet(name: str, execute: Execute) -> None:
    """Within 1e-5 of the layer's largest number."""
    network, golden = load(name)

    outputs = execute(network, golden["input"])

    for index in filter(lambda i: comparable(network, i), range(len(outputs))):
        expected, output = golden[f"layer{index:03d}"], outputs[index]
        if isinstance(network.layers[index], RegionLayer):
            output = output.reshape(len(output), -1).T  # Darknet's buffer goes cell by cell
        error = np.abs(output.ravel() - expected.ravel()).max() / max(np.abs(expected).max(), 1e-6)
        assert error < 1e-5, f"layer {index} [{network.layers[index].type}]"


@pytest.mark.slow
@pytest.mark.parametrize("execute", [on_reference, on_engine])
@pytest.mark.parametrize("nms", [0, 1])
@pytest.mark.parametrize("letter", [0, 1])
@pytest.mark.parametrize("name", WITH_BOXES)
def test_boxes_equal_darknets(name: str, letter: int, nms: int, execute: Execute) -> None:
    """Same classes, boxes and scores within 1e-4, letterboxed and not, with and without suppression.

    Darknet's programming interface reports no boxes of [detection], whose tests are by hand.
    """
    network, golden = load(name)
    detector = Detector(network, thresh=0.24, nms_thresh=0.45 if nms else 1)

    found = detector.detections(
        dict(enumerate(execute(network, golden["input"]))), placement(network, letter), width=WIDTH, height=HEIGHT
    )

    same_boxes(found, golden[f"dets_letter{letter}_nms{nms}"], tolerance=1e-4)


def placement(network: Network, letter: int) -> Placement:
    """Where an image of the golden size lies in the network's input."""
    if not letter:
        return Placement()
    (_, net_h, net_w), (width, height) = network.input_shape, letterboxed(WIDTH, HEIGHT, network.input_shape)
    return Placement((width / net_w, height / net_h), ((net_w - width) / 2 / net_w, (net_h - height) / 2 / net_h))


def same_boxes(found: Detections, golden: Array, *, tolerance: float) -> None:
    """Each golden row (class, score, objectness, x, y, w, h) has a detection of its own, and there are no others."""
    relative = to_xywh(found.boxes_xyxy) / np.float32([found.width, found.height] * 2)
    rows = np.column_stack([found.class_ids, found.scores, relative])
    expected = golden[:, [0, 1, 3, 4, 5, 6]]
    assert len(rows) == len(expected)
    free = np.ones(len(rows), bool)
    for row in expected:
        distance = np.where(free & (rows[:, 0] == row[0]), np.abs(rows[:, 1:] - row[1:]).max(axis=1), np.inf)
        assert distance.min() < tolerance
        free[distance.argmin()] = False
