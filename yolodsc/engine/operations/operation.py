"""What every operation answers, and what it may use while it writes its items."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from yolodsc.engine.codegen.kernels.elementwise import ClearKernel
from yolodsc.engine.plan.layout import SCRATCH, PlanarTensor, Tensor, TensorView
from yolodsc.engine.runtime.program import Call, Constants, Task
from yolodsc.jit import Isa

ITEM_MACS = 100_000
"""Least work of an item: about 2 us; a ticket costs 0.1."""

MOVE = 16
"""Multiply-adds in the time that a number takes from one layout to another."""

STRIP = 256 * 1024
"""Most bytes of input that one step walks over again and again: a part of the second-level cache."""


@dataclass
class LoweringContext:
    """Where operations write their items: the machine, the constants, the space of a thread."""

    isa: Isa
    threads: int
    constants: Constants
    scratch: int = 0

    def own(self, *maps: Tensor) -> int:
        """Place maps one after the other in a thread's own space; returns the bytes they take."""
        place = 0
        for m in maps:
            m.base, m.offset = SCRATCH, place
            place += m.size + -m.size % 64 + 64
        self.scratch = max(self.scratch, place)
        return place

    def parts(self, macs: int, most: int) -> int:
        """How many items work of ``macs`` should be cut into, at most ``most``: where there are enough, as many for each thread."""
        if self.threads == 1:
            return 1
        wanted = max(1, min(most, 3 * self.threads, macs // ITEM_MACS))
        return wanted - wanted % self.threads if wanted > self.threads else wanted


@dataclass(eq=False)
class Operation:
    """One operation of the plan.

    Attributes
    ----------
    name
        What the plan's table calls it.
    layers
        Indices of the layers it computes.
    macs
        Multiplications with accumulation, as the network counts them.
    reads, writes
        Buffers, for their lives in the arena.
    """

    name: str
    layers: tuple[int, ...]
    macs: int
    reads: tuple[Tensor | PlanarTensor, ...]
    writes: tuple[Tensor | PlanarTensor, ...]
    detail: str = field(default="", init=False)

    def phases(self, site: LoweringContext) -> list[list[Task]]:
        """Items of each phase; a phase begins when the one before is done."""
        return [self.items(site)]

    def items(self, site: LoweringContext) -> list[Task]:
        """Items that may run in any order and at the same time."""
        raise NotImplementedError

    def forget(self) -> None:
        """Let go of arrays of weights, which have been packed by now."""
        for name, value in vars(self).items():
            if isinstance(value, np.ndarray):
                setattr(self, name, value[:0].copy())


def split(total: int, parts: int) -> Iterator[tuple[int, int]]:
    """(start, end) of ``parts`` nearly equal parts of ``total``, without empty ones."""
    parts = max(1, min(parts, total))
    for i in range(parts):
        yield i * total // parts, (i + 1) * total // parts


def halo_calls(m: Tensor, first: int, last: int, blocks: tuple[int, int] | None = None) -> list[Call]:
    """Steps that write the zeros around rows ``first`` to ``last`` - 1 of a map (of all blocks, or of some)."""
    margin = m.margin
    start, end = blocks or (0, m.blocks)
    full = (margin.left + m.width + margin.right) * m.pixel
    steps = []

    def clear(y: int, x: int, rows: int, pixels: int) -> None:
        if rows > 0 and pixels > 0:
            where = {"y": m.at(start, y, x), "blocks": end - start, "block_y": m.block, "rows": rows, "row_y": full}
            steps.append(Call(ClearKernel(m.lanes), {**where, "vectors": pixels}))

    clear(first, -margin.left, last - first, margin.left)
    clear(first, m.width, last - first, margin.right)
    if first == 0:
        clear(-margin.top, -margin.left, margin.top, full // m.pixel)
    if last == m.height:
        clear(m.height, -margin.left, margin.bottom, full // m.pixel)
    return steps


def maps(*views: TensorView | None) -> tuple[Tensor, ...]:
    """All maps of some views, each once."""
    return tuple(dict.fromkeys(m for view in views if view for m in view.maps))


def strips(rows: int, row_bytes: int, parts: int) -> Sequence[tuple[int, int]]:
    """Rows cut so that a strip fits the cache and there are at least ``parts``."""
    return list(split(rows, max(parts, -(-rows * row_bytes // STRIP))))
