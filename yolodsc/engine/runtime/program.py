"""The program: a network as calls, calls gathered into tasks, tasks into phases.

A call is one call of a kernel with all its arguments as numbers. Everything that a conventional executor computes while it runs
(which rows, which ring slot, which strip) was computed when the plan was lowered, so that running is: read an address, call it.
Threads take tasks; a phase begins when all tasks of the previous one are done.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import repeat
from typing import Any

import numpy as np
from msgspec import Struct, field
from numpy.typing import NDArray

from yolodsc.engine.plan.layout import CONSTANTS, LINE, tagged_address
from yolodsc.values import Value

CHUNK = 2**26
"""Bytes of constants that are collected in one piece: the C library returns pieces of this size to the system at once."""

Progress = Callable[[int, int], None]


class Call(Value):
    """A kernel and its arguments by name; missing ones are 0."""

    kernel: Any
    arguments: Mapping[str, int]


class _Encoding(Value, eq=False):
    """How calls of one kernel are written: address of the kernel, number of words, arguments in the order of ``names``."""

    address: int
    names: tuple[str, ...]
    known: frozenset[str]

    def words(self, arguments: Mapping[str, int]) -> list[int]:
        """A call in a program."""
        assert arguments.keys() <= self.known, arguments.keys() - self.known
        return [self.address, len(self.names) + 2, *map(arguments.get, self.names, repeat(0))]


Task = list[Call]


class ConstantPool(Struct):
    """Weights, biases and tables of one operation; ``start`` is the offset of the first among all constants.

    Attributes
    ----------
    arrays
        In order, each as bytes that begin on a cache line.
    size
        Bytes, padding included.
    """

    start: int
    arrays: list[NDArray[np.uint8]] = field(default_factory=list)
    size: int = 0

    def add(self, array: NDArray[Any]) -> int:
        """Append an array; its tagged address."""
        offset, data = self.start + self.size, np.ascontiguousarray(array).reshape(-1).view(np.uint8)
        self.arrays.append(data)
        self.size += len(data) + -len(data) % LINE
        return tagged_address(CONSTANTS, offset)


class Constants(Struct):
    """The constants of a program, collected in chunks and then copied to one aligned buffer, so that few exist twice."""

    chunks: list[NDArray[np.uint8]] = field(default_factory=list)
    size: int = 0

    def take(self, pool: ConstantPool) -> None:
        """Append the arrays of a pool, which is empty afterwards."""
        assert pool.start == self.size
        pool.arrays.reverse()
        while pool.arrays:
            data = pool.arrays.pop()
            self._append(data)
            self.size += -self.size % LINE

    def _append(self, data: NDArray[np.uint8]) -> None:
        while len(data):
            free = len(self.chunks) * CHUNK - self.size
            if free <= 0:
                self.chunks.append(np.zeros(CHUNK, np.uint8))  # the padding between arrays is zero
                continue
            self.chunks[-1][CHUNK - free : CHUNK - free + len(data)] = data[:free]
            self.size += min(free, len(data))
            data = data[free:]

    def buffer(self) -> NDArray[np.uint8]:
        """All constants; releases each chunk as soon as it is copied."""
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


class Program(Value):
    """Phases, tasks and calls, ready to run.

    Attributes
    ----------
    phases
        (phases, 2): first task, tasks.
    tasks
        (tasks, 2): index of the first word, calls.
    words
        Calls: address of the kernel, number of words, arguments in the kernel's order.
    calls
        (calls,) index of the first word of each call.
    """

    phases: NDArray[np.int64]
    tasks: NDArray[np.int64]
    words: NDArray[np.int64]
    calls: NDArray[np.int64]


def link(phases: Sequence[Sequence[Task]], addresses: Mapping[Any, int]) -> Program:
    """The program of all phases; ``addresses`` has the machine code of each kernel."""
    table: list[tuple[int, int]] = []
    tasks: list[tuple[int, int]] = []
    words: list[int] = []
    calls: list[int] = []
    encodings: dict[Any, _Encoding] = {}
    for phase in phases:
        table.append((len(tasks), len(phase)))
        for task in phase:
            tasks.append((len(words), len(task)))
            for call in task:
                calls.append(len(words))
                kernel = call.kernel
                encoding = encodings.get(kernel)
                if encoding is None:
                    names = tuple(kernel.arguments)
                    encoding = encodings[kernel] = _Encoding(addresses[kernel], names, frozenset(names))
                words += encoding.words(call.arguments)
    shaped = ((table, (-1, 2)), (tasks, (-1, 2)), (words, -1), (calls, -1))
    return Program(*(np.array(rows, np.int64).reshape(shape) for rows, shape in shaped))


def kernels_of(phases: Sequence[Sequence[Task]]) -> list[Any]:
    """All kernels used, each once."""
    return list(dict.fromkeys(call.kernel for phase in phases for task in phase for call in task))
