"""The networks that come with the program."""

import shutil
from pathlib import Path

import pytest

import yolodsc
from yolodsc.cli import run
from yolodsc.detection.model_files import DEFAULT_MODEL, bundled_models, resolve_model
from yolodsc.detection.sources import sample_images
from yolodsc.errors import OptionError
from yolodsc.network.network import Network
from yolodsc.precision import read_quantization

VOC = "aeroplane bicycle bird boat bottle bus car cat chair cow diningtable dog horse motorbike person".split()


@pytest.mark.parametrize("name", bundled_models())
def test_a_shipped_network_is_small_and_whole(name: str) -> None:
    """Under 4 MB and 350 million multiplications, separable, with the classes of VOC."""
    files = resolve_model(name)
    network = Network.load(files.cfg, files.weights)
    detector = yolodsc.load(name)

    regular = [layer for layer in network.layers if layer.type == "convolutional" and not (layer.pointwise or layer.depthwise)]
    assert files.weights.stat().st_size < 4_000_000
    assert sum(layer.multiply_adds() for layer in network.layers) <= 350e6
    assert regular == []
    assert len(detector.names) == 20
    assert set(VOC) < set(detector.names)


@pytest.mark.parametrize("name", bundled_models())
def test_a_shipped_network_has_a_quantization(name: str) -> None:
    """It belongs to the weights that are shipped, a third of the layers or more are in int8; it takes at most a quarter of them."""
    files = resolve_model(name)
    network = Network.load(files.cfg, files.weights)
    path = files.weights.with_name(f"{name}.quant.npz")

    quantization = read_quantization(path, network)

    precisions = list(quantization.layers.values())
    assert precisions.count("int8") > len(precisions) / 3
    assert float(quantization.provenance["agreement"]) > 0.96
    assert path.stat().st_size < files.weights.stat().st_size / 4


def test_a_folder_of_the_same_name_does_not_hide_a_shipped_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Such as one that a run has written: it is meant only where it is written as a path."""
    monkeypatch.chdir(tmp_path)
    shipped = resolve_model(DEFAULT_MODEL)
    Path(DEFAULT_MODEL).mkdir()
    assert resolve_model(DEFAULT_MODEL) == shipped

    with pytest.raises(OptionError, match=r"0 \.cfg files"):
        resolve_model(f"./{DEFAULT_MODEL}")
    shutil.copy(shipped.cfg, f"{DEFAULT_MODEL}/own.cfg")
    shutil.copy(shipped.weights, f"{DEFAULT_MODEL}/own.weights")
    assert resolve_model(f"./{DEFAULT_MODEL}").cfg == Path(DEFAULT_MODEL) / "own.cfg"


@pytest.mark.parametrize(("image", "expected"), [("chelsea", "cat"), ("astronaut", "person"), ("motorcycle_left", "motorbike")])
def test_the_default_finds_what_the_samples_show(image: str, expected: str) -> None:
    """At the default threshold."""
    pytest.importorskip("skimage", reason="needs scikit-image's photographs (extra demo)")
    (path,) = (path for path in sample_images() if Path(path).stem == image)

    detections = yolodsc.load()(path)

    assert expected in detections.class_names()


def test_detect_without_anything_saves_the_samples(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The first command of the README."""
    pytest.importorskip("skimage", reason="needs scikit-image's photographs (extra demo)")
    monkeypatch.chdir(tmp_path)

    code = run(["detect"])

    assert code == 0
    assert sorted(path.stem for path in (tmp_path / "detections").iterdir()) == ["astronaut", "chelsea", "motorcycle_left"]
    assert "cat" in capsys.readouterr().out
    shutil.rmtree(tmp_path / "detections")
