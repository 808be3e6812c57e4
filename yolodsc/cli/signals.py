"""Signals that end the program: the first unwinds it, so that nothing half written stays behind; the second kills it."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))


class Terminated(KeyboardInterrupt):
    """A signal has arrived; whatever cleans up after Ctrl-C cleans up after any of them.

    Attributes
    ----------
    number
        Of the signal; the exit status is 128 more, as shells have it.
    """

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


def install() -> None:
    """Raise `Terminated` in the main thread at the first signal; those that the parent ignores (``nohup``) stay ignored."""
    for number in SIGNALS:
        if signal.getsignal(number) not in (signal.SIG_IGN, None):
            signal.signal(number, _first)


@contextmanager
def gently(stop: Callable[[], Any]) -> Iterator[None]:
    """The first signal calls ``stop``, which asks for an end by KeyboardInterrupt; the second has its usual effect."""
    arrived: list[int] = []

    def ask(number: int, frame: object) -> None:
        restore()
        arrived.append(number)
        stop()

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    usual = {number: signal.getsignal(number) for number in SIGNALS}
    before = {number: handler for number, handler in usual.items() if handler not in (signal.SIG_IGN, None)}
    for number in before:
        signal.signal(number, ask)
    try:
        yield
    except KeyboardInterrupt:
        if arrived and arrived[0] != signal.SIGINT:
            raise Terminated(arrived[0]) from None
        raise
    finally:
        restore()


def _first(number: int, frame: object) -> None:
    for known in SIGNALS:
        if signal.getsignal(known) is _first:
            signal.signal(known, signal.SIG_DFL)
    raise Terminated(number)
