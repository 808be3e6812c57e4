"""The threads of a program: how they sleep, wake and end. What they run is the code of `worker`."""

import ctypes
import os
import threading
import weakref
from collections.abc import Sequence
from queue import SimpleQueue
from typing import Any

import numpy as np
from numpy.typing import NDArray

from yolodsc.engine.codegen.kernels.worker import STATE
from yolodsc.engine.runtime.program import Program, aligned


def _yield_address() -> int:
    """Address of the system function that yields the core."""
    if os.name == "nt":
        function: Any = ctypes.WinDLL("kernel32").SwitchToThread  # type: ignore[attr-defined,unused-ignore]
    else:
        function = ctypes.CDLL(None).sched_yield
    return ctypes.cast(function, ctypes.c_void_p).value or 0


class _SharedState:
    """What the threads of a pool share. Helpers reference only this, so that a pool can be collected while they wait."""

    def __init__(self, program: Program, helper: int, bases: NDArray[np.int64]) -> None:
        self.program = program
        self.bases = bases
        self.state = aligned(64 * len(STATE)).view(np.int64).reshape(-1, 8)
        self.sync = aligned(128 * max(len(program.phases), 1)).view(np.int64)
        arrays = (program.phases, program.tasks, program.words, self.sync)
        self.state[:4, 0] = [array.ctypes.data for array in arrays]
        self.state[STATE.index("yield"), 0] = _yield_address()
        self.help = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)(helper)
        self.asleep = 0
        self.wake: SimpleQueue[None] = SimpleQueue()
        self.count = threading.Lock()
        self.closing = False

    def wake_all(self) -> None:
        """Wake the sleeping helpers."""
        if self.asleep:
            with self.count:
                sleeping, self.asleep = self.asleep, 0
            for _ in range(sleeping):
                self.wake.put(None)

    def stop(self, helpers: int) -> None:
        """Ask the helpers to end. Takes no lock: the garbage collector may call it in any thread at any time."""
        self.closing = True
        for _ in range(helpers):
            self.wake.put(None)

    def helper_loop(self, number: int) -> None:
        """Work while there is work, sleep otherwise, until the pool closes."""
        epoch = np.zeros(1, np.int64)  # the last epoch in which this helper worked
        state, bases, last_epoch = self.state.ctypes.data, self.bases[number].ctypes.data, epoch.ctypes.data
        while not self.closing:
            self.help(state, bases, last_epoch)
            with self.count:
                if self.closing:
                    return
                self.asleep += 1
            self.wake.get()


class ThreadPool:
    """The threads of a program: the caller and ``threads - 1`` helpers, each with its own table of bases.

    The helpers end with `close`, or when the pool is garbage collected.
    """

    def __init__(self, program: Program, addresses: Sequence[int], bases: NDArray[np.int64]) -> None:
        """``addresses`` of worker, lead and helper; ``bases`` (threads, n) is read whenever work begins."""
        worker, lead, helper = addresses
        self.bases = bases
        self.shared = _SharedState(program, helper, bases)
        self.work = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p)(worker if len(bases) == 1 else lead)
        self.helpers = [
            threading.Thread(target=self.shared.helper_loop, args=(number,), daemon=True, name=f"yolodsc-{number}")
            for number in range(1, len(bases))
        ]
        for thread in self.helpers:
            thread.start()
        self._stop = weakref.finalize(self, self.shared.stop, len(self.helpers))

    def run(self, first: int, last: int) -> None:
        """Run phases ``first`` to ``last`` - 1; returns when they are done and all helpers have left."""
        if first == last:
            return
        self.shared.sync[first * 16 : last * 16] = 0
        self.shared.state[4:6, 0] = first, last
        self.shared.wake_all()
        self.work(self.shared.state.ctypes.data, self.bases[0].ctypes.data)

    def close(self) -> None:
        """End the helpers and wait for them; the caller can still run everything alone."""
        self._stop()
        for helper in self.helpers:
            helper.join()
        self.helpers = []
