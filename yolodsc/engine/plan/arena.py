"""The arena: one block of memory in which buffers with disjoint lifetimes share addresses.

For mobilenetv2-yolov3-nano-voc the arena has 2.5 MB where separate buffers have 10.1 MB.
"""

from collections.abc import Hashable, Mapping, Sequence
from typing import TypeVar

from yolodsc.engine.plan.layout import ARENA, LINE, Buffer
from yolodsc.values import Value

Key = TypeVar("Key", bound=Hashable)

Lifetimes = Mapping[Buffer, tuple[int, int]]
"""First and last operation that uses each buffer."""


class ArenaLayout(Value):
    """The offset of each buffer, and the bytes of the arena."""

    offsets: Mapping[Buffer, int]
    size: int


def lay_out(lifetimes: Lifetimes) -> ArenaLayout:
    """Assign an offset to each buffer."""
    return ArenaLayout(*shared_offsets({buffer: buffer.size + -buffer.size % LINE + LINE for buffer in lifetimes}, lifetimes))


def shared_offsets(sizes: Mapping[Key, int], lifetimes: Mapping[Key, tuple[int, int]]) -> tuple[dict[Key, int], int]:
    """Return an offset for each buffer, and the size of the memory: buffers with disjoint lifetimes share it.

    The largest buffer comes first, of equal ones the earlier; each gets the lowest offset that is free during its life.
    """
    placed: list[tuple[int, int, int, int]] = []  # first, last, start, end
    offsets: dict[Key, int] = {}
    for key, size in sorted(sizes.items(), key=lambda item: -item[1]):
        first, last = lifetimes[key]
        taken = sorted((start, end) for born, dead, start, end in placed if born <= last and first <= dead)
        offsets[key] = offset = _gap(taken, size)
        placed.append((first, last, offset, offset + size))
    return offsets, max((end for *_, end in placed), default=0)


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
