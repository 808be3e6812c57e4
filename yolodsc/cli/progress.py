"""Progress bars on standard error, if it is a terminal and there is more than one item."""

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from threading import Event, Lock, Timer
from time import perf_counter
from typing import TypeVar

from yolodsc.cli.terminal import log, printable, status

Item = TypeVar("Item")


def progress(
    items: Iterable[Item], *, total: int | Callable[[], int | None], quiet: bool = False, unit: str = "images"
) -> Iterator[Item]:
    """Yield the items and show rate and remaining time; ``total`` is called only if it is shown, and returns None if unknown."""
    count = None if quiet or not sys.stderr.isatty() else total if isinstance(total, int) else total()
    if quiet or not sys.stderr.isatty() or (count is not None and count < 2):
        yield from items
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
    from rich.text import Text

    class Rate(ProgressColumn):
        """Items a second."""

        def render(self, task: Task) -> Text:
            return Text(f"{task.speed:.1f}{' fps' if unit == 'frames' else '/s'}" if task.speed else "")

    columns = (BarColumn(), MofNCompleteColumn(), TextColumn(unit, markup=False), Rate(), TimeRemainingColumn())
    redirect = sys.stdout.isatty()  # results that go to a file or pipe must not pass through the console of the bar
    with Progress(*columns, console=Console(stderr=True), transient=True, redirect_stdout=redirect) as bar:
        yield from bar.track(items, total=count)


_ANNOUNCED = Event()
"""Set once a line has said that kernels are compiled; a command says so once."""


class Announcement:
    """Prints one line once compilation by Numba has taken a second in all: an observer for `jit.observe_compilation`."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._depth, self._spent, self._start = 0, 0.0, 0.0
        self._timer: Timer | None = None
        _ANNOUNCED.clear()

    def begin(self) -> None:
        """Print the line after what is left of the second, unless the compilation ends before."""
        with self._lock:
            self._depth += 1
            if self._depth > 1 or _ANNOUNCED.is_set():
                return
            self._start = perf_counter()
            self._timer = Timer(max(1.0 - self._spent, 0.0), self._announce)
            self._timer.daemon = True
            self._timer.start()

    def end(self) -> None:
        """Count the time of a compilation."""
        with self._lock:
            self._depth = max(self._depth - 1, 0)
            if self._depth == 0 and self._timer is not None:
                self._timer.cancel()
                self._spent += perf_counter() - self._start

    def _announce(self) -> None:
        if not _ANNOUNCED.is_set():
            _ANNOUNCED.set()
            log("yolodsc: compiling kernels (first run on this machine)")


class Compiling:
    """Progress callback for `engine.compile`: reports on standard error once compilation has taken a second."""

    def __init__(self) -> None:
        self.start = perf_counter()
        self.reported = False

    def __call__(self, done: int, total: int) -> None:
        """Report ``done`` of ``total`` kernels: rewrite the line on a terminal, print it once elsewhere."""
        if perf_counter() - self.start < 1 and not self.reported:
            return
        terminal = sys.stderr.isatty()
        if terminal or not (self.reported or _ANNOUNCED.is_set()):
            line = f"yolodsc: compiling kernels (first run on this machine) {done}/{total}"
            status(line, last=done >= total) if terminal else log(line)
        self.reported = True
        _ANNOUNCED.set()


@contextmanager
def fitting_progress(quiet: bool, *, timing: bool = False) -> Iterator[Callable[[str, float], None]]:
    """A progress bar of a description and a share on a terminal, nothing elsewhere.

    With ``timing`` it is drawn only when it is called, so that it disturbs no measurement.
    """
    if quiet or not sys.stderr.isatty():
        yield lambda what, share: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (BarColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn(), TimeRemainingColumn())
    with Bar(*columns, console=Console(stderr=True), transient=True, auto_refresh=not timing) as bar:
        task = bar.add_task("", total=1.0)
        yield lambda what, share: bar.update(task, description=printable(what), completed=share, refresh=timing)
