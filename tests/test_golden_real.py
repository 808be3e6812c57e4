"""Real networks on real images against AlexeyAB's Darknet; needs the reference material."""

from pathlib import Path

import numpy as np
import pytest

from tests.conftest import SHARED
from tests.test_golden_micro import same_boxes
from yolodsc.detection.detector import Detector
from yolodsc.images.image import fit, read_image
from yolodsc.network.layers.region import RegionLayer
from yolodsc.network.network import Network

CASES = sorted(path.stem for path in (SHARED / "data/golden/real").glob("*.npz"))


@pytest.mark.slow
@pytest.mark.skipif(not CASES, reason=f"needs the reference material in {SHARED}")
@pytest.mark.parametrize("case", CASES or ["none"])
def test_heads_and_boxes_equal_darknets(case: str, shared: Path) -> None:
    """Head outputs within 1e-5 of their largest number; the same boxes at threshold 0.05, scores and corners within 1e-3."""
    model, image_name, geometry = case.split("__")
    files = shared / "data/models" / model / model
    network = Network.load(f"{files}.cfg", f"{files}.weights")
    detector = Detector(network, thresh=0.05, geometry=geometry)
    image = read_image(shared / f"data/golden/real/images/{image_name}.png", channels=network.input_shape.channels)
    with np.load(shared / f"data/golden/real/{case}.npz") as file:
        golden = dict(file)

    fitted, _ = fit(image, network.input_shape, profile=network.profile, geometry=geometry)
    outputs = detector.head_outputs(fitted)

    for index, output in outputs.items():
        expected = golden[f"layer{index:03d}"]
        flat = output.reshape(len(output), -1).T if isinstance(network.layers[index], RegionLayer) else output
        assert np.abs(flat.ravel() - expected.ravel()).max() < 1e-5 * np.abs(expected).max()
    same_boxes(detector(image), golden["detections"], tolerance=1e-3)


@pytest.mark.slow
@pytest.mark.skipif(not CASES, reason=f"needs the reference material in {SHARED}")
@pytest.mark.parametrize("model", sorted({case.split("__")[0] for case in CASES}) or ["none"])
def test_every_layer_of_the_reference_has_darknets_statistics(model: str, shared: Path) -> None:
    """Size, mean, deviation and 16 samples of every layer that Darknet keeps in its buffer."""
    case = next(name for name in CASES if name.startswith(f"{model}__"))
    files = shared / "data/models" / model / model
    network = Network.load(f"{files}.cfg", f"{files}.weights")
    _, image_name, geometry = case.split("__")
    image = read_image(shared / f"data/golden/real/images/{image_name}.png", channels=network.input_shape.channels)
    fitted, _ = fit(image, network.input_shape, profile=network.profile, geometry=geometry)
    with np.load(shared / f"data/golden/real/{case}.npz") as file:
        stats = file["layer_stats"]

    outputs = network.forward(fitted)

    for layer, output, row in zip(network.layers, outputs, stats, strict=True):
        flat = (output.reshape(len(output), -1).T if isinstance(layer, RegionLayer) else output).ravel()
        samples = flat[np.linspace(0, flat.size - 1, 16).astype(int)]
        assert flat.size == row[0]
        np.testing.assert_allclose(samples, row[4:], atol=2e-5 * max(np.abs(flat).max(), 1e-3), rtol=1e-3)
        np.testing.assert_allclose([flat.mean(), flat.std()], row[1:3], atol=1e-4 * max(np.abs(flat).max(), 1e-3))
