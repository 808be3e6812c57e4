"""The arena: one block of memory in which buffers with disjoint lifetimes share addresses.

Buffers are placed largest first, each at the lowest offset that is free during its lifetime. For
mobilenetv2-yolov3-nano-voc the arena has 2.5 MB where separate buffers have 10.1 MB.
"""

from collections.abc import Mapping, Sequence

from yolodsc.engine.plan.layout import ARENA, LINE, Buffer
from yolodsc.values import Value

Lifetimes = Mapping[Buffer, tuple[int, int]]
"""First and last operation that uses each buffer."""


class ArenaLayout(Value):
    """The offset of each buffer, and the bytes of the arena."""

    offsets: Mapping[Buffer, int]
    size: int


def lay_out(lifetimes: Lifetimes) -> ArenaLayout:
    """Assign an offset to each buffer."""
    placed: list[tuple[int, int, int, int]] = []  # first, last, start, end
    offsets: dict[Buffer, int] = {}
    for buffer, (first, last) in sorted(lifetimes.items(), key=lambda item: -item[0].size):
        taken = sorted((start, end) for born, dead, start, end in placed if born <= last and first <= dead)
        size = buffer.size + -buffer.size % LINE + LINE
        offsets[buffer] = offset = _gap(taken, size)
        placed.append((first, last, offset, offset + size))
    return ArenaLayout(offsets, max((end for *_, end in placed), default=0))


def lifetimes_of(operations: Sequence[tuple[Sequence[Buffer], Sequence[Buffer]]]) -> dict[Buffer, tuple[int, int]]:
    """Lifetimes of the arena's buffers, from the (reads, writes) of all operations in order."""
    lifetimes: dict[Buffer, tuple[int, int]] = {}
    for number, (reads, writes) in enumerate(operations):
        for buffer in (*reads, *writes):
            if buffer.base == ARENA:
                lifetimes[buffer] = (lifetimes.get(buffer, (number, 0))[0], number)
    return lifetimes


def _gap(taken: Sequence[tuple[int, int]], size: int) -> int:
    offset = 0
    for start, end in taken:
        if offset + size <= start:
            break
        offset = max(offset, end)
    return offset
