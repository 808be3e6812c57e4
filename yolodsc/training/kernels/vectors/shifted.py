"""Sums and dot products of shifted maps: the taps of a small convolution read one zero-padded buffer at different offsets."""

from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils as untyped_cgutils
from numba.extending import intrinsic

from yolodsc.arrays import Array, Ints
from yolodsc.jit import njit
from yolodsc.training.kernels.vectors.rows import LANES, VECTOR, Vectors, data, index, is_row, offset, over_vectors, types

cgutils: Any = untyped_cgutils

TOGETHER = 8
"""Filters of `filter_sums`."""
SLACK = LANES
"""Elements behind a buffer of taps that may be read."""


def _scalar(builder: Any, pointer: Any, number: Any) -> Any:
    return builder.load(builder.gep(pointer, [number]))


def _add_products(v: Vectors, rows: list[Any], pixels: Any, totals: list[Any]) -> None:
    for row, total in zip(rows, totals, strict=True):
        v.builder.store(v.fma(row, pixels, v.builder.load(total)), total)


def _sums(taps: int) -> Any:
    """Return an intrinsic: ``taps`` shifted maps times their weights, with bias or the present content, then the activation.

    Its arguments are the flattened source, the offsets of the taps and the first to use, the weights and the first to use, the
    flattened target, (start, pitch) of both maps, (rows, width), (bias, slope, limit), and whether to add the target.
    """

    def typed(
        tc: Any,
        source: Any,
        offsets: Any,
        weights: Any,
        first: Any,
        target: Any,
        positions: Any,
        shape: Any,
        scalars: Any,
        add: Any,
    ) -> Any:
        if not (is_row(source) and is_row(weights) and is_row(target) and is_row(offsets, types.int64)):
            return None

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            v, kinds = Vectors(builder), signature.args
            read, shifts, values, written = (data(context, builder, kinds[i], arguments[i]) for i in (0, 1, 2, 4))
            starts = cgutils.unpack_tuple(builder, arguments[3])
            numbers = [(builder.add(starts[0], index(k)), builder.add(starts[1], index(k))) for k in range(taps)]
            shifted = [builder.gep(read, [_scalar(builder, shifts, tap)]) for tap, _ in numbers]
            wide = [v.broadcast(_scalar(builder, values, weight)) for _, weight in numbers]
            bias, slope, limit = (v.broadcast(scalar) for scalar in cgutils.unpack_tuple(builder, arguments[7]))
            at = [cgutils.unpack_tuple(builder, position) for position in cgutils.unpack_tuple(builder, arguments[5])]

            def body(y: Any, x: Any, mask: Any) -> None:
                pixel, goal = offset(builder, at[0], y, x), builder.gep(written, [offset(builder, at[1], y, x)])
                start = cgutils.alloca_once_value(builder, bias)
                builder.store(bias, start)
                with builder.if_then(arguments[8]):
                    builder.store(v.load(goal, mask), start)
                total = builder.load(start)
                for pointer, weight in zip(shifted, wide, strict=True):
                    total = v.fma(v.load(builder.gep(pointer, [pixel])), weight, total)
                v.store(v.activated(total, slope, limit), goal, mask)

            over_vectors(builder, cgutils.unpack_tuple(builder, arguments[6]), body)
            return context.get_dummy_value()

        return types.none(source, offsets, weights, first, target, positions, shape, scalars, add), generate

    return intrinsic(typed)


def _dots(taps: int, filters: int) -> Any:
    """Return an intrinsic that adds the dot products of ``filters`` maps with ``taps`` shifted maps to the gradients of weights.

    Its arguments are the flattened maps, the distance of two of them, the flattened source, the offsets of the taps, the
    flattened sums, the first tap, first sum and the distance of the sums of two maps, (start, pitch) of maps and source, and
    (rows, width).
    """

    def typed(
        tc: Any, lines: Any, distance: Any, source: Any, offsets: Any, sums: Any, first: Any, positions: Any, shape: Any
    ) -> Any:
        if not (is_row(lines) and is_row(source) and is_row(sums) and is_row(offsets, types.int64)):
            return None

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            v, kinds = Vectors(builder), signature.args
            gradient, read, shifts, out = (data(context, builder, kinds[i], arguments[i]) for i in (0, 2, 3, 4))
            tap, weight, pitch = cgutils.unpack_tuple(builder, arguments[5])
            at = [cgutils.unpack_tuple(builder, position) for position in cgutils.unpack_tuple(builder, arguments[6])]
            shifted = [builder.gep(read, [_scalar(builder, shifts, builder.add(tap, index(k)))]) for k in range(taps)]
            own = [builder.gep(gradient, [builder.mul(arguments[1], index(f))]) for f in range(filters)]
            zero = ir.Constant(VECTOR, None)
            partial = [[cgutils.alloca_once_value(builder, zero) for _ in range(taps)] for _ in range(filters)]
            for total in (total for row in partial for total in row):
                builder.store(zero, total)

            def body(y: Any, x: Any, mask: Any) -> None:
                line, pixel = offset(builder, at[0], y, x), offset(builder, at[1], y, x)
                rows = [v.load(builder.gep(pointer, [line]), mask) for pointer in own]
                for k, pointer in enumerate(shifted):
                    pixels = v.load(builder.gep(pointer, [pixel]), mask)
                    _add_products(v, rows, pixels, [totals[k] for totals in partial])

            over_vectors(builder, cgutils.unpack_tuple(builder, arguments[7]), body)
            for f in range(filters):
                for k in range(taps):
                    goal = builder.gep(out, [builder.add(builder.add(weight, index(k)), builder.mul(pitch, index(f)))])
                    builder.store(builder.fadd(builder.load(goal), v.total(builder.load(partial[f][k]))), goal)
            return context.get_dummy_value()

        return types.none(lines, distance, source, offsets, sums, first, positions, shape), generate

    return intrinsic(typed)


_sums9, _sums4, _sums2, _sums1 = (_sums(taps) for taps in (9, 4, 2, 1))
_dots9, _dots3, _dots1, _dots9_2 = _dots(9, 1), _dots(3, 1), _dots(1, 1), _dots(9, 2)

Position = tuple[int, int]
"""First element of a map, and the distance of its rows."""


@njit(cache=True, nogil=True, error_model="numpy")
def shifted_sums(
    source: Array,
    offsets: Ints,
    weights: Array,
    taps: tuple[int, int, int],
    target: Array,
    positions: tuple[Position, Position],
    shape: tuple[int, int],
    scalars: tuple[np.float32, np.float32, np.float32],
    accumulate: bool,
) -> None:
    """Fill a map with ``activation(bias + Σ weights[k] * source[offsets[k] + pixel])``, or add the sum to it.

    Parameters
    ----------
    source, target
        Flattened. `SLACK` elements behind the last pixel of the source may be read.
    taps
        First offset, first weight, and number of taps, at least 1.
    positions
        Of source and target.
    shape
        Rows and width.
    scalars
        Bias, slope and limit.
    """
    bias, slope, limit = scalars
    first, weight, rest = taps
    linear = np.float32(1), np.float32(np.inf)
    add = accumulate
    while rest > 0:
        n = 9 if rest >= 9 else 4 if rest >= 4 else 2 if rest >= 2 else 1
        last = (slope, limit) if rest == n else linear
        numbers = bias, last[0], last[1]
        if n == 9:
            _sums9(source, offsets, weights, (first, weight), target, positions, shape, numbers, add)
        elif n == 4:
            _sums4(source, offsets, weights, (first, weight), target, positions, shape, numbers, add)
        elif n == 2:
            _sums2(source, offsets, weights, (first, weight), target, positions, shape, numbers, add)
        else:
            _sums1(source, offsets, weights, (first, weight), target, positions, shape, numbers, add)
        first, weight, rest, add = first + n, weight + n, rest - n, True


@njit(cache=True, nogil=True, error_model="numpy")
def add_dots(
    lines: Array,
    line: tuple[int, int],
    source: Array,
    offsets: Ints,
    sums: Array,
    taps: tuple[int, int],
    positions: tuple[Position, Position],
    shape: tuple[int, int],
) -> None:
    """Add ``Σ lines[f][pixel] * source[offsets[k] + pixel]`` to ``sums[start + f * count + k]``.

    Parameters
    ----------
    line
        Distance of two maps in ``lines``, and how many there are, 1 or 2.
    taps
        First sum, and number of taps.
    positions
        Of the first line and of the source.
    shape
        Rows and width.
    """
    (start, count), (distance, filters) = taps, line
    done = 0
    if filters == 2:
        while count - done >= 9:
            _dots9_2(lines, distance, source, offsets, sums, (done, start + done, count), positions, shape)
            done += 9
    for f in range(filters):
        k, position = done, ((positions[0][0] + f * distance, positions[0][1]), positions[1])
        while k < count:
            n, first = 9 if count - k >= 9 else 3 if count - k >= 3 else 1, (k, start + f * count + k, count)
            if n == 9:
                _dots9(lines, distance, source, offsets, sums, first, position, shape)
            elif n == 3:
                _dots3(lines, distance, source, offsets, sums, first, position, shape)
            else:
                _dots1(lines, distance, source, offsets, sums, first, position, shape)
            k += n
