"""Export of whole networks."""

import sys
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import GOLDEN, SHARED
from tests.networks import network
from tests.onnx_export.runtime import TOLERANCE, difference, onnx_outputs
from yolodsc.convert.onnx import export
from yolodsc.convert.onnx.export import Heads, export_onnx
from yolodsc.errors import ConversionError, MissingExtraError
from yolodsc.network.network import Network

MICRO = sorted(path.stem for path in (GOLDEN / "micro").glob("*.cfg"))
REAL = sorted(path.parent.name for path in (SHARED / "data/models").glob("[!_]*/*.cfg"))
TWO_HEADS = """
convolutional filters=7 activation=linear
yolo classes=2 num=1 mask=0 anchors=1,2
route layers=-2
convolutional filters=7 activation=linear
yolo classes=2 num=1 mask=0 anchors=1,2
"""


@pytest.mark.parametrize("heads", ["activated", "raw"])
@pytest.mark.parametrize("name", MICRO)
def test_every_layer_of_the_micro_networks_equals_the_reference(name: str, heads: Heads, tmp_path: Path) -> None:
    """The batch has two images."""
    stem = GOLDEN / "micro" / name

    assert difference(Network.load(f"{stem}.cfg", f"{stem}.weights"), tmp_path, heads=heads) < TOLERANCE


@pytest.mark.slow
@pytest.mark.skipif(not REAL, reason=f"needs the reference material in {SHARED}")
@pytest.mark.parametrize("name", REAL or ["none"])
def test_every_layer_of_real_networks_equals_the_reference(name: str, shared: Path, tmp_path: Path) -> None:
    """The networks are trained and have their own sizes."""
    stem = shared / "data/models" / name / name

    assert difference(Network.load(f"{stem}.cfg", f"{stem}.weights"), tmp_path, images=1) < TOLERANCE


def test_heads_are_the_outputs_unless_others_are_named(tmp_path: Path) -> None:
    """Both heads are outputs, with a batch of one."""
    net = network(TWO_HEADS)
    x = np.zeros((1, *net.input_shape), np.float32)

    export_onnx(net, tmp_path / "heads.onnx")
    export_onnx(net, tmp_path / "third.onnx", outputs=[2])

    assert list(onnx_outputs(tmp_path / "heads.onnx", x)) == ["layer_1", "layer_4"]
    assert list(onnx_outputs(tmp_path / "third.onnx", x)) == ["layer_2"]


def test_without_heads_the_last_layer_is_the_output(tmp_path: Path) -> None:
    """[cost] is not an output."""
    net = network("connected output=3 activation=linear\nsoftmax\ncost")

    export_onnx(net, tmp_path / "classes.onnx")

    assert list(onnx_outputs(tmp_path / "classes.onnx", np.zeros((1, *net.input_shape), np.float32))) == ["layer_1"]


def test_layers_that_no_output_needs_are_left_out(tmp_path: Path) -> None:
    """They may even be layers that cannot be exported."""
    net = network("convolutional filters=2 activation=linear\nlocal_avgpool padding=8 size=2 stride=1")

    export_onnx(net, tmp_path / "first.onnx", outputs=[0])

    assert (tmp_path / "first.onnx").stat().st_size < 1000


def test_outputs_beyond_the_network_are_refused(tmp_path: Path) -> None:
    """The message gives the number of layers."""
    with pytest.raises(ConversionError, match="output layer 9: the network has 5"):
        export_onnx(network(TWO_HEADS), tmp_path / "x.onnx", outputs=[9])


def test_more_weights_than_a_file_holds_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is written."""
    monkeypatch.setattr(export, "MAX_BYTES", 10)

    with pytest.raises(ConversionError, match="GiB of weights"):
        export_onnx(network(TWO_HEADS), tmp_path / "x.onnx")

    assert not list(tmp_path.iterdir())


def test_without_the_library_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message says how to install it."""
    monkeypatch.setitem(sys.modules, "onnx", None)

    with pytest.raises(MissingExtraError, match=r"pip install 'onnx.*\(extra onnx\)$"):
        export_onnx(network(TWO_HEADS), tmp_path / "x.onnx")
