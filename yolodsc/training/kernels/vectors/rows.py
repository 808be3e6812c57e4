"""Loops over the rows of maps, 16 elements at a time, as vector instructions.

A row of any width ends in one masked vector, so that maps of 7 and 14 pixels need no scalar remainder. LLVM writes scalar
remainders for loops in Numba, and scalar code where two arguments may overlap.
"""

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types as untyped_types
from numba.core import cgutils as untyped_cgutils
from numba.extending import intrinsic

cgutils: Any = untyped_cgutils
types: Any = untyped_types

LANES = 16
FLOAT = ir.FloatType()
VECTOR = ir.VectorType(FLOAT, LANES)
INDEX = ir.IntType(64)
_BIT, _INT = ir.IntType(1), ir.IntType(32)
_MASK = ir.VectorType(_BIT, LANES)
_POINTER = VECTOR.as_pointer()


class Vectors:
    """Instructions on vectors; a mask of None stands for all lanes."""

    def __init__(self, builder: Any) -> None:
        self.builder = builder

    def broadcast(self, scalar: Any) -> Any:
        """Return a vector of one element."""
        one = self.builder.insert_element(ir.Constant(VECTOR, ir.Undefined), scalar, ir.Constant(_INT, 0))
        return self.shuffled(one, one, [0] * LANES)

    def shuffled(self, a: Any, b: Any, lanes: list[int]) -> Any:
        """Select lanes of two vectors by number."""
        return self.builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(_INT, LANES), lanes))

    def mask(self, count: Any) -> Any:
        """Return the mask of the first ``count`` lanes; a count may be negative or exceed the lanes."""
        lanes = ir.Constant(ir.VectorType(INDEX, LANES), list(range(LANES)))
        one = self.builder.insert_element(ir.Constant(lanes.type, ir.Undefined), count, ir.Constant(_INT, 0))
        counts = self.builder.shuffle_vector(one, one, ir.Constant(ir.VectorType(_INT, LANES), [0] * LANES))
        return self.builder.icmp_signed("<", lanes, counts)

    def load(self, pointer: Any, mask: Any = None) -> Any:
        """Load a vector; lanes outside the mask are 0 and not read."""
        address = self.builder.bitcast(pointer, _POINTER)
        if mask is None:
            return self.builder.load(address, align=4)
        function = ir.FunctionType(VECTOR, [_POINTER, _INT, _MASK, VECTOR])
        load = cgutils.get_or_insert_function(self.builder.module, function, f"llvm.masked.load.v{LANES}f32.p0")
        return self.builder.call(load, [address, ir.Constant(_INT, 4), mask, ir.Constant(VECTOR, None)])

    def store(self, value: Any, pointer: Any, mask: Any = None) -> None:
        """Store the lanes of the mask."""
        address = self.builder.bitcast(pointer, _POINTER)
        if mask is None:
            self.builder.store(value, address, align=4)
            return
        function = ir.FunctionType(ir.VoidType(), [VECTOR, _POINTER, _INT, _MASK])
        store = cgutils.get_or_insert_function(self.builder.module, function, f"llvm.masked.store.v{LANES}f32.p0")
        self.builder.call(store, [value, address, ir.Constant(_INT, 4), mask])

    def fma(self, a: Any, b: Any, c: Any) -> Any:
        """Return a * b + c."""
        function = ir.FunctionType(VECTOR, [VECTOR] * 3)
        return self.builder.call(
            cgutils.get_or_insert_function(self.builder.module, function, f"llvm.fmuladd.v{LANES}f32"), [a, b, c]
        )

    def activated(self, value: Any, slope: Any, limit: Any) -> Any:
        """Return ``min(max(value, slope * value), limit)``; NaN stays NaN."""
        b = self.builder
        sloped = b.fmul(slope, value)
        value = b.select(b.fcmp_ordered(">", value, sloped), value, sloped)
        return b.select(b.fcmp_ordered(">", value, limit), limit, value)

    def input_gradient(self, gradient: Any, out: Any, slope: Any, limit: Any) -> Any:
        """Return the gradient of the activation's input from that of its output ``out``."""
        b = self.builder
        zero, one = ir.Constant(VECTOR, None), ir.Constant(VECTOR, [1.0] * LANES)
        derivative = b.select(b.fcmp_ordered(">", out, zero), one, slope)
        return b.fmul(gradient, b.select(b.fcmp_ordered("<", out, limit), derivative, zero))

    def total(self, vector: Any) -> Any:
        """Return the sum of the lanes: halves are added until one element is left."""
        half = LANES // 2
        while half:
            moved = self.shuffled(vector, vector, [(lane + half) % LANES for lane in range(LANES)])
            vector, half = self.builder.fadd(vector, moved), half // 2
        return self.builder.extract_element(vector, ir.Constant(_INT, 0))


def index(number: int) -> ir.Constant:
    """Return an int64 constant."""
    return ir.Constant(INDEX, number)


def offset(builder: Any, position: tuple[Any, Any], y: Any, x: Any) -> Any:
    """Return the element of row y and column x of a map at ``position``: its first element, and the distance of its rows."""
    start, pitch = position
    return builder.add(builder.add(start, builder.mul(pitch, y)), x)


def over_vectors(builder: Any, shape: tuple[Any, Any], body: Callable[[Any, Any, Any], None]) -> None:
    """Emit ``body(y, x, mask)`` for every vector of a map of rows x width; the mask is None for whole vectors."""
    rows, width = shape
    whole, v = builder.udiv(width, index(LANES)), Vectors(builder)
    done = builder.mul(whole, index(LANES))
    rest = builder.sub(width, done)
    mask = v.mask(rest)
    with cgutils.for_range(builder, rows, intp=INDEX) as row:
        with cgutils.for_range(builder, whole, intp=INDEX) as column:
            body(row.index, builder.mul(column.index, index(LANES)), None)
        with builder.if_then(builder.icmp_signed(">", rest, index(0))):
            body(row.index, done, mask)


def is_row(kind: Any, dtype: Any = types.float32) -> bool:
    """Whether a Numba type is a contiguous array of one axis."""
    return isinstance(kind, types.Array) and (kind.ndim, kind.layout, kind.dtype) == (1, "C", dtype)


def data(context: Any, builder: Any, kind: Any, value: Any) -> Any:
    """Return the pointer to an array's elements."""
    return context.make_array(kind)(context, builder, value).data


def maps(builder: Any, values: Any) -> Any:
    """Unpack nested tuples of numbers."""
    return [cgutils.unpack_tuple(builder, value) for value in values]


Emitter = Callable[[Vectors, list[Any], list[Any]], Any]


def _row_map(emit: Emitter, *, returns_sum: bool = False) -> Any:
    """Return an intrinsic that computes each element of a map from those of other maps and from scalars.

    Its arguments are a tuple of flattened arrays, the target last; for each its first element and the distance of its rows; the
    rows and the width; and float32 scalars. It returns the sum of all elements of the target, or 0.
    """

    def typed(typing_context: Any, arrays: Any, positions: Any, shape: Any, scalars: Any) -> Any:
        if not all(is_row(array) for array in arrays):
            return None

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            v, values = Vectors(builder), cgutils.unpack_tuple(builder, arguments[0])
            pointers = [data(context, builder, kind, value) for kind, value in zip(arrays, values, strict=True)]
            at = maps(builder, cgutils.unpack_tuple(builder, arguments[1]))
            wide = [v.broadcast(scalar) for scalar in cgutils.unpack_tuple(builder, arguments[3])]
            total = cgutils.alloca_once_value(builder, ir.Constant(VECTOR, None))

            def body(y: Any, x: Any, mask: Any) -> None:
                found = [
                    builder.gep(pointer, [offset(builder, position, y, x)]) for pointer, position in zip(pointers, at, strict=True)
                ]
                value = emit(v, [v.load(pointer, mask) for pointer in found[:-1]], wide)
                v.store(value, found[-1], mask)
                if returns_sum:
                    kept = value if mask is None else builder.select(mask, value, ir.Constant(VECTOR, None))
                    builder.store(builder.fadd(builder.load(total), kept), total)

            over_vectors(builder, cgutils.unpack_tuple(builder, arguments[2]), body)
            return v.total(builder.load(total)) if returns_sum else ir.Constant(FLOAT, 0.0)

        return types.float32(arrays, positions, shape, scalars), generate

    return intrinsic(typed)


def _normalised_gradient(v: Vectors, rows: list[Any], scalars: list[Any]) -> Any:
    """Return ``factor * (g - mean gradient - (x - mean) * product)``, where g is the gradient of the activation's input."""
    b, (mean, factor, shift, gradient_mean, product, slope, limit) = v.builder, scalars
    distance = b.fsub(rows[1], mean)
    gradient = v.input_gradient(rows[0], v.fma(distance, factor, shift), slope, limit)
    return b.fmul(factor, b.fsub(b.fsub(gradient, gradient_mean), b.fmul(distance, product)))


copy_rows: Any = _row_map(lambda v, rows, scalars: rows[0])
"""Copy a map."""
gradient_rows: Any = _row_map(lambda v, rows, scalars: v.input_gradient(rows[0], rows[1], *scalars), returns_sum=True)
"""From gradient and output of an activation (slope, limit) to the gradient of its input."""
normalised_gradient_rows: Any = _row_map(_normalised_gradient, returns_sum=True)
"""As `gradient_rows`, through batch norm: from the gradient of its output and its input."""
