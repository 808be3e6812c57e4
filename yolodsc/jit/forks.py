"""Locks that survive a fork.

A child process has one thread. A lock that another thread held during the fork would stay locked in the child for ever, and what it
protects would be half changed. A fork therefore waits until running calls have ended (the longest is one image) and no new one can
begin; the child starts with free locks. Owners of threads and queues, which the child lacks, recreate them: see `at_child`.
"""

import os
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

PATIENCE = 30.0
"""Seconds that a fork waits for running calls; after that it proceeds, and the child lacks their results."""

_turnstile = threading.Lock()
_locks: dict[int, "weakref.ref[ForkLock]"] = {}
_children: dict[int, tuple["weakref.ref[Any]", Callable[[Any], None]]] = {}
_taken: list[Any] = []


class ForkLock:
    """A lock that a fork waits for and that is free in the child.

    Parameters
    ----------
    rank
        0 for the locks of runners; higher for locks that are taken while one of a lower rank is held.
    """

    def __init__(self, rank: int = 0) -> None:
        self.rank = rank
        self.lock = threading.RLock()
        key = id(self)
        _locks[key] = weakref.ref(self, partial(_forget, _locks, key))

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the lock for the block; the same lock is released even if the block forks."""
        if not self.rank:
            with _turnstile:
                pass
        lock = self.lock
        with lock:
            yield


def at_child(owner: Any, renew: Callable[[Any], None]) -> None:
    """Call ``renew(owner)`` in every forked child while the owner exists."""
    _children[id(owner)] = weakref.ref(owner, partial(_forget, _children, id(owner))), renew


def _forget(known: dict[int, Any], key: int, _: object) -> None:
    known.pop(key, None)


def _alive() -> list[ForkLock]:
    return [lock for reference in list(_locks.values()) if (lock := reference()) is not None]


def _before() -> None:
    _turnstile.acquire(timeout=PATIENCE)
    deadline = time.monotonic() + PATIENCE
    for owner in sorted(_alive(), key=lambda owner: owner.rank):
        if owner.lock.acquire(timeout=max(0.0, deadline - time.monotonic())):
            _taken.append(owner.lock)  # noqa: PERF401 - one by one, so that an interrupted wait knows which are taken


def _in_parent() -> None:
    while _taken:
        _taken.pop().release()
    if _turnstile.locked():
        _turnstile.release()


def _in_child() -> None:
    global _turnstile  # noqa: PLW0603 - the parent's may be held by a thread that the child does not have
    _turnstile = threading.Lock()
    while _taken:
        _taken.pop().release()  # a call around the fork still holds its own
    for owner in _alive():
        owner.lock = threading.RLock()
    for reference, renew in list(_children.values()):
        if (one := reference()) is not None:
            renew(one)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before, after_in_parent=_in_parent, after_in_child=_in_child)
