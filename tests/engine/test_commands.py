"""The engine's part of the command line: info, warmup, summary --plan, --isa, --streams, and the line about kernels."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import GOLDEN
from yolodsc import cli
from yolodsc.cli import progress
from yolodsc.cli.progress import Compiling
from yolodsc.engine.runtime import cores
from yolodsc.engine.selection import select_backend
from yolodsc.images.image import write_image
from yolodsc.jit.isa import available_isas

STEM = GOLDEN / "micro/yolo-v4"
NETWORK = ["--cfg", f"{STEM}.cfg", "--weights", f"{STEM}.weights"]


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Return a directory with more images than are read ahead, one of them damaged."""
    folder = tmp_path / "in"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(14):
        write_image(folder / f"{number:02}.png", rng.integers(0, 256, (40 + number, 52, 3), dtype=np.uint8))
    (folder / "07.png").write_bytes(b"broken")
    return folder


def test_info_names_what_a_report_of_a_fault_needs(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """It prints versions, processor, kernels and their reason, cache, cores and BLAS."""
    monkeypatch.delenv("YOLODSC_ISA", raising=False)
    status = cli.run(["info"])

    table = dict(line.split(None, 1) for line in capsys.readouterr().out.splitlines())
    assert status == 0
    assert {"yolodsc", "python", "numpy", "numba", "processor", "kernels", "cores", "BLAS"} <= table.keys()
    assert table["kernels"] == f"{select_backend(None).name}: {select_backend(None).reason}"


def test_info_says_that_fastdsc_serves(capsys: pytest.CaptureFixture[str]) -> None:
    """Kernels may be switched off or impossible to compile."""
    cli.run(["info", "--isa", "none"])

    assert "none, so FastDSC serves: asked for" in capsys.readouterr().out


@pytest.mark.slow
def test_warmup_compiles_once(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A second run compiles nothing."""
    monkeypatch.setenv("YOLODSC_CACHE", str(tmp_path))

    statuses = [cli.run(["warmup", *NETWORK, "--threads", "2"]) for _ in range(2)]

    out = capsys.readouterr().out
    lines = [line for line in out.splitlines() if "kernels compiled" in line]
    assert out.count("reading of images and decoding of boxes: ready") == 2
    assert statuses == [0, 0]
    assert len(lines) == 2
    assert ": 0 kernels compiled in " in lines[1]


@pytest.mark.parametrize("name", [*available_isas(), "none"])
def test_the_plan_covers_every_multiplication(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every instruction set is tested; with ``--time`` the JSON contains times."""
    cli.run(["summary", *NETWORK, "--plan", "--isa", name])
    plan = capsys.readouterr().out.splitlines()

    status = cli.run(["summary", *NETWORK, "--time", "--isa", name, "--threads", "2", "--json", str(tmp_path / "plan.json")])

    timed, table = capsys.readouterr().out.splitlines(), json.loads((tmp_path / "plan.json").read_text())
    assert status == 0
    assert plan[0].split() == ["layers", "operation", "output", "precision", "layout", "tile", "MMAC", "KB"]
    assert timed[0].split()[-2:] == ["ms", "GFLOP/s"]
    assert len(plan) == len(timed) == len(table["plan"]) + 2
    assert plan[-1] == f"total {sum(entry['macs'] for entry in table['plan']) / 1e6:.2f} MMAC; 1 thread, {name} (asked for)"
    assert all(entry["ms"] > 0 for entry in table["plan"])
    assert {layer for entry in table["plan"] for layer in entry["layers"]} >= {0, 1, 2}


def test_streams_change_nothing_but_time(
    images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Order, boxes and the report of unreadable images are the same."""
    monkeypatch.setattr(cores, "available_cores", lambda: 6)
    results = []
    for streams in ("1", "3"):
        out = tmp_path / f"{streams}.json"
        arguments = [str(images), *NETWORK, "--thresh", ".05", "--streams", streams, "--threads", "2", "--json", str(out)]
        status = cli.run(["detect", *arguments, "--quiet"])
        results.append((status, out.read_text(), capsys.readouterr().err))

    assert results[0] == results[1]
    assert results[0][0] == 1
    assert "07.png: cannot be read as an image" in results[0][2]
    assert len(json.loads(results[0][1])) == 13


@pytest.mark.parametrize("isa", [*available_isas(), "none"])
def test_detect_runs_on_the_instruction_set_that_is_asked_for(
    isa: str, images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The detections are the same."""
    found = []
    for name in (next(iter(available_isas())), isa):
        out = tmp_path / f"{name}.csv"
        cli.run(["detect", str(images / "03.png"), *NETWORK, "--thresh", ".05", "--isa", name, "--csv", str(out), "--quiet"])
        found.append([line.split(",") for line in out.read_text().splitlines()[1:]])

    assert len(found[0]) == len(found[1]) > 0
    boxes = [np.array([[float(cell) for cell in row[2:]] for row in rows]) for rows in found]
    np.testing.assert_allclose(boxes[1], boxes[0], rtol=1e-4, atol=1e-3)
    assert capsys.readouterr().err == ""


def test_an_instruction_set_that_is_not_there_is_said_in_one_line(images: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The line lists those that exist."""
    status = cli.run(["detect", str(images / "03.png"), *NETWORK, "--isa", "z80"])

    assert status == 2
    assert re.match("yolodsc: (--isa |isa=)z80: expected .*none", capsys.readouterr().err)


def test_compiling_is_said_once_it_has_taken_a_second(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """There is one line unless standard error is a terminal, and none before a second has passed."""
    now = [0.0]
    monkeypatch.setattr(progress, "perf_counter", lambda: now[0])
    report = Compiling()
    for done, seconds in enumerate((0.0, 0.5, 0.9)):
        now[0] = seconds
        report(done, 9)
    early = capsys.readouterr().err

    for done in range(3, 10):
        now[0] += 1
        report(done, 9)

    assert early == ""
    assert capsys.readouterr().err == "yolodsc: compiling kernels (first run on this machine) 3/9\n"


def test_on_a_terminal_the_line_counts(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The line is rewritten and ends when all kernels are compiled."""
    monkeypatch.setattr(progress.sys.stderr, "isatty", lambda: True, raising=False)
    report = Compiling()
    report.start -= 5

    for done in range(3):
        report(done, 2)

    said = "yolodsc: compiling kernels (first run on this machine)"
    assert capsys.readouterr().err == f"\r{said} 0/2\r{said} 1/2\r{said} 2/2\n"
