"""What a worker is doing, in memory that its supervisor reads even after the worker was killed."""

import mmap
import struct
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Self

MAX_BYTES = 1 << 20
"""Longer cases are cut."""

_HEAD = struct.Struct("<QdI")  # cases so far, when the present one began (0: none), length of its data


@dataclass(frozen=True, slots=True)
class State:
    """Cases so far, seconds that the present one has taken (0 between cases), its data."""

    cases: int
    running: float
    data: bytes


class Record:
    """A file of fixed size, mapped by both processes."""

    def __init__(self, path: Path) -> None:
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), _HEAD.size + MAX_BYTES)
        self._cases = 0

    @classmethod
    def created(cls, path: Path) -> Self:
        """A new record that replaces an existing file."""
        path.write_bytes(bytes(_HEAD.size + MAX_BYTES))
        return cls(path)

    def begin(self, data: bytes) -> None:
        """Note the case that is about to run."""
        self._map[_HEAD.size : _HEAD.size + len(data)] = data
        self._map[: _HEAD.size] = _HEAD.pack(self._cases, time.monotonic(), len(data))

    def end(self) -> None:
        """Note that it has returned."""
        self._cases += 1
        self._map[: _HEAD.size] = _HEAD.pack(self._cases, 0.0, 0)

    def state(self) -> State:
        """The present state."""
        cases, began, length = _HEAD.unpack(self._map[: _HEAD.size])
        running = time.monotonic() - began if began else 0.0
        return State(cases, running, self._map[_HEAD.size : _HEAD.size + length])
