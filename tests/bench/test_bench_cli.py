"""``yolodsc bench`` on very small networks."""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.networks import network
from yolodsc import cli
from yolodsc.bench.startup import measure_start
from yolodsc.bench.subject import benchmark_subject
from yolodsc.detection import model_files as models

pytestmark = pytest.mark.slow

LAYERS = """
convolutional filters=8 size=3 stride=2 pad=1 batch_normalize=1 activation=leaky
convolutional filters=16 size=1 batch_normalize=1 activation=relu6
convolutional filters=16 groups=16 size=3 pad=1 batch_normalize=1 activation=relu6
convolutional filters=8 size=1 batch_normalize=1 activation=linear
shortcut from=-4 activation=linear
convolutional filters=18 size=1 activation=linear
yolo mask=0,1,2 anchors=1,2,3,4,5,6 classes=1 num=3
"""


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A folder of one separable network."""
    folder = tmp_path / "small"
    folder.mkdir()
    network(LAYERS, height=32, width=32).save(folder / "small.cfg", folder / "small.weights")
    return folder


def report(path: Path) -> dict[str, Any]:
    """Return the report; NaN and infinity fail the test."""
    return dict(json.loads(path.read_text(), parse_constant=pytest.fail))


def test_a_comparison_prints_a_table_and_writes_the_documented_json(
    small: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The report has one result for each engine and number of threads, ours first."""
    pytest.importorskip("onnxruntime")
    out = tmp_path / "r.json"

    status = cli.run(
        ["bench", "--model", str(small), "--peers", "onnxruntime", "--threads", "1,2", "--seconds", "0", "--json", str(out)]
    )

    lines, written = capsys.readouterr().out.splitlines(), report(out)
    assert status == 0
    assert lines[2].startswith("small, 32x32x3, 0 MMAC, 1 thread")
    assert [line.split()[0] for line in lines[4:6]] == ["yolodsc", "onnxruntime"]
    assert set(written) == {"machine", "results"}
    assert {"cpu", "cores", "isa", "peak_gflops", "load", "system", "python", "versions"} == set(written["machine"])
    keys = ["model", "engine", "threads", "precision", "median_ms", "min_ms", "ratio", "max_relative_difference", "agreement"]
    assert all(list(result) == keys for result in written["results"])
    assert [(r["engine"], r["threads"]) for r in written["results"]] == [
        ("yolodsc", 1), ("onnxruntime", 1), ("yolodsc", 2), ("onnxruntime", 2)
    ]  # fmt: skip
    assert [r["max_relative_difference"] < 1e-5 for r in written["results"]] == [True] * 4
    assert written["results"][0]["ratio"] == 1
    assert {result["precision"] for result in written["results"]} == {"f32"}


@pytest.mark.parametrize("mode", [[], ["--ablation"], ["--streams", "2"], ["--startup"]])
def test_every_mode_shows_its_progress(mode: list[str], small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rising shares, from 0; drawn between the measurements only."""
    shares: list[float] = []

    @contextmanager
    def bar(*, quiet: bool, timing: bool) -> Iterator[Callable[[str, float], None]]:
        assert timing
        yield lambda what, share: shares.append(share)

    monkeypatch.setattr("yolodsc.cli.bench.fitting_progress", bar)

    assert cli.run(["bench", "--model", str(small), "--peers", "", "--seconds", "0", *mode]) == 0

    assert shares[0] == 0
    assert shares == sorted(shares)
    assert 0.5 < shares[-1] <= 1


def test_a_cfg_alone_gets_random_weights_and_a_missing_peer_is_named(
    small: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The comparison runs without the missing engine and exits with 0."""
    (small / "small.weights").unlink()
    (tmp_path / "openvino.py").write_text("raise ModuleNotFoundError('no', name='openvino')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    status = cli.run(["bench", "--cfg", str(small / "small.cfg"), "--peers", "openvino", "--seconds", "0"])

    streams = capsys.readouterr()
    assert status == 0
    assert streams.err == "yolodsc: small: openvino takes no part: openvino is not installed\n"
    assert "yolodsc" in streams.out


def test_the_ablation_times_every_separable_layer_three_ways(
    small: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Layers that the engine runs as one share a time."""
    out = tmp_path / "r.json"

    status = cli.run(["bench", "--model", str(small), "--ablation", "--seconds", "0", "--json", str(out)])

    (result,) = report(out)["results"]
    assert status == 0
    assert [(row["layer"], row["kind"]) for row in result["rows"]] == [
        (1, "pointwise"), (2, "depthwise"), (3, "pointwise"), (5, "pointwise")
    ]  # fmt: skip
    assert all(row["dsc_ms"] > 0 and row["fastdsc_ms"] > 0 for row in result["rows"])
    assert min(result["dsc_ms"], result["fastdsc_ms"], result["fused_ms"]) > 0
    assert re.search(r"FastDSC [\d.]+ times as fast as DSC, fused [\d.]+$", capsys.readouterr().out.strip())


def test_streams_are_rates_of_each_engine(small: Path, tmp_path: Path) -> None:
    """The ratio is above 1 where ours is faster."""
    pytest.importorskip("onnxruntime")
    out = tmp_path / "r.json"

    cli.run(["bench", "--model", str(small), "--streams", "2", "--peers", "onnxruntime", "--seconds", "0", "--json", str(out)])

    ours, theirs = report(out)["results"]
    assert list(ours) == ["model", "engine", "streams", "precision", "pictures_per_second", "ratio"]
    assert (ours["engine"], ours["ratio"], theirs["engine"], theirs["streams"]) == ("yolodsc", 1, "onnxruntime", 2)
    assert theirs["ratio"] == pytest.approx(ours["pictures_per_second"] / theirs["pictures_per_second"])


def test_a_start_is_timed_with_separate_caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The user's caches are not changed."""
    user_cache = tmp_path / "cache"
    user_cache.mkdir()
    monkeypatch.setenv("YOLODSC_CACHE", str(user_cache))

    times = measure_start(benchmark_subject("small", network(LAYERS, height=32, width=32), tmp_path), repeats=1)

    assert min(times.cold_s, times.warm_s) > 0
    assert not list(user_cache.iterdir())


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--model", "DIR", "--threads", "0"], "--threads 0: expected numbers from 1, with commas between them"),
        (
            ["--model", "DIR", "--peers", "tflite"],
            "--peers tflite: expected some of opencv, onnxruntime, onnxruntime-int8, onnxruntime-qdq,",
        ),
        (["--model", "DIR", "--ablation", "--startup"], "--ablation, --streams and --startup exclude each other; expected one of"),
        (["--model", "DIR", "--cfg", "x.cfg"], "--model and --cfg/--weights name several networks; expected one of them"),
        (["--weights", "x.weights"], "x.cfg: cannot be read: No such file or directory"),
    ],
)
def test_contradicting_options_are_refused_in_one_line(
    options: list[str], complaint: str, small: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command exits with 2 before anything is timed."""
    status = cli.run(["bench", *[str(small) if word == "DIR" else word for word in options]])

    streams = capsys.readouterr()
    assert status == 2
    assert streams.err.startswith(f"yolodsc: {complaint}")
    assert streams.out == ""


def test_without_files_of_the_default_network_the_error_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A checkout without the default network gives a clear error."""
    monkeypatch.setattr(models, "SHIPPED", tmp_path)

    status = cli.run(["bench"])

    assert status == 2
    assert capsys.readouterr().err.count("\n") == 1
