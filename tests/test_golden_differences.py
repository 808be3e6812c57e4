"""Small networks made to find differences from AlexeyAB's Darknet: every layer, box and BFLOP, on every executor."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import GOLDEN
from tests.test_golden_micro import on_reference, same_boxes
from yolodsc import engine
from yolodsc.arrays import Array
from yolodsc.detection.detector import Detector
from yolodsc.images.image import Placement, letterboxed
from yolodsc.network.layers.region import RegionLayer
from yolodsc.network.network import Network

FOLDER = GOLDEN / "differences"
CASES = sorted(path.stem for path in FOLDER.glob("*.cfg"))
EXCEPTIONS = {
    "1x1_padding1": "Darknet reads beyond the input",
    "route_of_antialiased": "Darknet reads beyond the output of the layer that it routes",
    "shortcut_from_narrower": "Darknet reads beyond the output of the narrower layer",
    "silu": "Darknet runs ReLU under this name; swish is run",
}
"""Cases that differ, as `docs/darknet.md` says."""

WITHOUT_RESULTS = ("route_comment_comma", "route_trailing_comma", "silu")
"""Cases of which Darknet's table of layers is known, but no numbers."""

WITH_BOXES = "detection_letterbox letterbox_yolo region_background region_coords5 two_heads_nms yolo_then_region".split()

WITH_BFLOPS = sorted(set(CASES) - {"route_of_antialiased", "xnor_c8", "xnor_c32", "xnor_c64"} - set(WITHOUT_RESULTS))

SIDE = 500
"""Height and width of the image that the golden boxes belong to."""

Execute = Callable[[Network, Array], Sequence[Array]]


def on_engine(network: Network, x: Array, *, threads: int, isa: str | None) -> Sequence[Array]:
    """Every layer's output on an executor of the engine."""
    with engine.compile(network, threads=threads, isa=isa, outputs=range(len(network.layers))) as runner:
        outputs = runner(x)
    return [outputs[index] for index in range(len(network.layers))]


EXECUTORS = {
    "reference": on_reference,
    **{f"engine {n}": partial(on_engine, threads=n, isa=None) for n in (1, 2)},
    **{f"FastDSC {n}": partial(on_engine, threads=n, isa="none") for n in (1, 2)},
}


def load(name: str) -> Network:
    """A case's network."""
    return Network.load(FOLDER / f"{name}.cfg", FOLDER / f"{name}.weights")


def golden(name: str) -> dict[str, Array]:
    """What Darknet computes for a case."""
    with np.load(FOLDER / f"{name}.npz") as file:
        return dict(file)


def layers_agree(name: str, execute: Execute) -> bool:
    """Whether every layer is within 1e-5 of the largest number of Darknet's."""
    network, expected = load(name), golden(name)
    for layer, output in zip(network.layers, execute(network, expected["picture"]), strict=True):
        flat = output.reshape(len(output), -1).T.ravel() if isinstance(layer, RegionLayer) else output.ravel()
        darknets = expected[f"layer_{layer.index}"]
        if flat.shape != darknets.shape or np.abs(flat - darknets).max() >= 1e-5 * np.abs(darknets).max():
            return False
    return True


@pytest.mark.parametrize("executor", EXECUTORS)
@pytest.mark.parametrize("name", sorted(set(CASES) - set(EXCEPTIONS) - set(WITHOUT_RESULTS)))
def test_every_layer_equals_darknet(name: str, executor: str) -> None:
    """Within 1e-5 of the layer's largest number."""
    assert layers_agree(name, EXECUTORS[executor])


@pytest.mark.parametrize("name", sorted(set(EXCEPTIONS) - set(WITHOUT_RESULTS)))
def test_exceptions_still_differ_and_say_so(name: str) -> None:
    """A case that became equal is no exception any more; a network that differs has a note on it."""
    assert not layers_agree(name, on_reference), f"{name} equals Darknet: take it off the list"
    assert any("Darknet" in note for note in load(name).notes)


def test_silu_is_swish_with_a_note_of_darknets_reading() -> None:
    """The outputs are those of the same network with swish, not those of Darknet, which runs ReLU."""
    silu = load("silu")
    swish, relu = (
        silu.with_sections(
            [one.replaced(activation=name) if one.text("activation") == "silu" else one for one in silu.cfg.sections], silu.weights
        )
        for name in ("swish", "relu")
    )
    x = np.random.default_rng(0).random(silu.input_shape).astype(np.float32)

    outputs = [network.forward(x)[-1] for network in (silu, swish, relu)]

    np.testing.assert_array_equal(outputs[0], outputs[1])
    assert (outputs[0] != outputs[2]).any()
    (note,) = [note for note in silu.notes if "silu" in note]
    assert note.endswith("Darknet does not know the name and runs ReLU: activation=relu gives Darknet's boxes")
    assert "silu.cfg:13: [convolutional] activation=silu is run as swish" in note


@pytest.mark.parametrize("name", ["route_comment_comma", "route_trailing_comma"])
def test_every_comma_of_a_route_counts(name: str) -> None:
    """The weights fit only with layer 0 as the second source; a note tells of it."""
    network = load(name)

    assert network.layers[2].sources == (1, 0)
    assert network.layers[3].inputs[0].channels == 16
    assert any("every comma" in note for note in network.notes)


@pytest.mark.slow
@pytest.mark.parametrize("executor", EXECUTORS)
@pytest.mark.parametrize("name", WITH_BOXES)
def test_boxes_equal_darknets(name: str, executor: str) -> None:
    """Same classes, boxes and scores after suppression; boxes of [detection] keep the letterbox."""
    network, expected = load(name), golden(name)
    detector = Detector(network, thresh=0.1, nms_thresh=0.45)
    outputs = dict(enumerate(EXECUTORS[executor](network, expected["picture"])))

    found = detector.detections(outputs, placement(network), width=SIDE, height=SIDE)

    class_, score, x, y, w, h, objectness = expected["detections"].T
    size = SIDE if network.heads[-1].type == "detection" else 1
    rows = np.stack([class_, score, objectness, x / size, y / size, w / size, h / size], axis=1)
    same_boxes(found, rows, tolerance=1e-4)


def placement(network: Network) -> Placement:
    """Where the image lies in the network's input."""
    if not network.letter_box:
        return Placement()
    (_, net_h, net_w), (width, height) = network.input_shape, letterboxed(SIDE, SIDE, network.input_shape)
    return Placement((width / net_w, height / net_h), ((net_w - width) / 2 / net_w, (net_h - height) / 2 / net_h))


@pytest.mark.parametrize("name", WITH_BFLOPS)
def test_bflops_equal_darknets(name: str) -> None:
    """Layer by layer, to single precision."""
    np.testing.assert_allclose([layer.bflops() for layer in load(name).layers], golden(name)["bflops"], rtol=1e-6, atol=0)


def test_exceptions_are_documented() -> None:
    """By name, in the page on differences."""
    page = (Path(__file__).parents[1] / "docs/darknet.md").read_text()

    assert all(f"`{name}`" in page for name in EXCEPTIONS)
    assert set(EXCEPTIONS) < set(CASES)
