"""Images are read ahead of their turn, handed out in order, and bounded in number and in bytes."""

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
"""Bytes of decoded images that are read ahead at most: one of the largest, or a dozen photographs of 12 megapixels."""

_LARGE = 2**26
"""Bytes of an image after which free memory goes back to the system: glibc keeps what decoders free, for each thread anew."""


class Budget:
    """Admits tasks in the order of their numbers while the sum of what they hold stays below a limit; one alone always.

    The order makes waiting safe: whoever holds anything is before whoever waits, and goes on without it.
    """

    def __init__(self, limit: int = MAX_BYTES) -> None:
        self.limit = limit
        self.peak = 0
        self._held: dict[int, int] = {}
        self._next = 0
        self._closed = False
        self._changed = Condition()

    def admit(self, number: int, size: int) -> None:
        """Wait until it is the task's turn and there is room; again for a task that was admitted, nothing happens."""
        with self._changed:
            if number < self._next:
                return
            self._changed.wait_for(lambda: self._closed or (number == self._next and self._room(size)))
            if self._closed:
                raise CancelledError
            self._held[number] = size
            self._next += 1
            self.peak = max(self.peak, sum(self._held.values()))
            self._changed.notify_all()

    def release(self, number: int) -> None:
        """What a task held is free again."""
        with self._changed:
            if self._held.pop(number, 0) >= _LARGE:
                _give_back()
            self._changed.notify_all()

    def close(self) -> None:
        """Nobody waits any more: those who do are cancelled."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _room(self, size: int) -> bool:
        held = sum(self._held.values())
        return not held or not size or held + size <= self.limit


def _give_back() -> None:
    """Return free memory to the system, where the C library has a function for that."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if os.name == "posix" else None
    if trim:
        trim(ctypes.c_size_t(0))


class Ticket:
    """A task's place in the order of a budget; a task that ends without having been admitted gives it up."""

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
    """Results of tasks in the order of their entries, ``depth`` of them begun at a time.

    Parameters
    ----------
    begin
        Submits a task. The task must enter its ticket, in threads that take tasks in the order in which they were submitted; what
        it is admitted for counts until the result has been used.
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
