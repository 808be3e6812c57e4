"""Schedulers, workers and runs as processes of their own, and images for them."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from tests.cli.support import NETWORK, PACKAGE
from yolodsc.images import write_image

PATIENCE = 240.0
"""Seconds that a test waits for a process; machines that run tests may be busy."""


def write_images(folder: Path, count: int, *, side: int = 48) -> list[str]:
    """Write PNG files of noise over gradients, no two alike, and return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(7)
    paths = []
    for n in range(count):
        pixels = random.integers(0, 256, (side + n % 5, side + n % 7, 3), np.uint8)
        paths.append(folder / f"image{n:03d}.png")
        write_image(paths[-1], pixels)
    return [str(path) for path in paths]


def link_images(folder: Path, count: int, *, side: int) -> list[str]:
    """Write one image that takes a while to read, and links to it."""
    (first,) = write_images(folder, 1, side=side)
    for n in range(1, count):
        (folder / f"link{n:03d}.png").symlink_to(first)
    return [first, *(str(folder / f"link{n:03d}.png") for n in range(1, count))]


def environment(**more: str) -> dict[str, str]:
    """The environment of a process that imports this checkout."""
    return {**os.environ, "PYTHONPATH": str(PACKAGE.parent), **more}


@contextmanager
def process(*arguments: str, log: Path, cwd: Path | None = None, **more: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process of Python that is killed at the end, with its children."""
    with log.open("ab") as file:
        started = subprocess.Popen(
            [sys.executable, *arguments],
            stdout=file,
            stderr=file,
            env=environment(**more),
            start_new_session=True,
            cwd=cwd or log.parent,
        )
    try:
        yield started
    finally:
        kill_group(started)


def kill_group(started: subprocess.Popen[bytes]) -> None:
    """Kill a process and its children; stopped ones too."""
    for number in (signal.SIGKILL, signal.SIGCONT):
        try:
            os.killpg(started.pid, number)
        except ProcessLookupError:
            break
    started.wait(PATIENCE)


@contextmanager
def scheduler(folder: Path, *, file: str = "scheduler.json", port: int = 0) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """A scheduler, and the file that names its address."""
    path = folder / file
    arguments = ("-m", "distributed.cli.dask_scheduler", "--scheduler-file", str(path), "--port", str(port), "--no-dashboard")
    with process(*arguments, "--host", "127.0.0.1", log=folder / "scheduler.log") as started:
        wait_until(path.exists)
        yield started, path


@contextmanager
def workers(folder: Path, file: Path, count: int, *, cwd: Path | None = None, **more: str) -> Iterator[subprocess.Popen[bytes]]:
    """Worker processes of one thread each, under a nanny that restarts them."""
    arguments = ("-m", "distributed.cli.dask_worker", "--scheduler-file", str(file), "--nworkers", str(count), "--nthreads", "1")
    local = ("--no-dashboard", "--local-directory", str(folder / "workers"), "--host", "127.0.0.1")
    with process(*arguments, *local, log=folder / "workers.log", cwd=cwd, **more) as started:
        yield started


def worker_pids(file: Path, count: int) -> list[int]:
    """Process numbers of the workers, once so many are there."""
    from distributed import Client

    with Client(scheduler_file=str(file), set_as_default=False) as client:
        client.wait_for_workers(count, timeout=PATIENCE)
        return sorted(client.run(os.getpid).values())


def detect(*arguments: str, log: Path) -> subprocess.Popen[bytes]:
    """Start ``yolodsc detect`` with the small network; messages go to the log."""
    words = [sys.executable, "-m", "yolodsc", "detect", *arguments, *NETWORK, "--thresh", "0.1", "--quiet"]
    with log.open("wb") as file:
        return subprocess.Popen(words, stderr=file, stdout=subprocess.DEVNULL, env=environment())


def wait_until(holds: Callable[[], bool]) -> None:
    """Wait for something that other processes do; an error after `PATIENCE`."""
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.05)


def parts(folder: Path) -> int:
    """Number of finished Parquet files."""
    return len(list(folder.glob("part-*.parquet"))) if folder.is_dir() else 0
