"""The activations of a ``[yolo]`` head on a few boxes, with the kernels that run the head on all boxes: the same bits."""

import ctypes
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from yolodsc.arrays import Array
from yolodsc.engine.codegen.dtypes import bits
from yolodsc.engine.codegen.kernels.elementwise import AffineKernel
from yolodsc.engine.operations.planar import AffineRange
from yolodsc.engine.plan.heads import yolo_ranges
from yolodsc.engine.plan.layout import tagged_address
from yolodsc.jit import Isa, compiler_for
from yolodsc.network import Head, YoloLayer

_Call = tuple[Callable[[int, int], None], NDArray[np.int64], int]
"""A function, its arguments and their address."""

Activation = Callable[[int], None]
"""Activates the first boxes of an array."""


def compiled_activation(isa: Isa, head: YoloLayer, x: Array, y: Array) -> Activation:
    """The activations of boxes ``x`` (entries, N) into ``y``, with kernels; ``N`` must be a multiple of the vector length.

    A call works on boxes in multiples of the vector length, so it may change ``y`` beyond the boxes that it is called for.
    """
    entries, boxes = x.shape
    if y.shape != x.shape or not (x.flags.c_contiguous and y.flags.c_contiguous) or boxes % isa.lanes or not boxes:
        raise ValueError(f"boxes of {x.shape} and {y.shape}; expected equal shapes in C order, columns in multiples of {isa.lanes}")
    bases = np.array([x.ctypes.data, y.ctypes.data], np.int64)
    calls = list(_calls(isa, yolo_ranges(head, entries), boxes))
    floats, at, lanes = AffineKernel.arguments.index("floats"), bases.ctypes.data, isa.lanes

    def activate(count: int, kept: tuple[object, ...] = (x, y, bases)) -> None:
        del kept  # the default argument keeps the arrays alive
        padded = min(count + -count % lanes, boxes)
        for function, words, address in calls:
            words[floats] = padded
            function(address, at)

    return activate


def reference_activation(head: Head, x: Array, y: Array) -> Activation:
    """The same by the reference implementation of any anchor-based head."""

    def activate(count: int) -> None:
        with np.errstate(all="ignore"):
            y[:, :count] = head.activated(x[None, :, :count])[0]

    return activate


def _calls(isa: Isa, ranges: tuple[AffineRange, ...], boxes: int) -> Iterator[_Call]:
    """A call for each range of entries."""
    kernels = [AffineKernel(isa.lanes, part.activation) for part in ranges]
    addresses = compiler_for(isa).load(kernels)
    for kernel, part in zip(kernels, ranges, strict=True):
        row = 4 * boxes
        arguments = {
            "x": tagged_address(0, part.first * row),
            "y": tagged_address(1, part.first * row),
            "channels": 1,
            "rows": part.count,
            "row_x": row,
            "row_y": row,
            "scale": bits(part.scale),
            "shift": bits(part.shift),
        }
        words = np.array([arguments.get(name, 0) for name in AffineKernel.arguments], np.int64)
        yield ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p)(addresses[kernel]), words, words.ctypes.data
