"""Sums of shifted maps for several filters at a time, for convolutions of few channels."""

from typing import Any

from numba.core import cgutils as untyped_cgutils
from numba.extending import intrinsic

from yolodsc.training.kernels.vectors.rows import INDEX, VECTOR, Vectors, data, index, is_row, offset, over_vectors, types

cgutils: Any = untyped_cgutils

TOGETHER = 8
"""Filters at a time: as many independent sums as the latency of multiply-adds asks for."""


def _typed(
    typing_context: Any, source: Any, offsets: Any, weights: Any, target: Any, first: Any, positions: Any, shape: Any, scalars: Any
) -> Any:
    """Fill the maps of `TOGETHER` filters with ``activation(bias[f] + Σ weights[k, f] * source[offsets[k] + pixel])``.

    Parameters
    ----------
    source, weights, target
        Flattened; weights are those of these filters only, tap by tap, and last their biases.
    first
        The distance of two filters in the target.
    positions
        (start, pitch) of source and target.
    shape
        Rows and width.
    scalars
        Slope and limit.
    """
    if not (is_row(source) and is_row(weights) and is_row(target) and is_row(offsets, types.int64)):
        return None

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        v, kinds = Vectors(builder), signature.args
        read, shifts, values, written = (data(context, builder, kinds[i], arguments[i]) for i in range(4))
        taps = builder.extract_value(context.make_array(kinds[1])(context, builder, arguments[1]).shape, 0)
        at = [cgutils.unpack_tuple(builder, position) for position in cgutils.unpack_tuple(builder, arguments[5])]
        slope, limit = (v.broadcast(scalar) for scalar in cgutils.unpack_tuple(builder, arguments[7]))
        totals = [cgutils.alloca_once(builder, VECTOR) for _ in range(TOGETHER)]

        def weight(k: Any, f: int) -> Any:
            return v.broadcast(builder.load(builder.gep(values, [builder.add(builder.mul(k, index(TOGETHER)), index(f))])))

        def body(y: Any, x: Any, mask: Any) -> None:
            pixel, goal = builder.gep(read, [offset(builder, at[0], y, x)]), offset(builder, at[1], y, x)
            for f, total in enumerate(totals):
                builder.store(weight(taps, f), total)
            with cgutils.for_range(builder, taps, intp=INDEX) as loop:
                pixels = v.load(builder.gep(pixel, [builder.load(builder.gep(shifts, [loop.index]))]))
                for f, total in enumerate(totals):
                    builder.store(v.fma(pixels, weight(loop.index, f), builder.load(total)), total)
            for f, total in enumerate(totals):
                pointer = builder.gep(written, [builder.add(goal, builder.mul(arguments[4], index(f)))])
                v.store(v.activated(builder.load(total), slope, limit), pointer, mask)

        over_vectors(builder, cgutils.unpack_tuple(builder, arguments[6]), body)
        return context.get_dummy_value()

    return types.none(source, offsets, weights, target, first, positions, shape, scalars), generate


filter_sums: Any = intrinsic(_typed)
