"""The commands decompose and separate, on a small network."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from yolodsc.cli import run
from yolodsc.darknet.cfg import parse_cfg
from yolodsc.network.network import Network

pytestmark = pytest.mark.slow

TEXT = """
[net]
width=16
height=16
channels=3
[convolutional]
filters=8
size=3
pad=1
activation=leaky
[convolutional]
filters=8
size=3
pad=1
activation=leaky
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A pair tiny.cfg, tiny.weights, tiny.names and a folder of eight images."""
    random = np.random.default_rng(0)
    blank = Network.build(parse_cfg(TEXT))
    arrays = [
        {name: random.standard_normal(shape).astype(np.float32) for name, shape in layer.weight_shapes().items()}
        for layer in blank.layers
    ]
    blank.with_weights(arrays).save(tmp_path / "tiny.cfg", tmp_path / "tiny.weights")
    (tmp_path / "tiny.names").write_text("one\n")
    (tmp_path / "pictures").mkdir()
    for n in range(8):
        Image.fromarray(random.integers(0, 255, (20, 20, 3), np.uint8)).save(tmp_path / f"pictures/{n}.png")
    return tmp_path


def command(folder: Path, *more: str) -> list[str]:
    """One run of decompose."""
    pair = ["--cfg", str(folder / "tiny.cfg"), "--weights", str(folder / "tiny.weights"), "--names", str(folder / "tiny.names")]
    return ["decompose", *pair, "--images", str(folder / "pictures"), "--out", str(folder / "out"), *more]


def test_few_images_are_reported_in_one_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By decompose and separate, unless few are asked for."""
    pair = ["--cfg", str(folder / "tiny.cfg"), "--images", str(folder / "pictures")]

    assert run(command(folder, "--budget", "0.7")) == 0
    assert run(["separate", *pair, "--layer", "1", "--ranks", "1"]) == 0
    assert run(["separate", *pair, "--layer", "1", "--ranks", "1", "--count", "8"]) == 0

    said = [line for line in capsys.readouterr().err.splitlines() if "to calibrate on" in line]
    expected = "8 images to calibrate on; expected 50 or more, better 300: results of few are less accurate"
    assert said == [f"yolodsc: {folder / 'pictures'}: {expected}"] * 2


def test_one_image_is_too_few_for_separate(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """None would remain beside the one that is held back."""
    alone = ["--cfg", str(folder / "tiny.cfg"), "--images", str(folder / "pictures/0.png"), "--layer", "1", "--quiet"]

    assert run(["separate", *alone]) == 2

    assert capsys.readouterr().err == ("yolodsc: 1 image to calibrate on; expected at least 2, better 300: a tenth is held back\n")


def test_separate_shows_its_progress(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each method and rank, with the share that is done."""
    shares: list[tuple[str, float]] = []

    @contextmanager
    def bar(quiet: bool) -> Iterator[Callable[[str, float], None]]:
        yield lambda what, share: shares.append((what, share))

    monkeypatch.setattr("yolodsc.cli.separate.fitting_progress", bar)

    assert run(["separate", "--cfg", str(folder / "tiny.cfg"), "--images", str(folder / "pictures"), "--layer", "1"]) == 0

    assert [share for _, share in shares] == sorted(share for _, share in shares)
    assert {"running the network", "pdp, rank 2"} <= {what for what, _ in shares}


def test_size_is_of_the_new_network(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The new cfg reads images of --size, and the budget is a share of what the old network costs there."""
    status = run(command(folder, "--size", "32", "--budget", "0.7"))

    assert status == 0
    new = Network.load(folder / "out/tiny-separable.cfg", folder / "out/tiny-separable.weights")
    old = Network.load(folder / "tiny.cfg", folder / "tiny.weights").resized(32, 32)
    assert new.input_shape == (3, 32, 32)
    costs = [sum(layer.multiply_adds() for layer in network.layers) for network in (new, old)]
    assert 0.4 < costs[0] / costs[1] <= 0.7
    assert "MMAC" in capsys.readouterr().out


def test_decompose_writes_pair_and_report(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The three files of the new network, and the report as text, JSON and image."""
    status = run(command(folder, "--budget", "0.7", "--report", str(folder / "report")))

    assert status == 0
    assert sorted(path.name for path in (folder / "out").iterdir()) == [
        "tiny-separable.cfg",
        "tiny-separable.names",
        "tiny-separable.weights",
    ]
    new = Network.load(folder / "out/tiny-separable.cfg", folder / "out/tiny-separable.weights")
    account = json.loads((folder / "report/report.json").read_text())
    assert account["network"]["multiply_adds"][1] == sum(layer.multiply_adds() for layer in new.layers)
    assert {path.name for path in (folder / "report").iterdir()} == {"report.md", "report.json", "report.png"}
    captured = capsys.readouterr()
    assert "held back" in captured.out
    assert "|" not in captured.out  # no Markdown on a terminal
    out = folder / "out/tiny-separable"
    assert (
        captured.err.splitlines(keepends=True)[-1]
        == f"yolodsc: wrote {out}.cfg and .weights and .names, report to {folder / 'report'}/\n"
    )


def test_a_missing_library_stops_the_run_before_the_work(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The report's chart needs matplotlib; no image is read without it."""
    monkeypatch.setattr("yolodsc.evaluation.plots.find_spec", lambda name: None)
    monkeypatch.setattr("yolodsc.cli.decompose.calibration_images", lambda *given, **options: pytest.fail("images were read"))

    assert run(command(folder, "--report", str(folder / "report"))) == 2
    assert "needs matplotlib, which is not installed: pip install 'matplotlib>=3.8'" in capsys.readouterr().err


def test_milliseconds_are_a_budget_too(folder: Path) -> None:
    """With a generous number of milliseconds the plan is found and written."""
    assert run(command(folder, "--budget-ms", "1000", "--quiet")) == 0


def test_nothing_is_overwritten(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A second run to the same place is refused in one line."""
    assert run(command(folder, "--method", "als", "--quiet")) == 0

    status = run(command(folder, "--method", "als", "--quiet"))

    assert status == 2
    assert "is there already" in capsys.readouterr().err


def test_unknown_methods_are_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The message lists the methods."""
    status = run(command(folder, "--method", "magic"))

    assert status == 2
    assert "paper-multilayer" in capsys.readouterr().err


def test_separate_prints_errors_by_method(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One line for each method and rank."""
    pair = ["--cfg", str(folder / "tiny.cfg"), "--weights", str(folder / "tiny.weights")]

    status = run(["separate", *pair, "--images", str(folder / "pictures"), "--layer", "1", "--ranks", "1,2"])

    assert status == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[:2] == ["method", "rank"]
    assert sum(line.startswith("als") for line in lines) == 2


def test_separate_refuses_other_layers(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A number beyond the network is named."""
    pair = ["--cfg", str(folder / "tiny.cfg"), "--weights", str(folder / "tiny.weights")]

    status = run(["separate", *pair, "--images", str(folder / "pictures"), "--layer", "9"])

    assert status == 2
    assert "layer 9: the network has 2" in capsys.readouterr().err
