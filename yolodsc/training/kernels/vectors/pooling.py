"""Max pooling of 2x2 windows without overlap, 16 windows at a time."""

from typing import Any

from llvmlite import ir
from numba.core import cgutils as untyped_cgutils
from numba.extending import intrinsic

from yolodsc.training.kernels.vectors.rows import INDEX, LANES, VECTOR, Vectors, data, index, is_row, types

cgutils: Any = untyped_cgutils

_EVEN, _ODD = list(range(0, 2 * LANES, 2)), list(range(1, 2 * LANES, 2))
_LOW = [lane // 2 + LANES * (lane % 2) for lane in range(LANES)]
_HIGH = [lane + LANES // 2 for lane in _LOW]


class _Windows:
    """16 windows: of ``count`` windows in a row, those from number ``first`` on."""

    def __init__(self, v: Vectors, first: Any, count: Any) -> None:
        b = v.builder
        self.v, self._left, self._first = v, b.sub(count, first), first
        self.mask = v.mask(self._left)

    def _halves(self, row: Any) -> list[tuple[Any, Any]]:
        b = self.v.builder
        at, left = b.mul(self._first, index(2)), b.mul(self._left, index(2))
        parts = (0, LANES)
        return [(b.gep(row, [b.add(at, index(part))]), self.v.mask(b.sub(left, index(part)))) for part in parts]

    def pixels(self, row: Any) -> tuple[Any, Any]:
        """Return the left and the right pixels of a row of pixels."""
        low, high = (self.v.load(*part) for part in self._halves(row))
        return self.v.shuffled(low, high, _EVEN), self.v.shuffled(low, high, _ODD)

    def store(self, left: Any, right: Any, row: Any, accumulate: Any) -> None:
        """Store left and right pixels, or add them."""
        b, zero = self.v.builder, ir.Constant(VECTOR, None)
        for part, half in zip(self._halves(row), (_LOW, _HIGH), strict=True):
            kept = cgutils.alloca_once_value(b, zero)
            b.store(zero, kept)
            with b.if_then(accumulate):
                b.store(self.v.load(*part), kept)
            self.v.store(b.fadd(self.v.shuffled(left, right, half), b.load(kept)), *part)

    def values(self, row: Any) -> Any:
        """Return a number of each window."""
        return self.v.load(self._pointer(row), self.mask)

    def put(self, value: Any, row: Any) -> None:
        """Store a number of each window."""
        self.v.store(value, self._pointer(row), self.mask)

    def _pointer(self, row: Any) -> Any:
        return self.v.builder.gep(row, [self._first])


def _intrinsic(emit: Any) -> Any:
    """Return an intrinsic for one row of windows: flattened arrays, the first element in each, the windows, and a flag."""

    def typed(typing_context: Any, arrays: Any, starts: Any, width: Any, accumulate: Any) -> Any:
        if not all(is_row(array) for array in arrays):
            return None

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            values, offsets = (cgutils.unpack_tuple(builder, argument) for argument in arguments[:2])
            rows = [
                builder.gep(data(context, builder, kind, value), [offset])
                for kind, value, offset in zip(arrays, values, offsets, strict=True)
            ]
            count = builder.udiv(builder.add(arguments[2], index(LANES - 1)), index(LANES))
            with cgutils.for_range(builder, count, intp=INDEX) as loop:
                windows = _Windows(Vectors(builder), builder.mul(loop.index, index(LANES)), arguments[2])
                emit(windows, rows, builder.mul(arguments[2], index(2)), arguments[3])
            return context.get_dummy_value()

        return types.none(arrays, starts, width, accumulate), generate

    return intrinsic(typed)


def _largest(builder: Any, a: Any, b: Any) -> Any:
    return builder.select(builder.fcmp_ordered(">", a, b), a, b)


def _emit_forward(windows: _Windows, rows: list[Any], width: Any, accumulate: Any) -> None:
    b = windows.v.builder
    x, out = rows
    above, below = windows.pixels(x), windows.pixels(b.gep(x, [width]))
    windows.put(_largest(b, _largest(b, *above), _largest(b, *below)), out)


def _emit_backward(windows: _Windows, rows: list[Any], width: Any, accumulate: Any) -> None:
    b, zero = windows.v.builder, ir.Constant(VECTOR, None)
    gradient, x, out, target = rows
    value, g = windows.values(out), windows.values(gradient)
    (first, second), (third, _) = windows.pixels(x), windows.pixels(b.gep(x, [width]))
    found, left, parts = None, g, []
    for pixel in (first, second, third):
        found = b.fcmp_ordered("==", pixel, value)
        parts.append(b.select(found, left, zero))
        left = b.select(found, zero, left)
    windows.store(parts[0], parts[1], target, accumulate)
    windows.store(parts[2], left, b.gep(target, [width]), accumulate)


pool_row: Any = _intrinsic(_emit_forward)
"""Fill a row of the output (x, out)."""
pool_row_backward: Any = _intrinsic(_emit_backward)
"""Give each gradient to the first maximum of its window, or to the last pixel (gradient, x, out, target)."""
