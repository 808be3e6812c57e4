"""Runs whose workers or scheduler die or hang, as processes of their own: the results are those of one process, to the byte."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.support import NETWORK
from tests.distributed.support import (
    PATIENCE,
    detect,
    environment,
    link_images,
    parts,
    scheduler,
    wait_until,
    worker_pids,
    workers,
)
from yolodsc.cli import run

pytest.importorskip("distributed")
pytest.importorskip("pyarrow")
pytestmark = pytest.mark.slow

IMAGES = 160
SIDE = 600


@pytest.fixture(scope="module")
def listed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A list of images that take a few milliseconds each, and what one process writes for them."""
    folder = tmp_path_factory.mktemp("images")
    paths = [*link_images(folder, IMAGES, side=SIDE), str(folder / "missing.png")]
    (folder / "list.txt").write_text("\n".join(paths))
    outputs = ["--json", str(folder / "one.json"), "--csv", str(folder / "one.csv")]
    assert run(["detect", str(folder / "list.txt"), *NETWORK, "--thresh", "0.1", "--quiet", *outputs]) == 1
    return folder / "list.txt"


def arguments(listed: Path, file: Path, folder: Path, *more: str) -> list[str]:
    """The arguments of a run in small chunks, with all outputs."""
    outputs = ("--json", str(folder / "many.json"), "--csv", str(folder / "many.csv"), "--parquet", str(folder / "parts"))
    return [str(listed), "--scheduler", str(file), "--chunk", "4", *outputs, *more]


def ensure_same(listed: Path, folder: Path) -> None:
    """See that all outputs are those of one process."""
    for ending in ("json", "csv"):
        assert (folder / f"many.{ending}").read_bytes() == listed.with_name(f"one.{ending}").read_bytes()


def test_a_killed_worker_costs_nothing(listed: Path, tmp_path: Path) -> None:
    """One of two workers is killed in the middle; the other repeats its chunks."""
    with scheduler(tmp_path) as (_, file), workers(tmp_path, file, 2):
        first, _ = worker_pids(file, 2)
        started = detect(*arguments(listed, file, tmp_path), log=tmp_path / "run.log")
        wait_until(lambda: parts(tmp_path / "parts") >= 3)
        os.kill(first, signal.SIGKILL)
        before = parts(tmp_path / "parts")
        status = started.wait(PATIENCE)

    assert before < (IMAGES + 1) // 4
    assert status == 1, (tmp_path / "run.log").read_text()
    ensure_same(listed, tmp_path)


def test_a_hanging_worker_is_restarted(listed: Path, tmp_path: Path) -> None:
    """One of two workers is stopped in the middle and never goes on by itself."""
    with scheduler(tmp_path) as (_, file), workers(tmp_path, file, 2):
        first, _ = worker_pids(file, 2)
        started = detect(*arguments(listed, file, tmp_path, "--worker-timeout", "5"), log=tmp_path / "run.log")
        wait_until(lambda: parts(tmp_path / "parts") >= 12)
        os.kill(first, signal.SIGSTOP)
        status = started.wait(PATIENCE)

    said = (tmp_path / "run.log").read_text()
    assert status == 1, said
    assert "hangs: no chunk in 5 s; it is restarted" in said
    ensure_same(listed, tmp_path)


def test_a_run_resumes_after_its_scheduler_was_killed(listed: Path, tmp_path: Path) -> None:
    """The first run ends with one line that says how to go on; the second one does so on another scheduler.

    A chunk whose connection was lost before the scheduler was missed may be reported before.
    """
    with scheduler(tmp_path, file="first.json") as (process, file), workers(tmp_path, file, 2):
        worker_pids(file, 2)
        started = detect(*arguments(listed, file, tmp_path), log=tmp_path / "first.log")
        wait_until(lambda: parts(tmp_path / "parts") >= 3)
        process.kill()
        status = started.wait(PATIENCE)
        log = (tmp_path / "first.log").read_text().splitlines()
        lines = [line for line in log if "missing.png" not in line and "attempt 1 of 3 failed" not in line]
    done = parts(tmp_path / "parts")

    with scheduler(tmp_path, file="second.json") as (_, file), workers(tmp_path, file, 2):
        resumed = detect(*arguments(listed, file, tmp_path, "--resume"), log=tmp_path / "second.log").wait(PATIENCE)

    assert (status, len(lines)) == (2, 1), lines
    assert "the connection is lost" in lines[0]
    assert f"finished chunks are in {tmp_path}/parts/; the same command with --resume continues" in lines[0]
    assert 3 <= done < (IMAGES + 1) // 4
    assert resumed == 1, (tmp_path / "second.log").read_text()
    ensure_same(listed, tmp_path)


def test_a_run_resumes_after_it_was_killed(listed: Path, tmp_path: Path) -> None:
    """The client is killed in the middle; the same scheduler and workers serve the second run."""
    with scheduler(tmp_path) as (_, file), workers(tmp_path, file, 2):
        started = detect(*arguments(listed, file, tmp_path), log=tmp_path / "first.log")
        wait_until(lambda: parts(tmp_path / "parts") >= 3)
        started.kill()
        started.wait()
        resumed = detect(*arguments(listed, file, tmp_path, "--resume"), log=tmp_path / "second.log").wait(PATIENCE)

    assert resumed == 1, (tmp_path / "second.log").read_text()
    ensure_same(listed, tmp_path)


def test_an_evaluation_survives_a_kill_of_its_scheduler(tmp_path: Path) -> None:
    """AP and everything else but times equal those of one process to the last digit, after a kill and a resumed run."""
    data = dataset(tmp_path / "data", IMAGES)
    common = ["evaluate", "--data", str(data), *NETWORK, "--quiet"]
    assert run([*common, "--json", str(tmp_path / "one.json"), "--csv", str(tmp_path / "one.csv")]) == 0
    many = [*common, "--json", str(tmp_path / "many.json"), "--csv", str(tmp_path / "many.csv"), "--chunk", "4"]
    many += ["--save-detections", str(tmp_path / "kept")]
    journal = tmp_path / "kept/detections.jsonl"

    with scheduler(tmp_path, file="first.json") as (process, file), workers(tmp_path, file, 2):
        worker_pids(file, 2)
        with (tmp_path / "first.log").open("wb") as log:
            started = subprocess.Popen(
                [sys.executable, "-m", "yolodsc", *many, "--scheduler", str(file)], stderr=log, env=environment()
            )
            wait_until(lambda: journal.exists() and journal.read_text().count("\n") > 20)
            process.kill()
            status = started.wait(PATIENCE)
    done = journal.read_text().count("\n")
    assert run([*many, "--scheduler", "local:2", "--resume"]) == 0

    assert status == 2
    assert "with --resume continues" in (tmp_path / "first.log").read_text()
    assert 20 < done <= IMAGES
    one, two = (json.loads((tmp_path / f"{name}.json").read_text()) for name in ("one", "many"))
    assert one["headline"]["mean_ap"] > 0
    assert {**one, "speed_ms": {}} == {**two, "speed_ms": {}}
    assert (tmp_path / "one.csv").read_bytes() == (tmp_path / "many.csv").read_bytes()


def dataset(folder: Path, count: int) -> Path:
    """Images whose ground truth is a part of what the network detects, as a ``.data`` file."""
    paths = link_images(folder, count, side=SIDE)
    (folder / "valid.txt").write_text("\n".join(paths))
    names = [str(number) for number in range(20)]
    assert run(["detect", paths[0], *NETWORK, "--thresh", "0.1", "--quiet", "--txt", str(folder / "found"), "--no-score"]) == 0
    (labels,) = (folder / "found").iterdir()
    rows = labels.read_text().splitlines()
    classes = 1 + max(int(row.split()[0]) for row in rows)
    (folder / "x.names").write_text("\n".join(names[: max(classes, network_classes())]))
    for n, path in enumerate(paths):
        Path(path).with_suffix(".txt").write_text("\n".join(rows[n % 3 :: 2]))
    data = folder / "x.data"
    data.write_text(f"classes = {classes}\nvalid = {folder / 'valid.txt'}\nnames = {folder / 'x.names'}\n")
    return data


def network_classes() -> int:
    """Number of classes of the small network."""
    from yolodsc.detection import reported_classes
    from yolodsc.network import Network

    return reported_classes(Network.load(NETWORK[1], NETWORK[3]))
