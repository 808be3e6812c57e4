"""`load`, `load_classifier` and the names of the package."""

import pydoc
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import yolodsc
from tests.networks import network as small
from yolodsc.cli import run
from yolodsc.convert.formats import ModelFile, read_model, write_model
from yolodsc.darknet.profile import OPENCV
from yolodsc.detection.model_files import resolve_model
from yolodsc.errors import CfgError, DatasetError, MissingExtraError, OptionError
from yolodsc.images.image import fit, write_image

NAME = "dsc-fastest-voc"
CLASSIFIER = """
convolutional filters=5 size=3 stride=2 pad=1 activation=leaky
avgpool
softmax
"""


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network as a pair with a list of names, and as archives."""
    folder = tmp_path_factory.mktemp("models")
    shipped = resolve_model(NAME)
    for path in shipped.paths:
        shutil.copy(path, folder / f"net{path.suffix}")
    (folder / "pair").mkdir()
    for path in shipped.paths:
        shutil.copy(path, folder / "pair" / path.name)
    shutil.copy(shipped.weights, folder / "other.weights")
    model = read_model(folder / "net.cfg")
    write_model(model, folder / "net.npz")
    (folder / "archive").mkdir()
    write_model(model, folder / "archive/only.npz")
    with suppress(MissingExtraError):
        write_model(model, folder / "net.safetensors")
    return folder


@pytest.fixture(scope="module")
def classifier_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A classifier of five classes."""
    folder = tmp_path_factory.mktemp("classifier")
    network = small(CLASSIFIER, height=16, width=24)
    network.save(folder / "c.cfg", folder / "c.weights")
    (folder / "c.names").write_text("a\nb\nc\nd\ne\n")
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("model", ["net.cfg", "net.weights", "net.npz", "net.safetensors", "pair", "archive"])
def test_networks_load_from_every_file(model: str, files: Path, path: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A pair by either file, archives, directories of either; the command line takes the same."""
    if not (files / model).exists():
        pytest.skip("needs the extra safetensors")
    with yolodsc.load(NAME, thresh=0.01) as expected, yolodsc.load(files / model, thresh=0.01) as detector:
        found = detector(path)
        np.testing.assert_array_equal(found.boxes_xyxy, expected(path).boxes_xyxy)

    assert run(["detect", path, "--model", str(files / model), "--thresh", "0.01"]) == 0
    assert f"{len(found)} objects" in capsys.readouterr().out


def test_a_pair_of_any_names_loads(files: Path) -> None:
    """As cfg and weights, or as a network that is in memory."""
    with yolodsc.load(files / "net.cfg", files / "other.weights") as detector:
        assert detector.names[0] == "aeroplane"
        with yolodsc.load(detector.network, names=detector.names) as again:
            assert again.names == detector.names


def test_names_are_a_file_or_a_list(files: Path, tmp_path: Path) -> None:
    """Their number is checked."""
    listed = [f"class {number}" for number in range(20)]
    (tmp_path / "own.names").write_text("\n".join(listed))

    for names in (listed, tmp_path / "own.names", str(tmp_path / "own.names")):
        with yolodsc.load(files / "net.npz", names=names) as detector:
            assert list(detector.names) == listed
    with pytest.raises(DatasetError, match="names: 2 names; the network has 20 classes"):
        yolodsc.load(NAME, names=["a", "b"])


def test_profiles_and_classes_are_given_by_name(path: str) -> None:
    """The whole network is read under the profile."""
    with yolodsc.load(NAME, profile="opencv", classes=["dog", 3]) as detector:
        assert detector.network.profile is OPENCV
        assert detector.classes == [11, 3]
    network = yolodsc.Network.load(resolve_model(NAME).cfg, resolve_model(NAME).weights, profile="pjreddie")
    assert network.profile.name == "pjreddie"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"model": "nosuch"}, r"^model=nosuch: neither a directory nor a shipped network \(.*\), nor a file; expected a name"),
        ({"model": "dsc-nano-vco"}, r"did you mean dsc-nano-voc\?"),
        ({"profile": "darknet"}, r"^profile=darknet: expected one of alexeyab, pjreddie, opencv"),
        ({"classes": ["dgo"]}, r"^classes=dgo: unknown class; .*did you mean dog\?"),
        ({"thresh": 7}, r"^thresh=7: expected 0 to 1"),
        ({"nms_thresh": 7}, r"^nms_thresh=7: expected 0 to 1"),
        ({"decoder": "best"}, r"^decoder=best: unknown"),
    ],
)
def test_errors_of_load_speak_python(arguments: dict[str, Any], message: str) -> None:
    """Parameters, not options of the command line."""
    with pytest.raises(OptionError, match=message) as caught:
        yolodsc.load(**arguments)
    assert "--" not in str(caught.value)


@pytest.mark.parametrize(("name", "hint"), [("net.onnx", "; .onnx files are written, not read"), ("net.pt", "")])
def test_a_file_of_another_format_is_refused(tmp_path: Path, name: str, hint: str) -> None:
    """As what it is, not as a file that is missing."""
    (tmp_path / name).write_bytes(b"")
    with pytest.raises(OptionError) as caught:
        yolodsc.load(tmp_path / name)
    assert str(caught.value).partition(": ")[2].startswith("not a file of a network; expected a name")
    assert str(caught.value).endswith(f".safetensors file{hint}")


def test_half_a_pair_and_weights_of_an_archive_are_refused(files: Path, tmp_path: Path) -> None:
    """The error names the file that is missing."""
    shutil.copy(files / "net.cfg", tmp_path / "alone.cfg")
    with pytest.raises(OptionError, match=r"no file .*alone\.weights"):
        yolodsc.load(tmp_path / "alone.cfg")
    with pytest.raises(OptionError, match=r"weights go with a \.cfg file"):
        yolodsc.load(files / "net.npz", files / "net.weights")
    with pytest.raises(OptionError, match="partial=True"):
        yolodsc.load(files / "net.npz", partial=True)


def test_the_package_shows_its_public_names() -> None:
    """`dir`, `__all__` and `help` agree, and every name is there."""
    expected = {"Classifier", "Detection", "Detections", "Detector", "Network", "YolodscError", "cv2dnn", "load", "load_classifier"}

    assert expected < set(dir(yolodsc))
    assert set(yolodsc.__all__) == set(dir(yolodsc))
    assert all(getattr(yolodsc, name) is not None for name in dir(yolodsc))
    page = pydoc.plain(pydoc.render_doc(yolodsc))
    assert "load_classifier(model" in page
    assert "class Detections" in page


def test_classifiers_give_their_best_classes(classifier_files: Path, path: str, image: NDArray[np.uint8]) -> None:
    """Sorted, by name, and equal to the reference on Darknet's centre crop."""
    with yolodsc.load_classifier(classifier_files) as classifier:
        found = classifier(path)
        x, _ = fit(
            image,
            classifier.network.input_shape._replace(height=24, width=32),
            profile=classifier.network.profile,
            geometry="stretch",
        )
        expected = classifier.network.forward(np.ascontiguousarray(x[:, 4:20, 4:28]))[-1].reshape(-1)

    np.testing.assert_allclose(found.probabilities, expected, atol=1e-5)
    order = np.argsort(-expected)
    assert [one.name for one in found.top(2)] == ["abcde"[number] for number in order[:2]]
    assert found[0].score == max(one.score for one in found)
    assert len(found) == len(list(found)) == 5
    assert found.to_dict(top=1)["classes"][0]["name"] == found[0].name
    assert "\n" not in repr(found)


def test_each_profile_fits_images_for_classifiers_as_its_program_does(classifier_files: Path, image: NDArray[np.uint8]) -> None:
    """Three geometries, three results; `geometry` overrides the profile."""
    scores = {}
    for profile in ("alexeyab", "pjreddie", "opencv"):
        with yolodsc.load_classifier(classifier_files, profile=profile) as classifier:
            scores[profile] = classifier(image).probabilities.tolist()
    with yolodsc.load_classifier(classifier_files, geometry="letterbox") as classifier:
        letterboxed = classifier(image).probabilities

    assert len({tuple(values) for values in scores.values()}) == 3
    np.testing.assert_allclose(letterboxed, scores["pjreddie"], atol=1e-4)


def test_load_says_how_classifiers_are_loaded(classifier_files: Path) -> None:
    """And the other way round."""
    with pytest.raises(CfgError, match=r"no detection head .* yolodsc\.load_classifier loads classifiers"):
        yolodsc.load(classifier_files)
    with pytest.raises(CfgError, match=r"has detection heads; .* yolodsc\.load loads detectors"):
        yolodsc.load_classifier(NAME)


def test_detect_prints_classes_of_a_classifier(
    classifier_files: Path, path: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As ``darknet classifier predict``: name and probability, the best first; outputs for boxes are refused."""
    assert run(["detect", path, "--model", str(classifier_files), "--top", "2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    with yolodsc.load_classifier(classifier_files) as classifier:
        expected = [f"{one.name}: {one.score:f}" for one in classifier(path).top(2)]

    assert lines[1:] == expected
    (tmp_path / "bad.png").write_bytes(b"no image")
    assert run(["detect", path, str(tmp_path / "bad.png"), "--model", str(classifier_files)]) == 1
    assert run(["detect", path, "--model", str(classifier_files), "--json", str(tmp_path / "a.json")]) == 2
    assert "--json is for detectors" in capsys.readouterr().err


def test_an_archive_of_a_classifier_keeps_its_classes(classifier_files: Path, tmp_path: Path, image: NDArray[np.uint8]) -> None:
    """Archives hold every kind of network."""
    write_model(ModelFile.of(small(CLASSIFIER, height=16, width=24)), tmp_path / "c.npz")
    with yolodsc.load_classifier(tmp_path / "c.npz") as one, yolodsc.load_classifier(classifier_files) as other:
        np.testing.assert_array_equal(one(image).probabilities, other(image).probabilities)


def test_images_smaller_than_the_input_repeat_their_border(classifier_files: Path, tmp_path: Path) -> None:
    """A narrow image is cropped to the input's size, as ``crop_image`` does."""
    write_image(tmp_path / "tall.png", np.zeros((40, 5, 3), np.uint8))
    with yolodsc.load_classifier(classifier_files) as classifier:
        assert len(classifier(tmp_path / "tall.png")) == 5
