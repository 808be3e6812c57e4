"""The command optimize, on a small detector."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.decomposable import network
from yolodsc.cli import run
from yolodsc.network.network import Network

pytestmark = pytest.mark.slow

TEXT = """
[net]
width=32
height=32
channels=3
[convolutional]
filters=16
size=3
stride=2
pad=1
activation=leaky
[convolutional]
filters=32
size=3
pad=1
activation=leaky
[convolutional]
filters=32
size=3
stride=2
pad=1
activation=leaky
[convolutional]
filters=14
size=1
activation=linear
[yolo]
mask=0,1
anchors=8,8, 16,16
classes=2
num=2
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A detector that finds something in noise, its names, twelve images and their labels."""
    path = tmp_path_factory.mktemp("optimize")
    network(TEXT).save(path / "tiny.cfg", path / "tiny.weights")
    (path / "tiny.names").write_text("one\ntwo\n")
    (path / "images").mkdir()
    random = np.random.default_rng(0)
    for n in range(12):
        Image.fromarray(random.integers(0, 255, (32, 32, 3), np.uint8)).save(path / f"images/{n}.png")
        (path / f"images/{n}.txt").write_text("0 .5 .5 .4 .4\n1 .3 .3 .2 .2\n")
    return path


def command(folder: Path, out: Path, *more: str) -> list[str]:
    """One run."""
    return ["optimize", "--model", str(folder / "tiny.cfg"), "--images", str(folder / "images"), "--out", str(out), *more]


def test_optimize_writes_a_network_and_a_report_and_goes_on(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The pair loads, the report has baselines and front, and a second run with another goal measures nothing twice."""
    assert run(command(folder, tmp_path, "--keep", ".5", "--precisions", "f32,int8")) == 0

    net = Network.load(tmp_path / "tiny-optimized.cfg", tmp_path / "tiny-optimized.weights")
    report = json.loads((tmp_path / "report.json").read_text())
    chosen = report["chosen"]["candidate"]
    assert [chosen["height"], chosen["width"]] == list(net.input_shape[1:])
    assert (tmp_path / "tiny-optimized.quant.npz").exists() == (chosen["precision"] == "int8")
    text = (tmp_path / "report.md").read_text()
    assert all(part in text for part in ("original at smaller inputs", "int8 alone", "decomposed alone", "Pareto front"))
    assert (tmp_path / "report.png").exists()
    assert "yolodsc" in {engine["engine"] for engine in report["engines"]}
    assert "chosen" in capsys.readouterr().out

    lines = (tmp_path / "run/journal.jsonl").read_text().splitlines()
    assert run(command(folder, tmp_path, "--keep", ".5", "--precisions", "f32,int8")) == 2
    assert "--resume" in capsys.readouterr().err
    assert run(command(folder, tmp_path, "--budget-ms", "1000", "--precisions", "f32,int8", "--resume", "--quiet")) == 0
    assert (tmp_path / "run/journal.jsonl").read_text().splitlines()[: len(lines)] == lines


def test_labels_make_the_mean_ap_the_quality(folder: Path, tmp_path: Path) -> None:
    """Every candidate has a mean AP, and fine-tuning adds candidates."""
    labels = ["--data", str(folder / "images"), "--names", str(folder / "tiny.names")]
    goal = ["--keep", ".9", "--precisions", "f32", "--finetune", "1", "--quiet"]

    assert run(command(folder, tmp_path, *labels, *goal)) == 0

    report = json.loads((tmp_path / "report.json").read_text())
    assert all(m["mean_ap"] is not None for m in report["candidates"])
    assert any(m["candidate"]["form"].endswith("trained") for m in report["candidates"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--keep", "2"], "--keep 2"),
        (["--keep", ".9", "--budget-ms", "3"], "one of both"),
        (["--precisions", "int4"], "--precisions int4"),
        (["--val", "tree"], "expected TREE:SET"),
        (["--val", "tree:test", "--data", "x"], "expected one"),
    ],
)
def test_bad_options_are_refused_in_one_line(
    options: list[str], message: str, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before any work begins, with exit status 2."""
    assert run(command(folder, tmp_path / "out", "--names", str(folder / "tiny.names"), *options)) == 2

    error = capsys.readouterr().err
    assert message in error
    assert not (tmp_path / "out/run").exists()


def test_interrupted_searches_say_how_to_go_on(folder: Path, tmp_path: Path) -> None:
    """What was measured is kept in the journal."""
    process = subprocess.Popen(
        [sys.executable, "-m", "yolodsc", *command(folder, tmp_path, "--keep", ".99")], stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    first = process.stderr.readline()
    while "original f32" not in first:
        first = process.stderr.readline()
    process.terminate()
    rest = process.communicate()[1]

    assert process.returncode in (143, -15)
    assert "--resume continues" in rest
    assert (tmp_path / "run/journal.jsonl").read_text().count("\n") >= 2
