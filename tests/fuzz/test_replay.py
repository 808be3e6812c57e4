"""Replay of all stored cases of all fuzz targets: seeds, and cases found by fuzzers."""

import signal
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tools.fuzzing.families import NAMES, family_of, target_named
from tools.fuzzing.target import CORPUS, Target, corpus
from yolodsc.errors import YolodscError

pytestmark = pytest.mark.slow


@contextmanager
def limited(seconds: float) -> Iterator[None]:
    """Raise a TimeoutError if the block takes too long."""

    def late(number: int, frame: object) -> None:
        raise TimeoutError(f"more than {seconds:g} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def failure(target: Target, path: Path, seconds: float) -> str | None:
    """Return one line that says what is wrong with a case; None if it is accepted, or refused in one line."""
    try:
        with limited(seconds):
            target.one(path.read_bytes())
    except YolodscError as error:
        return f"{path.name}: {error!r} has several lines" if "\n" in str(error) else None
    except Exception as error:
        return f"{path.name}: {type(error).__name__}: {str(error)[:200]}"
    return None


@pytest.mark.parametrize("name", NAMES)
def test_every_stored_case_is_accepted_or_refused_in_one_line(name: str) -> None:
    """There is no other exception, no crash, and no case beyond the time limit."""
    target = target_named(name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        target.prepare()
        failures = [failure(target, path, family_of(name).seconds) for path in corpus(name)]

    assert [text for text in failures if text is not None] == []


def test_every_target_has_seeds_and_every_folder_a_target() -> None:
    """With an empty directory the replay would pass without running anything."""
    assert {path.name for path in CORPUS.iterdir()} == set(NAMES)
    assert all(len(corpus(name)) >= 3 for name in NAMES)
