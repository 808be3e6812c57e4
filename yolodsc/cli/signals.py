"""Signals that end the program: the first unwinds it, so that no file stays half written; the second kills it."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))


class Terminated(KeyboardInterrupt):
    """Raised when a signal arrives; code that cleans up after Ctrl-C cleans up after any signal.

    Attributes
    ----------
    number
        Number of the signal; the exit status is 128 plus this number, as in shells.
    """

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


def install() -> None:
    """Raise `Terminated` in the main thread at the first signal; signals that the parent ignores (``nohup``) stay ignored."""
    for number in SIGNALS:
        if signal.getsignal(number) not in (signal.SIG_IGN, None):
            signal.signal(number, _first)


@contextmanager
def stop_gracefully(stop: Callable[[], Any]) -> Iterator[None]:
    """Call ``stop`` at the first signal, to request an end by KeyboardInterrupt; the second signal has its usual effect."""
    arrived: list[int] = []

    def request_stop(number: int, frame: object) -> None:
        restore()
        arrived.append(number)
        stop()

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    usual = {number: signal.getsignal(number) for number in SIGNALS}
    before = {number: handler for number, handler in usual.items() if handler not in (signal.SIG_IGN, None)}
    for number in before:
        signal.signal(number, request_stop)
    try:
        yield
    except KeyboardInterrupt:
        if arrived and arrived[0] != signal.SIGINT:
            raise Terminated(arrived[0]) from None
        raise
    finally:
        restore()


@contextmanager
def advice_on_interrupt(advice: Callable[[], str], *, quiet: bool = False) -> Iterator[None]:
    """Print what is kept, and how to go on, if a signal ends the block."""
    try:
        yield
    except KeyboardInterrupt:
        if not quiet:
            from yolodsc.cli.terminal import note  # a signal may arrive before the rest is imported

            note(f"interrupted; {advice()}")
        raise


def _first(number: int, frame: object) -> None:
    for known in SIGNALS:
        if signal.getsignal(known) is _first:
            signal.signal(known, signal.SIG_DFL)
    raise Terminated(number)
