"""Places for the gradients of maps: those that are never alive together share memory."""

from collections.abc import Mapping

import numpy as np

from yolodsc.arrays import Array

_LINE = 16
"""Numbers in a cache line: every place begins on one."""


def shared(shapes: Mapping[int, tuple[int, ...]], lives: Mapping[int, tuple[int, int]]) -> tuple[dict[int, int], int]:
    """Offset of each array, and how many numbers are needed in all; ``lives`` has first and last moment.

    The largest first, each at the lowest place that is free during its life.
    """
    placed: list[tuple[int, int, int, int]] = []  # first, last, start, end
    offsets = {}
    for index in sorted(shapes, key=lambda index: (-int(np.prod(shapes[index])), index)):
        size = -int(np.prod(shapes[index])) // _LINE * -_LINE
        first, last = lives[index]
        taken = sorted((start, end) for born, dead, start, end in placed if born <= last and first <= dead)
        place = 0
        for start, end in taken:
            if place + size <= start:
                break
            place = max(place, end)
        placed.append((first, last, place, place + size))
        offsets[index] = place
    return offsets, max((end for *_, end in placed), default=0)


def cut(memory: Array, offset: int, shape: tuple[int, ...]) -> Array:
    """A place as an array."""
    return memory[offset : offset + int(np.prod(shape))].reshape(shape)
