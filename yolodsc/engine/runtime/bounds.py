"""The check of a linked program: every call stays inside its buffers.

A program is addresses and strides that kernels follow unchecked, so one wrong number is a crash or, worse, a wrong result. The
check therefore evaluates what every call accesses (`Extent`) from the arguments that will run, and compares it with what the
operation may access: its tensors in the arena, its constants, its scratch memory, and the image if it reads it. Constants and image
are never written. All calls of a kernel class are checked at once: 2 ms for 2,900 calls.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from yolodsc.engine.codegen.extent import Column, Columns, Extent
from yolodsc.engine.runtime.program import Program
from yolodsc.errors import EngineError
from yolodsc.values import Value

Ints = NDArray[np.int64]
Ranges = Sequence[tuple[int, int]]
"""(tagged address, bytes) of buffers."""

BASES = ("constants", "arena", "image", "scratch memory")


class Regions(Value):
    """What the calls of one phase may access.

    Attributes
    ----------
    name
        The layer and its line in the cfg, for the error.
    reads, writes
        Ranges that may be read, ranges that may be written (and read).
    """

    name: str
    reads: Ranges
    writes: Ranges


def check(program: Program, kernels: Mapping[int, Any], regions: Sequence[Regions], constants: NDArray[np.uint8]) -> None:
    """Check that every call of a program stays inside its buffers.

    Parameters
    ----------
    kernels
        Kernels by their address in the program.
    regions
        One for each phase of the program.

    Raises
    ------
    EngineError
        Names the layer, the kernel and the bytes: always an error of the planner, never of the user.
    """
    if not len(program.calls):
        return
    addresses, number = np.unique(program.words[program.calls], return_inverse=True)
    per_task = np.repeat(np.arange(len(program.phases)), program.phases[:, 1])
    phases = np.repeat(per_task, program.tasks[:, 1])
    limits = _Limits(regions)
    used = [kernels[int(address)] for address in addresses]
    groups: dict[Any, list[int]] = {}
    for index, kernel in enumerate(used):
        groups.setdefault((type(kernel), kernel.arguments), []).append(index)
    for (kind, names), members in groups.items():
        member = np.full(len(used), -1)
        member[members] = np.arange(len(members))
        (calls,) = np.nonzero(member[number] >= 0)
        fixed = np.array([[getattr(used[m], name) for name in kind.fixed] for m in members], np.float64)
        k = dict(zip(kind.fixed, fixed[member[number[calls]]].T, strict=True))
        words = program.words[program.calls[calls] + np.arange(2, 2 + len(names))[:, None]]
        a = dict(zip(names, words.astype(np.float64), strict=True))
        group = _Group(kind, k, a, phases[calls], limits)
        group.check(_gathered(group, constants) if kind.gathers else None)


class _SegmentTable(Value):
    """The tables of calls: rows of all distinct tables one after the other, and which table each call has."""

    first: Column  # (rows,) offset of each segment
    last: Column  # (rows,) offset of the end of each segment
    starts: Ints  # (tables,)
    counts: Ints  # (tables,)
    number: Ints  # (calls,) each call's table


class _Limits:
    """The ranges of all phases as arrays: for each position in their lists (phases,) of first address and last + 1."""

    def __init__(self, regions: Sequence[Regions]) -> None:
        self.regions = regions
        self.writes = _padded([phase.writes for phase in regions])
        self.reads = _padded([[*phase.reads, *phase.writes] for phase in regions])

    def holds(self, phases: Ints, low: Column, high: Column, *, writes: bool) -> NDArray[np.bool_]:
        """Whether each range [low, high) of addresses lies inside one range of its phase."""
        inside = np.zeros(len(phases), np.bool_)
        for first, last in self.writes if writes else self.reads:
            inside |= (first[phases] <= low) & (high <= last[phases])
            if inside.all():
                break
        return inside


class _Group(Value):
    """All calls of one kernel class: its fixed numbers, arguments, phases."""

    kind: Any
    k: Columns
    a: Columns
    phases: Ints
    limits: _Limits

    def check(self, table: _SegmentTable | None) -> None:
        """Check all extents of all calls."""
        a = dict(self.a)
        if table is not None:
            totals = np.add.reduceat(table.last - table.first, table.starts)
            a["table_channel_groups"] = totals[table.number] / self.k["group_bytes"]
        for extent in self.kind.extents(self.k, a):
            if extent.gathers and table is not None:
                self._gathering(extent, table)
            else:
                self.one(extent)

    def one(self, extent: Extent) -> None:
        """Check one extent of all calls."""
        low, high = extent.range()
        low, high = self.a[extent.pointer] + low, self.a[extent.pointer] + high
        fine = (extent.counts() >= 1) & self.limits.holds(self.phases, low, high, writes=extent.writes)
        fine |= extent.size == 0
        if not fine.all():
            self._refuse(extent, low, high, int(np.argmin(fine)))

    def _gathering(self, extent: Extent, table: _SegmentTable) -> None:
        """Check the segments of tables: all of a call at once if one tensor holds them, else one by one."""
        low, high = extent.range()
        low, high = self.a[extent.pointer] + low, self.a[extent.pointer] + high
        n = table.number
        lowest = np.minimum.reduceat(table.first, table.starts)[n] + low
        highest = np.maximum.reduceat(table.last, table.starts)[n] + high
        fine = (extent.counts() >= 1) & self.limits.holds(self.phases, lowest, highest, writes=extent.writes)
        (several,) = np.nonzero(~fine & (extent.counts() >= 1))
        rows, calls = _runs(table.starts[n[several]], table.counts[n[several]])
        calls = several[calls]
        inside = self.limits.holds(self.phases[calls], table.first[rows] + low[calls], table.last[rows] + high[calls], writes=False)
        fine[several] = True
        fine[calls[~inside]] = False
        if not fine.all():
            self._refuse(extent, lowest, highest, int(np.argmin(fine)))

    def _refuse(self, extent: Extent, low: Column, high: Column, call: int) -> None:
        base = int(self.a[extent.pointer][call]) >> 48
        start = base << 48
        memory = BASES[base] if 0 <= base < len(BASES) else "unknown base"
        access = "write" if extent.writes else "read"
        name = self.limits.regions[self.phases[call]].name
        touched = f"{access} bytes {low[call] - start:.0f} to {high[call] - start:.0f} of the {memory} ({extent.pointer})"
        raise EngineError(
            f"{name} {self.kind.__name__} would {touched}; expected addresses in its buffers: an error of yolodsc, please report it"
        )


def _gathered(group: _Group, constants: NDArray[np.uint8]) -> _SegmentTable:
    """The tables that calls read their offsets from, which must lie in the constants themselves."""
    k, a = group.k, group.a
    group.one(Extent("table", a["segments"] * 16, ((a["segments"], 0 * a["segments"]),)))
    keys: dict[tuple[float, float, float], int] = {}
    calls = (column.tolist() for column in (a["table"], a["segments"], k["group_bytes"]))
    number = [keys.setdefault(key, len(keys)) for key in zip(*calls, strict=True)]
    offsets, counts, sizes = np.array(list(keys)).T
    rows, table = _runs(offsets.astype(np.int64) // 16, counts.astype(np.int64))
    pairs = constants.view(np.int64).reshape(-1, 2)[rows].astype(np.float64)  # (rows, 2) byte offset, channel groups
    if not (pairs[:, 1] >= 1).all():
        raise EngineError(f"{group.limits.regions[0].name} a segment without channels: an error of yolodsc, please report it")
    lengths = np.cumsum(counts).astype(np.int64)
    starts = lengths - counts.astype(np.int64)
    last = pairs[:, 0] + pairs[:, 1] * sizes[table]
    return _SegmentTable(pairs[:, 0], last, starts, counts.astype(np.int64), np.array(number))


def _runs(starts: Ints, counts: Ints) -> tuple[Ints, Ints]:
    """Indices of runs, one run after the other, and the number of the run that each belongs to."""
    number = np.repeat(np.arange(len(starts)), counts)
    within = np.arange(len(number)) - np.repeat(np.cumsum(counts) - counts, counts)
    return np.repeat(starts, counts) + within, number


def _padded(ranges: Sequence[Ranges]) -> list[tuple[Column, Column]]:
    """(phases,) first address and last + 1 for each position in the lists; missing ones contain nothing."""
    longest = max(map(len, ranges))
    nothing = [(np.inf, -np.inf)]
    rows = [[(start, start + size) for start, size in phase] + nothing * (longest - len(phase)) for phase in ranges]
    first, last = np.array(rows, np.float64).transpose(2, 1, 0)  # (2, longest, phases)
    return list(zip(first, last, strict=True))
