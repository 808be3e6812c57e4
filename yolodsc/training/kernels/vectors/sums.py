"""Sums over rows of functions of their elements, in a fixed order."""

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import cgutils as untyped_cgutils
from numba.extending import intrinsic

from yolodsc.training.kernels.vectors.rows import VECTOR, Vectors, data, index, is_row, over_vectors, types

cgutils: Any = untyped_cgutils

BLOCK = 4096
"""Elements to sum in float32; sums of longer rows are added in float64."""


def _row_sums(emit: Callable[[Vectors, list[Any], list[Any]], list[Any]]) -> Any:
    """Return an intrinsic that sums two functions of the elements of rows.

    Its arguments are a tuple of flattened arrays, the first element, the number of elements, and float32 scalars. It returns two
    float32.
    """

    def typed(typing_context: Any, arrays: Any, start: Any, count: Any, scalars: Any) -> Any:
        if not all(is_row(array) for array in arrays):
            return None
        result = types.UniTuple(types.float32, 2)

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            v, values, zero = Vectors(builder), cgutils.unpack_tuple(builder, arguments[0]), ir.Constant(VECTOR, None)
            pointers = [data(context, builder, kind, value) for kind, value in zip(arrays, values, strict=True)]
            wide = [v.broadcast(scalar) for scalar in cgutils.unpack_tuple(builder, arguments[3])]
            totals = [cgutils.alloca_once_value(builder, zero) for _ in range(2)]
            for total in totals:
                builder.store(zero, total)

            def body(y: Any, x: Any, mask: Any) -> None:
                rows = [v.load(builder.gep(pointer, [builder.add(arguments[1], x)]), mask) for pointer in pointers]
                for value, total in zip(emit(v, rows, wide), totals, strict=True):
                    kept = value if mask is None else builder.select(mask, value, zero)
                    builder.store(builder.fadd(builder.load(total), kept), total)

            over_vectors(builder, (index(1), arguments[2]), body)
            return context.make_tuple(builder, result, [v.total(builder.load(total)) for total in totals])

        return result(arrays, start, count, scalars), generate

    return intrinsic(typed)


def _distances(v: Vectors, rows: list[Any], scalars: list[Any]) -> list[Any]:
    distance = v.builder.fsub(rows[0], scalars[0])
    return [distance, v.builder.fmul(distance, distance)]


def _gradients(v: Vectors, rows: list[Any], scalars: list[Any]) -> list[Any]:
    mean, factor, shift, slope, limit = scalars
    distance = v.builder.fsub(rows[1], mean)
    gradient = v.input_gradient(rows[0], v.fma(distance, factor, shift), slope, limit)
    return [gradient, v.builder.fmul(gradient, distance)]


distance_sums: Any = _row_sums(_distances)
"""The distances from a number, and their squares."""
gradient_sums: Any = _row_sums(_gradients)
"""From gradients of the activation's output and elements before the normalisation (mean, factor, shift, slope, limit): the gradient
of the activation's input, and its product with the distance from the mean."""
