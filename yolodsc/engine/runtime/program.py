"""The tape: a network as steps, steps gathered into items, items into operations.

A step is one call of a kernel with all its arguments as numbers. Everything that a conventional executor works out while it runs
(which rows, which ring slot, which strip) was worked out when the plan was made, so that running is: read an address, call it.
Items are what threads take; an operation begins when all items of the one before are done. Layout: ``operations`` (n, 2) first
item and count, ``items`` (n, 2) first word and steps, ``words``: address, words of this step, arguments.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from yolodsc.engine.plan.layout import CONSTANTS, LINE, tagged_address

CHUNK = 2**26
"""Bytes of constants that are gathered in one piece: what the C library gives back to the system as soon as it is free."""


@dataclass(frozen=True, slots=True)
class Call:
    """A kernel and its arguments by name; those not given are 0."""

    kernel: Any
    arguments: Mapping[str, int]

    def words(self, address: int) -> list[int]:
        """As it lies on the tape."""
        names = self.kernel.arguments
        assert not self.arguments.keys() - set(names), self.arguments.keys() - set(names)
        return [address, len(names) + 2, *(self.arguments.get(name, 0) for name in names)]


Task = list[Call]


@dataclass
class Constants:
    """Weights, biases and tables, gathered in chunks and then put into one aligned buffer: hardly ever there twice."""

    chunks: list[NDArray[np.uint8]] = field(default_factory=list)
    size: int = 0

    def add(self, array: NDArray[Any]) -> int:
        """Keep an array; the word of its first number."""
        place, data = self.size, np.ascontiguousarray(array).reshape(-1).view(np.uint8)
        while len(data):
            room = len(self.chunks) * CHUNK - self.size
            if room <= 0:
                self.chunks.append(np.empty(CHUNK, np.uint8))
                continue
            self.chunks[-1][CHUNK - room : CHUNK - room + len(data)] = data[:room]
            self.size += min(room, len(data))
            data = data[room:]
        self.size += -self.size % LINE
        return tagged_address(CONSTANTS, place)

    def buffer(self) -> NDArray[np.uint8]:
        """All of it; the chunks are given back on the way."""
        out = aligned(self.size)
        for start in range(0, self.size, CHUNK):
            part = out[start : start + CHUNK]
            part[:] = self.chunks.pop(0)[: len(part)]
        return out


def aligned(size: int) -> NDArray[np.uint8]:
    """Zeroed bytes that begin on a cache line."""
    raw = np.zeros(size + LINE, np.uint8)
    start = -raw.ctypes.data % LINE
    return raw[start : start + size]


@dataclass(frozen=True, slots=True)
class Program:
    """Operations, items and words, ready to run; ``starts`` are the places of the steps among the words."""

    operations: NDArray[np.int64]
    items: NDArray[np.int64]
    words: NDArray[np.int64]
    starts: NDArray[np.int64]


def assemble(operations: Sequence[Sequence[Task]], addresses: Mapping[Any, int]) -> Program:
    """Write everything down."""
    table: list[tuple[int, int]] = []
    items: list[tuple[int, int]] = []
    words: list[int] = []
    starts: list[int] = []
    for operation in operations:
        table.append((len(items), len(operation)))
        for item in operation:
            items.append((len(words), len(item)))
            for step in item:
                starts.append(len(words))
                words += step.words(addresses[step.kernel])
    shaped = ((table, (-1, 2)), (items, (-1, 2)), (words, -1), (starts, -1))
    return Program(*(np.array(rows, np.int64).reshape(shape) for rows, shape in shaped))


def kernels_of(operations: Sequence[Sequence[Task]]) -> list[Any]:
    """All kernels used, each once."""
    return list(dict.fromkeys(step.kernel for operation in operations for item in operation for step in item))


Progress = Callable[[int, int], None]
