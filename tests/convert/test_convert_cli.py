"""The command ``yolodsc convert``."""

from pathlib import Path

import numpy as np
import pytest

from tests.convert.files import load, pair
from tests.onnx_export.runtime import onnx_outputs
from yolodsc.cli import run


def complaint(arguments: list[object], capsys: pytest.CaptureFixture[str]) -> str:
    """Return the line on standard error of a run that fails."""
    status = run(["convert", *map(str, arguments)])
    error = capsys.readouterr().err
    assert status == 2
    assert error.count("\n") == 1
    return error


@pytest.mark.parametrize("target", ["new.cfg", "new.weights", "new.npz", "new.safetensors", "new.onnx", "new.NPZ", "deep/new.npz"])
def test_every_format_is_written(target: str, tmp_path: Path) -> None:
    """Nothing is printed, and missing directories are created."""
    assert run(["convert", str(pair(tmp_path)), str(tmp_path / target)]) == 0
    assert (tmp_path / target).is_file()


def test_nothing_is_overwritten_unless_forced(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Neither file of a pair nor the input is replaced."""
    cfg = pair(tmp_path)
    (tmp_path / "new.weights").write_text("mine")

    assert "new.weights is there already" in complaint([cfg, tmp_path / "new.cfg"], capsys)
    assert "tiny.cfg is there already" in complaint([cfg, cfg], capsys)
    assert (tmp_path / "new.weights").read_text() == "mine"
    assert run(["convert", str(cfg), str(tmp_path / "new.cfg"), "--force"]) == 0
    assert (tmp_path / "new.weights").read_bytes() == (tmp_path / "tiny.weights").read_bytes()


def test_class_names_go_with_the_network(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Beside the new file, whose names are not replaced by others; a part of the layers has no classes."""
    cfg = pair(tmp_path)
    (tmp_path / "tiny.names").write_text("cat\n")
    (tmp_path / "other.names").write_text("dog\n")

    assert run(["convert", str(cfg), str(tmp_path / "new.npz")]) == 0
    assert capsys.readouterr().err.endswith("new.npz and " + str(tmp_path / "new.names") + "\n")
    assert run(["convert", str(cfg), str(tmp_path / "part.npz"), "--partial", "1"]) == 0
    capsys.readouterr()
    assert "other.names is there already, with other names" in complaint([cfg, tmp_path / "other.npz"], capsys)

    assert (tmp_path / "new.names").read_text() == "cat\n"
    assert not (tmp_path / "part.names").exists()
    assert not (tmp_path / "other.npz").exists()
    assert (tmp_path / "other.names").read_text() == "dog\n"


def test_a_network_is_folded_in_its_own_place(tmp_path: Path) -> None:
    """With ``--force`` the output may be the input."""
    cfg = pair(tmp_path)
    before = load(cfg)
    x = np.random.default_rng(0).uniform(0, 1, before.input_shape).astype(np.float32)

    assert run(["convert", str(cfg), str(cfg), "--fold-batch-norm", "--fold-separable", "--force"]) == 0

    after = load(cfg)
    assert len(after.layers) == 3
    assert "batch_normalize" not in cfg.read_text()
    np.testing.assert_allclose(after.forward(x)[-1], before.forward(x)[-1], atol=1e-5)


def test_the_first_layers_are_kept(tmp_path: Path) -> None:
    """Layers are counted in the input, before anything is folded."""
    cfg = pair(tmp_path)

    assert run(["convert", str(cfg), str(tmp_path / "front.weights"), "--partial", "3", "--fold-separable"]) == 0

    assert [layer.type for layer in load(tmp_path / "front.cfg").layers] == ["convolutional", "convolutional"]


def test_heads_are_raw_on_request(tmp_path: Path) -> None:
    """The output is the input of the head, for any number of images."""
    cfg = pair(tmp_path)
    net = load(cfg)
    x = np.random.default_rng(0).uniform(0, 1, (3, *net.input_shape)).astype(np.float32)

    assert run(["convert", str(cfg), str(tmp_path / "raw.onnx"), "--heads", "raw", "--dynamic-batch"]) == 0

    found = onnx_outputs(tmp_path / "raw.onnx", x)
    np.testing.assert_allclose(found["layer_3"], np.stack([net.forward(one)[2] for one in x]), atol=1e-5)


@pytest.mark.parametrize("options", [["--heads", "raw"], ["--dynamic-batch"]])
def test_options_of_onnx_go_with_onnx(options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Other formats refuse these options."""
    assert f"{options[0]} goes with an .onnx file" in complaint([pair(tmp_path), tmp_path / "x.npz", *options], capsys)


def test_formats_are_known_by_their_endings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Other extensions are refused before anything is read."""
    assert "x.pt: expected a file that ends in" in complaint([tmp_path / "nowhere.cfg", tmp_path / "x.pt"], capsys)
    assert ".cfg, .weights, .npz or .safetensors file" in complaint([tmp_path / "x.onnx", tmp_path / "x.npz"], capsys)


def test_a_layer_that_onnx_cannot_express_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is written."""
    cfg = pair(tmp_path, "convolutional filters=2 activation=linear\nlocal_avgpool size=2 stride=1 padding=8")

    assert "layer 1 [local_avgpool]" in complaint([cfg, tmp_path / "x.onnx"], capsys)
    assert not (tmp_path / "x.onnx").exists()


def test_too_many_layers_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The message gives the number of layers."""
    assert "the network has 4" in complaint([pair(tmp_path), tmp_path / "x.npz", "--partial", 5], capsys)
