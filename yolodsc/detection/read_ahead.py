"""Ordered read-ahead: tasks start early, finish in order, and are bounded in number and bytes."""

import ctypes
import os
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import CancelledError, Future
from threading import Condition
from types import TracebackType
from typing import Self, TypeVar

Entry = TypeVar("Entry")
Result = TypeVar("Result")

MAX_BYTES = 3 * 2**27
"""Maximum bytes of decoded images in flight: one of the largest images, or a dozen photographs of 12 megapixels."""

_LARGE = 2**26
"""Bytes of an image after which free memory returns to the system: glibc otherwise keeps freed memory for each thread."""


class Budget:
    """Admits tasks in the order of their numbers while the sum of their bytes stays within a limit; a single task always.

    The order prevents deadlocks: tasks that hold bytes precede those that wait, and do not depend on them.
    """

    def __init__(self, limit: int = MAX_BYTES) -> None:
        self.limit = limit
        self.peak = 0
        self._held: dict[int, int] = {}
        self._next = 0
        self._closed = False
        self._changed = Condition()

    def admit(self, number: int, size: int) -> None:
        """Wait until the task's turn and until its bytes fit; return at once if the task was admitted before."""
        with self._changed:
            if number < self._next:
                return
            self._changed.wait_for(lambda: self._closed or (number == self._next and self._fits(size)))
            if self._closed:
                raise CancelledError
            self._held[number] = size
            self._next += 1
            self.peak = max(self.peak, sum(self._held.values()))
            self._changed.notify_all()

    def release(self, number: int) -> None:
        """Free the bytes of a task."""
        with self._changed:
            if self._held.pop(number, 0) >= _LARGE:
                _trim()
            self._changed.notify_all()

    def close(self) -> None:
        """Cancel all waiting tasks."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _fits(self, size: int) -> bool:
        held = sum(self._held.values())
        return not held or not size or held + size <= self.limit


def _trim() -> None:
    """Return free memory to the system if the C library supports it."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if os.name == "posix" else None
    if trim:
        trim(ctypes.c_size_t(0))


class Ticket:
    """A task's turn in a budget; leaving the context without admission passes the turn on."""

    def __init__(self, budget: Budget, number: int) -> None:
        self._budget, self._number = budget, number

    def admit(self, size: int) -> None:
        """Wait until ``size`` bytes may be decoded."""
        self._budget.admit(self._number, size)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.admit(0)


def in_order(
    entries: Iterable[Entry], begin: Callable[[Entry, Ticket], "Future[Result]"], *, depth: int, budget: Budget | None = None
) -> Generator[Result, None, None]:
    """Yield the results of tasks in the order of their entries, with up to ``depth`` tasks started.

    Parameters
    ----------
    begin
        Submits a task. The task must enter its ticket, in threads that take tasks in the order of submission. Its bytes count until
        the caller asks for the next result.
    """
    budget = budget or Budget()
    waiting: deque[tuple[int, Future[Result]]] = deque()
    numbered = enumerate(entries)
    try:
        while True:
            while len(waiting) < depth and (entry := next(numbered, None)) is not None:
                waiting.append((entry[0], begin(entry[1], Ticket(budget, entry[0]))))
            if not waiting:
                return
            number, future = waiting.popleft()
            yield future.result()
            del future
            budget.release(number)
    finally:
        budget.close()
        for _, future in waiting:
            future.cancel()
