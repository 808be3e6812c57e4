"""Processing of times and outputs; no test depends on a duration."""

import sys
from pathlib import Path

import numpy as np
import pytest

from tests.networks import network
from yolodsc.bench.job import Job
from yolodsc.bench.peak import peak_gflops
from yolodsc.bench.process import EngineUnavailableError, Worker
from yolodsc.bench.subject import benchmark_subject
from yolodsc.bench.timing import compare, random_order, relative_difference, rounds_within
from yolodsc.bench.worker import measure_rate, peak_memory_mb
from yolodsc.engine.selection import select_backend


def test_the_difference_is_relative_to_each_of_our_outputs() -> None:
    """An output of small numbers counts as much as one of large numbers."""
    ours = [np.array([1000.0, -2000.0], np.float32), np.array([0.5, 0.0], np.float32)]
    theirs = [ours[0] + np.float32(2), ours[1] + np.float32(0.1)]

    worst = relative_difference(theirs, ours)

    assert worst == pytest.approx(0.2)


@pytest.mark.parametrize("theirs", [np.zeros(3, np.float32), np.array([1, np.nan], np.float32)])
def test_outputs_that_cannot_be_compared_differ_infinitely(theirs: np.ndarray) -> None:
    """Outputs of different sizes and NaN cannot be compared."""
    assert relative_difference([theirs], [np.ones(2, np.float32)]) == float("inf")


def test_a_job_reads_what_it_wrote() -> None:
    """The command line of a worker contains the whole job."""
    job = Job(
        engine="ncnn",
        cfg="a b.cfg",
        weights="w",
        onnx="o",
        quantization="q",
        onnx_int8="i",
        calibration="c",
        kept="k",
        image="/p/x.npy",
        outputs=(3, 5),
        threads=4,
        streams=2,
    )

    assert Job.from_json(job.to_json()) == job
    assert job.beside(".log") == Path("/p/ncnn-4-2.log")


def test_every_engine_runs_once_in_every_round() -> None:
    """The order is random; the number of rounds fills the seconds, and is at least three."""
    workers: dict[str, Worker] = dict.fromkeys("abc")  # type: ignore[arg-type]
    rng = np.random.default_rng(0)

    orders = [random_order(workers, rng) for _ in range(20)]

    assert all(sorted(order) == ["a", "b", "c"] for order in orders)
    assert len({tuple(order) for order in orders}) == 6
    assert (rounds_within(0), rounds_within(8)) == (3, 100)


def test_a_library_that_is_not_installed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine is left out and the others run."""
    (tmp_path / "ncnn.py").write_text("raise ModuleNotFoundError('no', name='ncnn')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    small = benchmark_subject("small", network("convolutional filters=4 size=1 activation=leaky"), tmp_path)

    results, missing = compare(small, ["ncnn"], threads=1, rounds=1, seed=0, peak_gflops=None)

    assert [result.engine for result in results] == ["yolodsc"]
    assert [(one.model, one.engine, one.reason) for one in missing] == [("small", "ncnn", "ncnn is not installed")]


def test_a_process_that_dies_is_reported_with_its_last_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The line comes from its standard error."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (tmp_path / "ncnn.py").write_text("import os, sys\nsys.stderr.write('illegal instruction')\nsys.stderr.flush()\nos._exit(3)")
    small = benchmark_subject("small", network("convolutional filters=4 size=1 activation=leaky"), tmp_path)

    _, missing = compare(small, ["ncnn"], threads=1, rounds=1, seed=0, peak_gflops=None)

    assert missing[0].reason == "its process ended: illegal instruction"


def test_without_our_own_engine_there_is_nothing_to_compare(tmp_path: Path) -> None:
    """The reason is an error of the program."""
    small = benchmark_subject("small", network("convolutional filters=4 size=1 activation=leaky"), tmp_path)
    Path(small.job.weights).unlink()

    with pytest.raises(EngineUnavailableError, match=r"network\.weights"):
        compare(small, [], threads=1, rounds=1, seed=0, peak_gflops=None)


def test_streams_count_the_images_of_all_sessions() -> None:
    """A separate thread calls each session."""
    calls: list[int] = []
    sessions = [lambda _, number=number: calls.append(number) for number in range(3)]

    rate = measure_rate(sessions, np.zeros((3, 2, 2), np.float32), seconds=0.01)  # type: ignore[arg-type]

    assert rate > 0
    assert set(calls) == {0, 1, 2}


def test_the_peak_is_known_where_kernels_can_be_made() -> None:
    """Without compiled kernels there is no peak."""
    assert (peak_gflops(1) is not None) == (select_backend().isa is not None)


@pytest.mark.skipif(sys.platform == "win32", reason="the operating system does not report it")
def test_memory_is_that_of_this_process_in_mib() -> None:
    """A process with NumPy takes tens of MiB."""
    assert 20 < peak_memory_mb() < 100_000
