"""Signals: nothing half written, and the exit status of the signal."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.cli.support import NETWORK, PACKAGE, posix, remarks
from yolodsc.cli import signals

pytestmark = pytest.mark.slow


def attentive() -> None:
    """Take signals as a process in the foreground does; a shell makes those in the background ignore Ctrl-C."""
    for number in signals.SIGNALS:
        signal.signal(number, signal.SIG_DFL)


def started(arguments: Sequence[str], *, first: Callable[[], Any] = attentive) -> "subprocess.Popen[str]":
    """A process that has printed its first line."""
    process = subprocess.Popen(
        [sys.executable, *arguments],
        env={**os.environ, "PYTHONPATH": str(PACKAGE.parent)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        bufsize=1,
        preexec_fn=first,  # noqa: PLW1509  # nothing else runs in the test
    )
    assert process.stdout is not None
    assert process.stdout.readline()
    return process


LONG_RUN = ["-u", "-m", "yolodsc", "detect", "list.txt", *NETWORK, "--thresh", "1", "--json", "o.json", "--csv", "o.csv"]


@posix
@pytest.mark.parametrize("number", signals.SIGNALS)
def test_a_signal_leaves_nothing_half_written(number: int, here: Path) -> None:
    """The exit status is 128 and its number, one line says what is kept, and results so far are put in place whole."""
    (here / "list.txt").write_text("a.png\n" * 20_000)
    process = started(LONG_RUN)
    temporaries = list(here.glob(".o.*"))

    process.send_signal(number)
    _, err = process.communicate(timeout=60)

    assert temporaries
    assert process.returncode == 128 + number
    assert re.fullmatch(r"yolodsc: interrupted; \d+ images? done; wrote detections to o.json and o.csv\n", remarks(err))
    assert not list(here.glob(".*"))
    assert 0 < len(json.loads((here / "o.json").read_text())) < 20_000


UNWILLING = """
import sys, time
from yolodsc.cli import signals
signals.install()
try:
    print("ready", flush=True)
    time.sleep(60)
finally:
    print("cleaning up", flush=True)
    time.sleep(60)
"""


@posix
def test_the_second_signal_kills_at_once() -> None:
    """Whatever the first has started."""
    process = started(["-c", UNWILLING])
    process.send_signal(signal.SIGTERM)
    assert process.stdout is not None
    assert process.stdout.readline() == "cleaning up\n"

    process.send_signal(signal.SIGTERM)

    process.communicate(timeout=10)
    assert process.returncode == -signal.SIGTERM


@posix
def test_a_signal_that_the_parent_ignores_stays_ignored(here: Path) -> None:
    """As under ``nohup``."""
    (here / "list.txt").write_text("a.png\n" * 30)

    process = started(LONG_RUN, first=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    process.send_signal(signal.SIGHUP)
    process.communicate(timeout=60)

    assert process.returncode == 0
    assert (here / "o.json").is_file()


@posix
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_training_is_asked_to_end_by_any_signal(number: signal.Signals) -> None:
    """The exit status is that of the signal; handlers are put back."""
    ignored = signal.signal(number, signal.default_int_handler)
    before = [signal.getsignal(known) for known in signals.SIGNALS]
    asked: list[bool] = []

    with pytest.raises(KeyboardInterrupt) as caught, signals.stop_gracefully(lambda: asked.append(True)):
        os.kill(os.getpid(), number)
        time.sleep(0.01)
        raise KeyboardInterrupt

    after = [signal.getsignal(known) for known in signals.SIGNALS]
    signal.signal(number, ignored)
    assert asked == [True]
    assert getattr(caught.value, "number", signal.SIGINT) == number
    assert after == before
