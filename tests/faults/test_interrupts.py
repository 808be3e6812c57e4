"""SIGINT, SIGTERM and SIGKILL during a run: no partial files, and ``--resume`` gives the same result."""

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.faults.commands import command, ended, environment, started, temporary, wait
from tests.faults.conftest import Material

pytestmark = pytest.mark.slow

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGKILL)
STATUS = {signal.SIGINT: {130}, signal.SIGTERM: {143, -signal.SIGTERM}, signal.SIGKILL: {-signal.SIGKILL}}
"""Exit status after a signal, as the shell or as the kernel counts it."""


def interrupt(process: Any, number: signal.Signals) -> None:
    """Send a signal; the process must end soon and without a traceback."""
    os.kill(process.pid, number)
    status, error = ended(process, seconds=30)
    assert status in STATUS[number], f"exit status {status}: {error}"
    assert "Traceback" not in error


def lines(path: Path) -> int:
    """Return the number of lines that a file has so far."""
    return path.read_bytes().count(b"\n") if path.exists() else 0


def timeless(path: Path) -> dict[str, Any]:
    """Return the evaluation without its times."""
    return {key: value for key, value in json.loads(path.read_text()).items() if key != "speed_ms"}


@pytest.mark.parametrize("number", SIGNALS)
def test_detect_leaves_whole_files_only(material: Material, tmp_path: Path, number: signal.Signals) -> None:
    """Annotated images are complete, and so are JSON and CSV if they exist; INT and TERM leave no temporary file."""
    from PIL import Image

    saved, outputs = tmp_path / "saved", ("--json", tmp_path / "all.json", "--csv", tmp_path / "all.csv")
    arguments = ("detect", *material.network, material.tree / "JPEGImages", "--thresh", ".6", "--save", saved, *outputs)

    process = started(*arguments)
    wait(process, lambda: saved.is_dir() and len(list(saved.glob("*.png"))) > 3)
    interrupt(process, number)

    images = list(saved.glob("[!.]*"))
    for path in images:
        with Image.open(path) as image:
            image.load()
    assert 3 < len(images) < 240
    if (tmp_path / "all.json").exists():
        assert len(json.loads((tmp_path / "all.json").read_text())) < 240
    if (tmp_path / "all.csv").exists():
        assert (tmp_path / "all.csv").read_text().endswith("\n")
    assert number != signal.SIGKILL or not (tmp_path / "all.json").exists()
    if number != signal.SIGKILL:
        assert temporary(tmp_path) == []


@pytest.fixture(scope="module")
def evaluation(material: Material, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the results of evaluate without interruption."""
    folder = tmp_path_factory.mktemp("whole")
    assert evaluated(material, folder) == 0
    return folder


def evaluation_arguments(material: Material, folder: Path, *more: str) -> tuple[object, ...]:
    """Return the command line of both runs."""
    outputs = ("--json", folder / "all.json", "--save-detections", folder / "kept")
    names = ("--names", material.folder / "net/student.names")
    return ("evaluate", *material.network, *names, "--voc", material.tree, "--thresh", ".3", *outputs, "--quiet", *more)


def evaluated(material: Material, folder: Path, *more: str) -> int:
    """Return the exit status of a complete run."""
    status, error = command(*evaluation_arguments(material, folder, *more))
    assert "Traceback" not in error
    return status


@pytest.mark.parametrize("number", SIGNALS)
def test_an_evaluation_that_was_stopped_resumes_to_the_same_result(
    material: Material, evaluation: Path, tmp_path: Path, number: signal.Signals
) -> None:
    """Rules, errors and comp4 files are equal; the journal has every image once."""
    process = started(*evaluation_arguments(material, tmp_path))
    wait(process, lambda: lines(tmp_path / "kept/detections.jsonl") > 20)
    interrupt(process, number)
    done = lines(tmp_path / "kept/detections.jsonl")
    left = temporary(tmp_path)

    status = evaluated(material, tmp_path, "--resume")

    assert 20 < done < 241
    assert number == signal.SIGKILL or left == []
    assert status == 0
    assert lines(tmp_path / "kept/detections.jsonl") == 241
    assert timeless(tmp_path / "all.json") == timeless(evaluation / "all.json")
    for path in (evaluation / "kept").glob("comp4*"):
        assert (tmp_path / "kept" / path.name).read_bytes() == path.read_bytes()


@pytest.fixture(scope="module")
def training(material: Material, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the results of finetune without interruption."""
    folder = tmp_path_factory.mktemp("trained")
    status, error = command(*training_arguments(material, folder), env=environment(PYTHONPATH=material.without_curves))
    assert (status, error) == (0, "")
    return folder


def training_arguments(material: Material, folder: Path, *more: str) -> tuple[object, ...]:
    """Return a command line for thirty short epochs with a checkpoint after each."""
    net = material.folder / "net"
    pairs = ("--student", net / "student.cfg", net / "student.weights", "--teacher", net / "teacher.cfg", net / "teacher.weights")
    return ("finetune", *pairs, "--images", material.scenes, "--out", folder, "--epochs", 30, "--batch", 4, "--quiet", *more)


@pytest.mark.parametrize("number", SIGNALS)
def test_a_training_that_was_stopped_resumes_to_the_same_network(
    material: Material, training: Path, tmp_path: Path, number: signal.Signals
) -> None:
    """The files are identical; a killed process leaves a complete checkpoint."""
    env = environment(PYTHONPATH=material.without_curves)
    process = started(*training_arguments(material, tmp_path), env=env)
    wait(process, (tmp_path / "checkpoint.npz").exists)
    interrupt(process, number)
    left = temporary(tmp_path)
    assert not (tmp_path / "student-finetuned.weights").exists()

    status, error = command(*training_arguments(material, tmp_path, "--resume"), env=env)

    assert (status, error) == (0, "")
    assert number == signal.SIGKILL or left == []
    for name in ("student-finetuned.cfg", "student-finetuned.weights", "student-finetuned.names"):
        assert (tmp_path / name).read_bytes() == (training / name).read_bytes()


@pytest.mark.parametrize("number", SIGNALS)
def test_a_decomposition_that_was_stopped_leaves_nothing(material: Material, tmp_path: Path, number: signal.Signals) -> None:
    """No file of the new network exists."""
    net, out = material.folder / "net", tmp_path / "out"
    arguments = ("--cfg", net / "teacher.cfg", "--weights", net / "teacher.weights", "--images", material.tree / "JPEGImages")

    process = started("decompose", *arguments, "--out", out, "--count", 240, "--quiet", "--report", tmp_path / "report")
    wait(process, lambda: _seconds(process.pid) > 1.0)
    interrupt(process, number)

    assert [path for path in (out, tmp_path / "report") if path.exists() and any(path.iterdir())] == []


def _seconds(process: int) -> float:
    """Return the processor time of a process so far, which shows that its imports are done on fast and busy machines alike."""
    fields = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
