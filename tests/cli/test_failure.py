"""Errors that nobody foresaw, and lack of memory: one line that says whose fault it is."""

import errno
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cli.support import NETWORK, STEM, complains, run
from yolodsc import cli


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="address space is limited on Linux")
@pytest.mark.parametrize("kilobytes", [30_000, 70_000, 120_000, 160_000])
def test_too_little_memory_is_said_in_one_line(kilobytes: int, here: Path) -> None:
    """While Python, NumPy, OpenCV or LLVM are loaded; OpenBLAS, which is loaded from 75 to 110 MB, ends the process itself."""
    shell = f"ulimit -v {kilobytes}; exec {{}}"

    complains(run("detect", "a.png", *NETWORK, shell=shell, OPENBLAS_NUM_THREADS="1"), "out of memory")


class Raised:
    """A function that raises."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def __call__(self, *_: object, **__: object) -> Any:
        raise self.error


def insufficient() -> BaseException:
    """What OpenCV raises where an array cannot be had."""
    import cv2

    return cv2.error("OpenCV(4.13) alloc.cpp:73: error: (-4:Insufficient memory) Failed to allocate 9 bytes\n in function 'x'\n")


def caused() -> BaseException:
    """A library's error over a lack of memory."""
    error = ImportError("could not load", name="library")
    error.__cause__ = MemoryError()
    return error


SUMMARY = ["summary", "--cfg", f"{STEM}.cfg"]


@pytest.mark.parametrize(
    ("error", "status", "text"),
    [
        (MemoryError(), 2, "out of memory; expected"),
        (MemoryError("Unable to allocate 3 GiB"), 2, "out of memory (Unable to allocate 3 GiB); expected"),
        (insufficient(), 2, "out of memory (OpenCV"),
        (caused(), 2, "out of memory"),
        (RuntimeError("can't start new thread"), 2, "out of memory"),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), 2, "out of memory"),
        (OSError(errno.EMFILE, "Too many open files"), 2, "Too many open files"),
        (OSError(errno.ESTALE, "Stale file handle", "some.weights"), 2, "some.weights: Stale file handle"),
        (ImportError("no symbol", name="cv2"), 2, "cv2 cannot be loaded: no symbol"),
        (KeyError("a\n\x1b[31mb"), 70, "defect of yolodsc in yolodsc/cli/summary.py"),
        (OSError(errno.EBADF, "Bad file descriptor"), 70, "defect of yolodsc"),
        (ImportError("cannot import name 'x'", name="yolodsc.darknet.cfg"), 70, "defect of yolodsc"),
        (AssertionError(), 70, "AssertionError"),
        (RecursionError("too deep"), 70, "YOLODSC_TRACEBACK=1"),
    ],
)
def test_what_nobody_foresaw_is_one_line_that_says_whose_fault_it_is(
    error: BaseException, status: int, text: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The machine's: 2; the program's: 70, with the way to the traceback."""
    monkeypatch.setattr("yolodsc.cli.summary.summarise", Raised(error))

    found = cli.run(SUMMARY)

    err = capsys.readouterr().err
    assert (found, err.count("\n")) == (status, 1)
    assert text in err
    assert "\x1b" not in err


def test_the_traceback_is_printed_on_request(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Before the line."""
    monkeypatch.setenv("YOLODSC_TRACEBACK", "1")
    monkeypatch.setattr("yolodsc.cli.summary.summarise", Raised(KeyError("x")))

    assert cli.run(SUMMARY) == 70

    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert lines[-1].startswith("yolodsc: defect of yolodsc in yolodsc/cli/summary.py")
