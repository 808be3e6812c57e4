"""A tape's threads: who they are, how they sleep and wake, and when they end; what they do is the `scheduler`'s code."""

import ctypes
import os
import threading
import weakref
from collections.abc import Sequence
from queue import SimpleQueue
from typing import Any

import numpy as np
from numpy.typing import NDArray

from yolodsc.engine.runtime.program import Program, aligned
from yolodsc.engine.runtime.thread_pool import STATE


def _yield_address() -> int:
    """Where the system's way to offer the core lies."""
    if os.name == "nt":
        function: Any = ctypes.WinDLL("kernel32").SwitchToThread  # type: ignore[attr-defined,unused-ignore]
    else:
        function = ctypes.CDLL(None).sched_yield
    return ctypes.cast(function, ctypes.c_void_p).value or 0


class _Team:
    """What the threads of a crew share. Helpers hold this and nothing else, so that a crew can be forgotten while they wait."""

    def __init__(self, tape: Program, helper: int, bases: NDArray[np.int64]) -> None:
        self.tape = tape
        self.bases = bases
        self.state = aligned(64 * len(STATE)).view(np.int64).reshape(-1, 8)
        self.sync = aligned(128 * max(len(tape.operations), 1)).view(np.int64)
        arrays = (tape.operations, tape.items, tape.words, self.sync)
        self.state[:4, 0] = [array.ctypes.data for array in arrays]
        self.state[STATE.index("yield"), 0] = _yield_address()
        self.help = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)(helper)
        self.asleep = 0
        self.wake: SimpleQueue[None] = SimpleQueue()
        self.count = threading.Lock()
        self.closing = False

    def rouse(self) -> None:
        """Wake who is asleep."""
        if self.asleep:
            with self.count:
                sleeping, self.asleep = self.asleep, 0
            for _ in range(sleeping):
                self.wake.put(None)

    def dismiss(self, helpers: int) -> None:
        """Send the helpers home. Takes no lock: the garbage collector may call it in any thread, at any place."""
        self.closing = True
        for _ in range(helpers):
            self.wake.put(None)

    def assist(self, number: int) -> None:
        """A helper's life."""
        mine = np.zeros(1, np.int64)  # the last epoch it took part in
        place, bases, own = self.state.ctypes.data, self.bases[number].ctypes.data, mine.ctypes.data
        while not self.closing:
            self.help(place, bases, own)
            with self.count:
                if self.closing:
                    return
                self.asleep += 1
            self.wake.get()


class Crew:
    """A tape's threads: the caller and ``threads - 1`` helpers, each with its own table of bases.

    The helpers end with `close`, or when the crew is garbage.
    """

    def __init__(self, tape: Program, addresses: Sequence[int], bases: NDArray[np.int64]) -> None:
        """``addresses`` of worker, lead and helper; ``bases`` (threads, n) is read whenever work begins."""
        worker, lead, helper = addresses
        self.bases = bases
        self.team = _Team(tape, helper, bases)
        self.work = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p)(worker if len(bases) == 1 else lead)
        self.helpers = [
            threading.Thread(target=self.team.assist, args=(number,), daemon=True, name=f"yolodsc-{number}")
            for number in range(1, len(bases))
        ]
        for thread in self.helpers:
            thread.start()
        self._dismiss = weakref.finalize(self, self.team.dismiss, len(self.helpers))

    def run(self, first: int, last: int) -> None:
        """Run operations ``first`` to ``last`` - 1 and return when they are done and no helper is inside."""
        if first == last:
            return
        self.team.sync[first * 16 : last * 16] = 0
        self.team.state[4:6, 0] = first, last
        self.team.rouse()
        self.work(self.team.state.ctypes.data, self.bases[0].ctypes.data)

    def close(self) -> None:
        """Send the helpers home and wait until they are gone; the caller can still run everything alone."""
        self._dismiss()
        for helper in self.helpers:
            helper.join()
        self.helpers = []
