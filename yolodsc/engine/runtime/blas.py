"""Limits BLAS to one thread while a runner, a training step or a decomposition works.

BLAS splits sums differently for each number of threads, so results would depend on it. Its threads on the cores of a runner's
threads are far slower than either alone (27 ms became 600). The limit is per process, so runners that work at the same time share
it: the first sets it, the last removes it.
"""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import numpy as np  # noqa: F401 - loads NumPy's BLAS, which `_libraries` must find

from yolodsc.jit import ForkLock, at_child


@cache
def _libraries(*, scipy: bool) -> Any:
    """The BLAS libraries that are loaded, NumPy's and perhaps SciPy's; cached, because finding them takes milliseconds."""
    del scipy  # a key of the cache: SciPy brings a library of its own
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def _loaded() -> Any:
    return _libraries(scipy="scipy.linalg.cython_blas" in sys.modules or "scipy.linalg.blas" in sys.modules)


class _Limit:
    """The limit of this process and the threads that hold it."""

    def __init__(self) -> None:
        self._lock = ForkLock(rank=1)
        self._holders: list[int] = []
        self._limits: list[Any] = []
        at_child(self, _Limit._forked)

    def take(self) -> None:
        with self._lock.held():
            if not self._holders:
                self._limits.append(_loaded().limit(limits=1, user_api="blas"))
            self._holders.append(threading.get_ident())

    def give(self) -> None:
        with self._lock.held():
            self._holders.remove(threading.get_ident())
            self._restore()

    def _restore(self) -> None:
        if not self._holders and self._limits:
            _clear_owner()
            self._limits.pop().restore_original_limits()
            _clear_owner()

    def _forked(self) -> None:
        """In a child process only the thread that forked exists."""
        self._holders = [holder for holder in self._holders if holder == threading.get_ident()]
        self._restore()


_limit = _Limit()


@contextmanager
def single_threaded_blas() -> Iterator[None]:
    """Limit BLAS to one thread inside the ``with`` block."""
    _limit.take()
    try:
        yield
    finally:
        _limit.give()


def _clear_owner() -> None:
    """Allow any thread to set the limit: threadpoolctl >= 3.8 otherwise ignores all threads but the first that set it."""
    for library in _loaded().lib_controllers:
        if clear := getattr(library, "clear_controlling_thread", None):
            clear(force=True)
