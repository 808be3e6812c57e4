"""Images a second of each worker, as lines on standard error and at the end."""

import sys
from collections import Counter
from collections.abc import Callable
from time import perf_counter
from typing import Self

from yolodsc.cli.terminal import log, note

INTERVAL = 30.0
"""Seconds between two lines where standard error is no terminal, which shows a progress bar instead."""

SHOWN = 8
"""Workers that are named."""


class ClusterProgress:
    """Counts the images of each worker.

    Parameters
    ----------
    total
        Returns the number of images, if it is known.
    quiet
        Print nothing.
    """

    def __init__(self, *, total: Callable[[], int | None] | None, quiet: bool) -> None:
        self._total, self._quiet = total, quiet
        self._images: Counter[str] = Counter()
        self._start = self._printed = perf_counter()

    def add(self, worker: str, images: int) -> None:
        """Count a chunk, and print a line from time to time."""
        self._images[worker] += images
        if not self._quiet and not sys.stderr.isatty() and perf_counter() - self._printed >= INTERVAL:
            self._printed = perf_counter()
            log(f"yolodsc: {self._line()}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        if self._quiet or not self._images:
            return
        note(f"images/s by worker: {self._rates()}")

    def _line(self) -> str:
        """Images, rate and remaining time."""
        done, seconds = self._images.total(), perf_counter() - self._start
        total = self._total() if self._total else None
        of = f" of {total}" if total else ""
        left = f", {_duration((total - done) * seconds / done)} left" if total and total > done else ""
        return f"{done}{of} images, {done / seconds:.1f} images/s{left}; by worker: {self._rates()}"

    def _rates(self) -> str:
        """Images a second of the first workers."""
        seconds = max(perf_counter() - self._start, 1e-9)
        named = [f"{worker} {count / seconds:.1f}" for worker, count in self._images.most_common(SHOWN)]
        more = len(self._images) - SHOWN
        return ", ".join([*named, *([f"{more} more"] if more > 0 else [])])


def _duration(seconds: float) -> str:
    """Hours, minutes or seconds."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
