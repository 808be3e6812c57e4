"""Progress bars: on a terminal, on standard error, and only where there is more than one thing to do."""

import sys
from collections.abc import Callable, Iterable, Iterator
from time import perf_counter
from typing import TypeVar

from yolodsc.cli.terminal import log, status

Item = TypeVar("Item")


def progress(
    items: Iterable[Item], *, total: int | Callable[[], int | None], quiet: bool = False, unit: str = "pictures"
) -> Iterator[Item]:
    """Pass the items on, showing rate and remaining time; ``total`` is asked for only where it is shown, None is unknown."""
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
            return Text(f"{task.speed:.1f}/s" if task.speed else "")

    columns = (BarColumn(), MofNCompleteColumn(), TextColumn(unit, markup=False), Rate(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        yield from bar.track(items, total=count)


class Compiling:
    """Says that kernels are being compiled, once that has taken a second: progress for `engine.compile`, on standard error."""

    def __init__(self) -> None:
        self.start = perf_counter()
        self.said = False

    def __call__(self, done: int, total: int) -> None:
        """``done`` of ``total`` kernels are there: a line that is written again on a terminal, else written once."""
        if perf_counter() - self.start < 1 and not self.said:
            return
        terminal = sys.stderr.isatty()
        if terminal or not self.said:
            line = f"yolodsc: compiling kernels (first run on this machine) {done}/{total}"
            status(line, last=done >= total) if terminal else log(line)
        self.said = True
