"""Offsets for the gradients of feature maps: arrays that are never alive together share memory."""

from collections.abc import Mapping

import numpy as np

from yolodsc.arrays import Array

_LINE = 16
"""float32 elements of a cache line: every array begins on one."""


def shared_offsets(shapes: Mapping[int, tuple[int, ...]], lives: Mapping[int, tuple[int, int]]) -> tuple[dict[int, int], int]:
    """Return the offset of each array, and the number of elements in all.

    ``lives`` holds the first and the last layer that uses each array. The largest array comes first; each gets the lowest offset
    that is free during its life.
    """
    placed: list[tuple[int, int, int, int]] = []  # first, last, start, end
    offsets = {}
    for index in sorted(shapes, key=lambda index: (-int(np.prod(shapes[index])), index)):
        size = -int(np.prod(shapes[index])) // _LINE * -_LINE
        first, last = lives[index]
        taken = sorted((start, end) for born, dead, start, end in placed if born <= last and first <= dead)
        offset = 0
        for start, end in taken:
            if offset + size <= start:
                break
            offset = max(offset, end)
        placed.append((first, last, offset, offset + size))
        offsets[index] = offset
    return offsets, max((end for *_, end in placed), default=0)


def view(memory: Array, offset: int, shape: tuple[int, ...]) -> Array:
    """Return a part of the memory as an array of a shape."""
    return memory[offset : offset + int(np.prod(shape))].reshape(shape)
