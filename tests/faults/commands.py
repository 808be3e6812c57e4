"""Command lines in separate processes, on networks and images that the tests generate."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tests.test_datasets import annotation, thing
from tests.training.scenes import student, teacher, write_images
from yolodsc.images.image import write_image

ROOT = Path(__file__).parents[2]
NAMES = ("red", "blue")


def tree(root: Path, count: int) -> Path:
    """Write a VOC tree of ``count`` images, most of them links to a few, with one object each."""
    for folder in ("Annotations", "JPEGImages", "ImageSets/Main"):
        (root / folder).mkdir(parents=True)
    rng = np.random.default_rng(3)
    ids = [f"{number:05d}" for number in range(count)]
    for number, name in enumerate(ids):
        path = root / f"JPEGImages/{name}.png"
        if number < 8:
            write_image(path, rng.integers(0, 256, (60, 80, 3), dtype=np.uint8))
        else:
            path.hardlink_to(root / f"JPEGImages/{ids[number % 8]}.png")
        text = annotation(
            thing("11 11 50 50", f"<name>{NAMES[number % 2]}</name>"), size="<size><width>80</width><height>60</height></size>"
        )
        (root / f"Annotations/{name}.xml").write_text(text)
    (root / "ImageSets/Main/test.txt").write_text("\n".join(ids))
    return root


def networks(folder: Path) -> list[str]:
    """Write a student and a teacher; return the options that name the student."""
    folder.mkdir(parents=True, exist_ok=True)
    student().save(folder / "student.cfg", folder / "student.weights")
    teacher().save(folder / "teacher.cfg", folder / "teacher.weights")
    for stem in ("student", "teacher"):
        (folder / f"{stem}.names").write_text("\n".join(NAMES) + "\n")
    return ["--cfg", str(folder / "student.cfg"), "--weights", str(folder / "student.weights")]


def scenes(folder: Path) -> Path:
    """Write ten labelled training images."""
    write_images(folder, 10)
    return folder / "images"


def environment(**changes: str) -> dict[str, str]:
    """Return the environment of a process: this checkout, one BLAS thread, no dependence on a terminal."""
    variables = {"PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1", "PYTHONFAULTHANDLER": "", **changes}
    return {**os.environ, **variables}


def started(
    *arguments: object, env: dict[str, str] | None = None, before: Sequence[str] = (), **options: Any
) -> "subprocess.Popen[str]":
    """Start a command line in parallel to the test; ``before`` holds the words in front of it."""
    settings = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "env": env or environment()} | options
    settings.setdefault("preexec_fn", _hears_interrupts)
    return subprocess.Popen([*before, sys.executable, "-m", "yolodsc", *map(str, arguments)], **settings)


def _hears_interrupts() -> None:
    """Restore SIGINT, which shells ignore in background jobs and their children."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def ended(process: "subprocess.Popen[str]", *, seconds: float = 60) -> tuple[int, str]:
    """Return exit status and standard error of a process, which is killed after ``seconds``."""
    try:
        _, error = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise AssertionError(f"still running after {seconds:g} s") from None
    return process.returncode, error or ""


def command(*arguments: object, **options: Any) -> tuple[int, str]:
    """Return exit status and standard error of a command line."""
    return ended(started(*arguments, **options))


def wait(process: "subprocess.Popen[str]", condition: Callable[[], bool], *, seconds: float = 30) -> None:
    """Wait until a condition holds while the process runs."""
    end = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, f"ended early: {process.communicate()}"
        assert time.monotonic() < end, "no progress"
        time.sleep(0.01)


def temporary(folder: Path) -> list[str]:
    """Return temporary files: hidden files beside those that they will replace."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob(".*") if path.is_file())


def assert_one_line(error: str, *parts: str) -> None:
    """Assert that the command has reported one line with ``parts``, without a traceback."""
    lines = error.strip().splitlines()
    assert len(lines) == 1, error
    assert lines[0].startswith("yolodsc: ")
    assert all(part in lines[0] for part in parts), lines[0]
