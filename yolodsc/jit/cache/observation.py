"""Calls an observer when Numba compiles a function, which takes seconds at the first run on a machine."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol


class CompilationObserver(Protocol):
    """The interface of observers; calls may be nested and come from any thread."""

    def begin(self) -> None:
        """A compilation begins."""

    def end(self) -> None:
        """A compilation has ended."""


_observers: list[CompilationObserver] = []


def observe_compilation(observer: CompilationObserver | None) -> None:
    """Call an observer, instead of the one before, at all compilations of this process; None removes it."""
    _observers[:] = [] if observer is None else [observer]


def begin_compilation() -> None:
    """Call the observer before a compilation."""
    for observer in _observers:
        observer.begin()


def end_compilation() -> None:
    """Call the observer after a compilation."""
    for observer in _observers:
        observer.end()


@contextmanager
def compiling() -> Iterator[None]:
    """A compilation."""
    begin_compilation()
    try:
        yield
    finally:
        end_compilation()
