"""The worker: takes items of the tape until an operation is done, waits for the others, goes on.

Threads are Python threads inside one native function that runs without the interpreter's lock. Whoever wants work takes the next
ticket of the operation; an operation is over when its counter of finished items is full. A lone thread can finish everything, so
none waits for one that never came. Waiting is about 100 pauses, then ``sched_yield``, so that a machine with more threads than
cores slows down and does not collapse. A fork-join of OpenMP costs 4 to 70 us an operation (measured on four runtimes); a counter
costs about 0.2 us.
"""

import ctypes
import os
import platform
import threading
import weakref
from collections.abc import Callable, Sequence
from functools import partial
from queue import SimpleQueue
from typing import Any

import numpy as np
from numpy.typing import NDArray

from yolodsc.engine.code import Code
from yolodsc.engine.tape import Tape, aligned

SPINS = 100
"""Pauses before a waiting thread offers its core to others."""

PATIENCE = 3000
"""Looks for new work before a helper goes to sleep: under a millisecond, several if others want the core."""

STATE = ("operations", "items", "words", "sync", "first", "last", "yield", "epoch", "running", "inside")


class WorkerKernel:
    """``worker(state, bases)`` runs operations first..last of the state, alone."""

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other)

    def __hash__(self) -> int:
        return hash(type(self))

    def emit(self, name: str) -> str:
        """LLVM IR of the worker."""
        c = Code(name, 4, signature="ptr %state, ptr %bases")
        _work(c)
        return _declare(c)


class LeadKernel(WorkerKernel):
    """Opens an epoch, works through it, closes it, and returns when no helper is inside any more."""

    def emit(self, name: str) -> str:
        """LLVM IR of the caller's part."""
        c = Code(name, 4, signature="ptr %state, ptr %bases")
        running, inside = _field(c, "running"), _field(c, "inside")
        _atomic_add(c, _field(c, "epoch"), 1)
        _atomic_add(c, running, 1)
        _work(c)
        _atomic_add(c, running, -1)
        over = c.label("over")
        _wait(c, lambda: c.let(f"icmp eq i64 {_atomic_load(c, inside)}, 0"), over)
        c.place(over)
        return _declare(c)


class HelperKernel(WorkerKernel):
    """Looks ``PATIENCE`` times for work of a new epoch, then returns."""

    def emit(self, name: str) -> str:
        """LLVM IR of the helper."""
        c = Code(name, 4, signature="ptr %state, ptr %bases, ptr %mine")
        look, found, enter, leave, idle, again, out = (
            c.label(s) for s in ("look", "found", "enter", "leave", "idle", "again", "out")
        )
        epoch, running, inside = (_field(c, n) for n in ("epoch", "running", "inside"))
        before = c.block
        c.do(f"br label %{look}")
        c.place(look)
        looks, hole = c.fresh("looks"), len(c.lines)
        c.lines.append("")
        now = _atomic_load(c, running)
        wanted = c.let(f"icmp ne i64 {now}, 0")
        c.do(f"br i1 {wanted}, label %{found}, label %{idle}")
        c.place(found)
        seen = c.integer("%mine")
        fresh = c.let(f"icmp ne i64 {_atomic_load(c, epoch)}, {seen}")
        c.do(f"br i1 {fresh}, label %{enter}, label %{idle}")
        c.place(enter)
        _atomic_add(c, inside, 1)
        current = _atomic_load(c, epoch)
        sure = c.let(f"icmp ne i64 {_atomic_load(c, running)}, 0")
        work = c.label("work")
        c.do(f"br i1 {sure}, label %{work}, label %{leave}")
        c.place(work)
        c.do(f"store i64 {current}, ptr %mine, align 8")
        _work(c)
        c.do(f"br label %{leave}")
        c.place(leave)
        _atomic_add(c, inside, -1)
        c.do(f"br label %{again}")
        c.place(idle)
        _relax(c, looks)
        after_idle = c.block
        counted = c.add(looks, 1)
        c.do(f"br label %{again}")
        c.place(again)
        total = c.let(f"phi i64 [ 0, %{leave} ], [ {counted}, %{after_idle} ]")
        c.lines[hole] = f"  {looks} = phi i64 [ 0, %{before} ], [ {total}, %{again} ]"
        more = c.let(f"icmp slt i64 {total}, {PATIENCE}")
        c.do(f"br i1 {more}, label %{look}, label %{out}")
        c.place(out)
        return _declare(c)


def _field(c: Code, name: str) -> str:
    """Address of a field of the state: one cache line each."""
    return c.at("%state", 64 * STATE.index(name))


def _atomic_load(c: Code, pointer: str) -> str:
    return c.let(f"load atomic i64, ptr {pointer} seq_cst, align 8")


def _atomic_add(c: Code, pointer: str, number: int) -> str:
    return c.let(f"atomicrmw add ptr {pointer}, i64 {number} seq_cst")


def _relax(c: Code, waited: str) -> None:
    """A pause; after `SPINS` of them the core is offered to others."""
    spin, offer, on = (c.label(s) for s in ("spin", "offer", "on"))
    soon = c.let(f"icmp slt i64 {waited}, {SPINS}")
    c.do(f"br i1 {soon}, label %{spin}, label %{offer}")
    c.place(spin)
    if platform.machine().lower() in {"aarch64", "arm64"}:
        c.do("call void @llvm.aarch64.hint(i32 1)")
    else:
        c.do("call void @llvm.x86.sse2.pause()")
    c.do(f"br label %{on}")
    c.place(offer)
    function = c.let(f"load ptr, ptr {_field(c, 'yield')}, align 8")
    c.let(f"call i32 {function}()")
    c.do(f"br label %{on}")
    c.place(on)


def _work(c: Code) -> None:
    """The loop over operations."""
    operations, items, words, sync = (
        c.let(f"load ptr, ptr {_field(c, n)}, align 8") for n in ("operations", "items", "words", "sync")
    )
    first, last = (c.integer(_field(c, n)) for n in ("first", "last"))
    with c.loop(c.sub(last, first)) as operation:
        number = c.add(operation.index, first)
        entry = c.at(operations, c.mul(number, 16))
        first_item, count = c.integer(entry), c.integer(entry, 8)
        ticket = c.at(sync, c.mul(number, 128))
        done = c.at(ticket, 64)
        take, run, wait, over = (c.label(s) for s in ("take", "run", "wait", "over"))
        c.do(f"br label %{take}")
        c.place(take)
        mine = _atomic_add(c, ticket, 1)
        free = c.let(f"icmp slt i64 {mine}, {count}")
        c.do(f"br i1 {free}, label %{run}, label %{wait}")
        c.place(run)
        item = c.at(items, c.mul(c.add(first_item, mine), 16))
        start = c.at(words, c.mul(c.integer(item), 8))
        with c.loop(c.integer(item, 8), [("ptr", start)]) as step:
            here = step.carried[0]
            function = c.let(f"load ptr, ptr {here}, align 8")
            c.do(f"call void {function}(ptr {c.at(here, 16)}, ptr %bases)")
            step.again(c.at(here, c.mul(c.integer(here, 8), 8)))
        _atomic_add(c, done, 1)
        c.do(f"br label %{take}")
        c.place(wait)
        _wait(c, partial(_full, c, done, count), over)
        c.place(over)


def _full(c: Code, done: str, count: str) -> str:
    return c.let(f"icmp sge i64 {_atomic_load(c, done)}, {count}")


def _wait(c: Code, ready: Callable[[], str], over: str) -> None:
    """Branch to ``over`` as soon as the condition that ``ready`` writes holds."""
    look, idle, before = c.label("look"), c.label("idle"), c.block
    c.do(f"br label %{look}")
    c.place(look)
    waited, hole = c.fresh("waited"), len(c.lines)
    c.lines.append("")
    c.do(f"br i1 {ready()}, label %{over}, label %{idle}")
    c.place(idle)
    _relax(c, waited)
    more = c.add(waited, 1)
    c.lines[hole] = f"  {waited} = phi i64 [ 0, %{before} ], [ {more}, %{c.block} ]"
    c.do(f"br label %{look}")


def _declare(c: Code) -> str:
    return c.text() + "declare void @llvm.x86.sse2.pause()\ndeclare void @llvm.aarch64.hint(i32)\n"


def _yield_address() -> int:
    """Where the system's way to offer the core lies."""
    if os.name == "nt":
        function: Any = ctypes.WinDLL("kernel32").SwitchToThread  # type: ignore[attr-defined,unused-ignore]
    else:
        function = ctypes.CDLL(None).sched_yield
    return ctypes.cast(function, ctypes.c_void_p).value or 0


class _Team:
    """What the threads of a crew share. Helpers hold this and nothing else, so that a crew can be forgotten while they wait."""

    def __init__(self, tape: Tape, helper: int, bases: NDArray[np.int64]) -> None:
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

    def __init__(self, tape: Tape, addresses: Sequence[int], bases: NDArray[np.int64]) -> None:
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
