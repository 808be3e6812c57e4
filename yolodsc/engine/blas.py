"""BLAS's own threads, held while a runner works: two crews on the same cores are far slower than one (27 ms became 600).

The limit belongs to the process, so runners that work at the same time share one: the first sets it, the last takes it away.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

_lock = threading.Lock()
_holders: list[int] = []
_limits: list[Any] = []


@cache
def _libraries() -> Any:
    """The handle on BLAS; looking for the libraries takes milliseconds, so once."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


@contextmanager
def held(threads: int) -> Iterator[None]:
    """BLAS uses at most ``threads`` threads in the block (or what a runner that is at work already has set)."""
    with _lock:
        if not _holders:
            _limits.append(_libraries().limit(limits=threads, user_api="blas"))
        _holders.append(threads)
    try:
        yield
    finally:
        with _lock:
            _holders.pop()
            if not _holders:
                _free()
                _limits.pop().restore_original_limits()
                _free()


def _free() -> None:
    """Let any thread set the number: threadpoolctl >= 3.8 otherwise ignores all threads but the one that set it first."""
    for library in _libraries().lib_controllers:
        if clear := getattr(library, "clear_controlling_thread", None):
            clear(force=True)
