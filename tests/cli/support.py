"""Processes and inputs that several test files share."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import GOLDEN

STEM = GOLDEN / "micro/yolo-v4"

NETWORK = ["--cfg", f"{STEM}.cfg", "--weights", f"{STEM}.weights"]

PACKAGE = Path(__file__).parents[2] / "yolodsc"

LONG = "x" * 300

posix = pytest.mark.skipif(os.name == "nt", reason="POSIX signals, descriptors and file names")


def run(*arguments: str, shell: str = "{}", **environment: str) -> subprocess.CompletedProcess[str]:
    """A process of its own, in a shell that may redirect or limit it; undecodable output is escaped."""
    words = [sys.executable, "-m", "yolodsc", *arguments]
    command = ["sh", "-c", shell.format('"$@"'), "sh", *words]
    own = {**os.environ, "PYTHONPATH": str(PACKAGE.parent), **environment}
    return subprocess.run(
        command, env=own, capture_output=True, encoding="utf-8", errors="backslashreplace", check=False, timeout=120
    )


USUAL = re.compile(r"yolodsc: (compiling kernels|wrote |\d+ images( \(\d+ failed\))?, \d+ object)")
"""Lines of runs in which all goes well: what they wrote and how fast, and that a slow machine compiles kernels."""


def remarks(text: str) -> str:
    """What was said on standard error but for the `USUAL` lines."""
    return "".join(line for line in text.splitlines(keepends=True) if not USUAL.match(line))


def complains(done: "subprocess.CompletedProcess[str]", text: str, *, status: int = 2) -> None:
    """See that there is one line with this text and this exit status."""
    said = remarks(done.stderr)
    assert (done.returncode, said.count("\n")) == (status, 1), said
    assert said.startswith("yolodsc: ")
    assert text in said
