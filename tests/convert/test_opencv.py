"""Written files in OpenCV's importers."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.conftest import GOLDEN, SHARED
from tests.convert.files import pair_of
from tests.networks import network
from yolodsc import engine
from yolodsc.convert.batch_norm import fold_batch_norm
from yolodsc.convert.formats import read_model, write_model
from yolodsc.convert.partial import first_layers
from yolodsc.convert.separable import fold_separable
from yolodsc.decompose.driver import decompose
from yolodsc.decompose.settings import DecomposeSettings
from yolodsc.network.network import Network

REGULAR = """
convolutional filters=8 size=3 stride=2 pad=1 batch_normalize=1 activation=leaky
convolutional filters=12 size=3 pad=1 batch_normalize=1 activation=leaky
convolutional filters=12 size=3 pad=1 activation=leaky
shortcut from=-2 activation=linear
maxpool size=2 stride=2
convolutional filters=16 size=5 pad=1 activation=relu
convolutional filters=14 size=1 activation=linear
yolo classes=2 num=2 mask=0,1 anchors=1,2,3,4
route layers=-3
upsample stride=2
route layers=-1,3
convolutional filters=14 size=3 pad=1 activation=linear
yolo classes=2 num=2 mask=0,1 anchors=1,2,3,4
"""
SEPARABLE = """
convolutional filters=3 groups=3 size=3 pad=1 batch_normalize=1 activation=linear
convolutional filters=8 size=1 batch_normalize=1 activation=leaky
convolutional filters=8 groups=8 size=3 stride=2 pad=1 activation=linear
convolutional filters=8 size=1 activation=relu
"""
METHODS = ["weights", "paper-compensated", "als", "pdp", "bs", "channel"]


@pytest.fixture
def dnn() -> Any:
    """Return OpenCV's dnn module if its version reads Darknet files."""
    dnn = pytest.importorskip("cv2").dnn
    if not hasattr(dnn, "readNetFromDarknet"):
        pytest.skip("this OpenCV reads no Darknet files")
    return dnn


def assert_opencv_agrees(dnn: Any, cfg: Path) -> None:
    """Compare the inputs of the heads, or the output of a network without heads, within 1e-4 of the largest number."""
    made = Network.load(cfg, cfg.with_suffix(".weights"))
    x = np.random.default_rng(0).uniform(0, 1, made.input_shape).astype(np.float32)
    sources = {f"conv_{head.sources[0]}": head.sources[0] for head in made.heads} or {"": made.output}
    with engine.compile(made, threads=1, outputs=list(sources.values())) as runner:
        expected = runner(x)

    reader = dnn.readNetFromDarknet(str(cfg), str(cfg.with_suffix(".weights")))
    reader.setInput(x[None])
    for name, index in sources.items():
        found = (reader.forward(name) if name else reader.forward())[0]
        assert np.abs(found - expected[index]).max() < 1e-4 * np.abs(expected[index]).max()


@pytest.mark.parametrize("method", METHODS)
def test_decomposed_pairs_give_the_engines_outputs(method: str, dnn: Any, tmp_path: Path) -> None:
    """Every method produces chains of grouped convolutions and renumbered routes and shortcuts."""
    net = network(REGULAR, height=16, width=16)
    images = np.random.default_rng(0).uniform(0, 1, (6, *net.input_shape)).astype(np.float32)
    separable = decompose(net, images, DecomposeSettings(method=method, patches=20, refine=3)).network

    cfg = pair_of(separable, tmp_path)

    assert any(getattr(layer, "groups", 1) > 1 for layer in separable.layers) or method == "channel"
    assert_opencv_agrees(dnn, cfg)


@pytest.mark.parametrize("form", [fold_batch_norm, fold_separable, lambda net: first_layers(net, 3)])
def test_folded_and_cut_pairs_give_the_engines_outputs(form: Callable[[Network], Network], dnn: Any, tmp_path: Path) -> None:
    """Folded and partial networks are ordinary Darknet pairs."""
    net = network(SEPARABLE, height=16, width=16)

    assert_opencv_agrees(dnn, pair_of(form(net), tmp_path))


@pytest.mark.parametrize("name", ["yolo-v3", "yolo-v4", "yolo-new-coords", "region-v2", "shortcut", "route-groups"])
def test_onnx_files_give_the_engines_outputs(name: str, dnn: Any, tmp_path: Path) -> None:
    """Heads are included."""
    model = read_model(GOLDEN / "micro" / f"{name}.cfg")
    x = np.random.default_rng(0).uniform(0, 1, model.network.input_shape).astype(np.float32)
    write_model(model, tmp_path / "network.onnx")
    with engine.compile(model.network, threads=1) as runner:
        expected = runner(x)

    reader = dnn.readNetFromONNX(str(tmp_path / "network.onnx"))
    reader.setInput(x[None])
    found = reader.forward([f"layer_{index}" for index in expected])

    for output, reference in zip(found, expected.values(), strict=True):
        assert np.abs(output[0] - reference).max() < 1e-4 * np.abs(reference).max()


@pytest.mark.skipif(not SHARED.is_dir(), reason=f"needs the reference material in {SHARED}")
@pytest.mark.parametrize("name", ["yololite-voc-trial3-bn", "yolov4-tiny-aix2023"])
def test_a_real_network_without_its_batch_norm_is_read(name: str, shared: Path, dnn: Any, tmp_path: Path) -> None:
    """The network has trained weights and its own input size."""
    model = read_model(shared / "data/models" / name / f"{name}.cfg")

    assert_opencv_agrees(dnn, pair_of(fold_batch_norm(model.network), tmp_path))
