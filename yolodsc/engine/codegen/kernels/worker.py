"""The worker: takes tasks of a phase until none is left, waits for the other threads, continues with the next phase.

Threads are Python threads inside one native function that runs without the interpreter's lock. A thread takes the next ticket of
the phase; the phase is over when its counter of finished tasks is full. One thread alone can finish everything, so no thread waits
for another that never started. Waiting threads spin 100 times, then yield (``sched_yield``), so that a machine with more threads
than cores slows down and does not collapse. A fork-join of OpenMP costs 4 to 70 us per operation (measured on four runtimes); a
counter costs about 0.2 us.
"""

import platform
from collections.abc import Callable
from functools import partial

from yolodsc.engine.codegen.generated import GeneratedKernel
from yolodsc.engine.codegen.ir_builder import CONFIGURATION, IRBuilder

SPINS = 100
"""Pauses before a waiting thread yields its core."""

AHEAD = 4

PATIENCE = 3000
"""Polls for new work before a helper sleeps: under a millisecond, several if other threads use the core."""

STATE = ("phases", "tasks", "words", "sync", "first", "last", "yield", "epoch", "running", "inside")


class WorkerKernel(GeneratedKernel):
    """``worker(state, bases)`` runs phases first..last of the state, alone.

    Attributes
    ----------
    tiled
        Whether kernels use AMX: its registers are released at the end, as other code expects them.
    """

    tiled: bool = False

    def emit(self, name: str) -> str:
        """LLVM IR of the worker."""
        c = IRBuilder(name, 4, signature="ptr %state, ptr %bases")
        _work(c, self.tiled)
        return _declare(c)


class LeadKernel(WorkerKernel):
    """Opens an epoch, works through it, closes it, and returns when all helpers have left."""

    tiled: bool = False

    def emit(self, name: str) -> str:
        """LLVM IR of the caller's part."""
        c = IRBuilder(name, 4, signature="ptr %state, ptr %bases")
        running, inside = _field(c, "running"), _field(c, "inside")
        _atomic_add(c, _field(c, "epoch"), 1)
        _atomic_add(c, running, 1)
        _work(c, self.tiled)
        _atomic_add(c, running, -1)
        over = c.label("over")
        _wait(c, lambda: c.let(f"icmp eq i64 {_atomic_load(c, inside)}, 0"), over)
        c.begin(over)
        return _declare(c)


class HelperKernel(WorkerKernel):
    """Polls ``PATIENCE`` times for work of a new epoch, then returns."""

    tiled: bool = False

    def emit(self, name: str) -> str:
        """LLVM IR of the helper."""
        c = IRBuilder(name, 4, signature="ptr %state, ptr %bases, ptr %last_epoch")
        look, found, enter, leave, idle, repeat, out = (
            c.label(s) for s in ("look", "found", "enter", "leave", "idle", "repeat", "out")
        )
        epoch, running, inside = (_field(c, n) for n in ("epoch", "running", "inside"))
        before = c.block
        c.do(f"br label %{look}")
        c.begin(look)
        looks, hole = c.fresh("looks"), len(c.lines)
        c.lines.append("")
        now = _atomic_load(c, running)
        working = c.let(f"icmp ne i64 {now}, 0")
        c.do(f"br i1 {working}, label %{found}, label %{idle}")
        c.begin(found)
        seen = c.integer("%last_epoch")
        fresh = c.let(f"icmp ne i64 {_atomic_load(c, epoch)}, {seen}")
        c.do(f"br i1 {fresh}, label %{enter}, label %{idle}")
        c.begin(enter)
        _atomic_add(c, inside, 1)
        current = _atomic_load(c, epoch)
        sure = c.let(f"icmp ne i64 {_atomic_load(c, running)}, 0")
        work = c.label("work")
        c.do(f"br i1 {sure}, label %{work}, label %{leave}")
        c.begin(work)
        c.do(f"store i64 {current}, ptr %last_epoch, align 8")
        _work(c, self.tiled)
        c.do(f"br label %{leave}")
        c.begin(leave)
        _atomic_add(c, inside, -1)
        c.do(f"br label %{repeat}")
        c.begin(idle)
        _relax(c, looks)
        after_idle = c.block
        counted = c.add(looks, 1)
        c.do(f"br label %{repeat}")
        c.begin(repeat)
        total = c.let(f"phi i64 [ 0, %{leave} ], [ {counted}, %{after_idle} ]")
        c.lines[hole] = f"  {looks} = phi i64 [ 0, %{before} ], [ {total}, %{repeat} ]"
        more = c.let(f"icmp slt i64 {total}, {PATIENCE}")
        c.do(f"br i1 {more}, label %{look}, label %{out}")
        c.begin(out)
        return _declare(c)


def _field(c: IRBuilder, name: str) -> str:
    """Address of a field of the state: one cache line each."""
    return c.at("%state", 64 * STATE.index(name))


def _atomic_load(c: IRBuilder, pointer: str) -> str:
    return c.let(f"load atomic i64, ptr {pointer} seq_cst, align 8")


def _atomic_add(c: IRBuilder, pointer: str, number: int) -> str:
    return c.let(f"atomicrmw add ptr {pointer}, i64 {number} seq_cst")


def _relax(c: IRBuilder, waited: str) -> None:
    """A pause; after `SPINS` of them a yield."""
    spin, offer, on = (c.label(s) for s in ("spin", "offer", "on"))
    soon = c.let(f"icmp slt i64 {waited}, {SPINS}")
    c.do(f"br i1 {soon}, label %{spin}, label %{offer}")
    c.begin(spin)
    if platform.machine().lower() in {"aarch64", "arm64"}:
        c.do("call void @llvm.aarch64.hint(i32 1)")
    else:
        c.do("call void @llvm.x86.sse2.pause()")
    c.do(f"br label %{on}")
    c.begin(offer)
    function = c.let(f"load ptr, ptr {_field(c, 'yield')}, align 8")
    c.let(f"call i32 {function}()")
    c.do(f"br label %{on}")
    c.begin(on)


def _work(c: IRBuilder, tiled: bool) -> None:
    """The loop over phases."""
    configuration = c.at("%bases", 8 * CONFIGURATION)
    if tiled:
        c.do(f"store i64 0, ptr {configuration}, align 8")
    phases, tasks, words, sync = (c.let(f"load ptr, ptr {_field(c, n)}, align 8") for n in ("phases", "tasks", "words", "sync"))
    first, last = (c.integer(_field(c, n)) for n in ("first", "last"))
    with c.loop(c.sub(last, first)) as phase:
        number = c.add(phase.index, first)
        entry = c.at(phases, c.mul(number, 16))
        first_task, count = c.integer(entry), c.integer(entry, 8)
        ticket = c.at(sync, c.mul(number, 128))
        done = c.at(ticket, 64)
        take, run, wait, over = (c.label(s) for s in ("take", "run", "wait", "over"))
        c.do(f"br label %{take}")
        c.begin(take)
        taken = _atomic_add(c, ticket, 1)
        free = c.let(f"icmp slt i64 {taken}, {count}")
        c.do(f"br i1 {free}, label %{run}, label %{wait}")
        c.begin(run)
        task = c.at(tasks, c.mul(c.add(first_task, taken), 16))
        start = c.at(words, c.mul(c.integer(task), 8))
        with c.loop(c.integer(task, 8), [("ptr", start)]) as call:
            here = call.carried[0]
            function = c.let(f"load ptr, ptr {here}, align 8")
            for line in range(AHEAD, AHEAD + 4):
                c.call("void", "llvm.prefetch.p0", f"ptr {c.at(here, 64 * line)}", "i32 0", "i32 3", "i32 1")
            c.do(f"call void {function}(ptr {c.at(here, 16)}, ptr %bases)")
            call.next(c.at(here, c.mul(c.integer(here, 8), 8)))
        _atomic_add(c, done, 1)
        c.do(f"br label %{take}")
        c.begin(wait)
        _wait(c, partial(_full, c, done, count), over)
        c.begin(over)
    if tiled:
        c.call("void", "llvm.x86.tilerelease")


def _full(c: IRBuilder, done: str, count: str) -> str:
    return c.let(f"icmp sge i64 {_atomic_load(c, done)}, {count}")


def _wait(c: IRBuilder, ready: Callable[[], str], over: str) -> None:
    """Branch to ``over`` as soon as the condition that ``ready`` writes holds."""
    look, idle, before = c.label("look"), c.label("idle"), c.block
    c.do(f"br label %{look}")
    c.begin(look)
    waited, hole = c.fresh("waited"), len(c.lines)
    c.lines.append("")
    c.do(f"br i1 {ready()}, label %{over}, label %{idle}")
    c.begin(idle)
    _relax(c, waited)
    more = c.add(waited, 1)
    c.lines[hole] = f"  {waited} = phi i64 [ 0, %{before} ], [ {more}, %{c.block} ]"
    c.do(f"br label %{look}")


def _declare(c: IRBuilder) -> str:
    return c.text() + "declare void @llvm.x86.sse2.pause()\ndeclare void @llvm.aarch64.hint(i32)\n"
