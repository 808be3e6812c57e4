"""Products of small matrices, for Winograd's positions: BLAS copies both factors first, which takes as long as the product."""

from typing import Any

from llvmlite import ir
from numba.core import cgutils as untyped_cgutils
from numba.extending import intrinsic

from yolodsc.arrays import Array
from yolodsc.jit import njit
from yolodsc.training.kernels.vectors.rows import INDEX, LANES, VECTOR, Vectors, data, index, is_row, types

cgutils: Any = untyped_cgutils

ROWS = 8
"""Rows of the product that are computed together."""


def _add_row(v: Vectors, factor: Any, vectors: list[Any], totals: list[Any]) -> None:
    for vector, total in zip(vectors, totals, strict=True):
        v.builder.store(v.fma(factor, vector, v.builder.load(total)), total)


def _block(columns: int) -> Any:
    """Return an intrinsic for `ROWS` rows and ``columns`` vectors of the product.

    Its arguments are the three flattened arrays, the first element of each, the four ``pitches`` of `small_product`, and the length
    of the sums.
    """

    def typed(typing_context: Any, left: Any, right: Any, out: Any, starts: Any, pitches: Any, inner: Any) -> Any:
        if not (is_row(left) and is_row(right) and is_row(out)):
            return None

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            v = Vectors(builder)
            bases = cgutils.unpack_tuple(builder, arguments[3])
            a, b, c = (builder.gep(data(context, builder, signature.args[i], arguments[i]), [bases[i]]) for i in range(3))
            left_row, left_column, right_pitch, out_pitch = cgutils.unpack_tuple(builder, arguments[4])
            totals = [[cgutils.alloca_once(builder, VECTOR) for _ in range(columns)] for _ in range(ROWS)]
            for row in totals:
                for total in row:
                    builder.store(ir.Constant(VECTOR, None), total)
            lines = [builder.gep(a, [builder.mul(left_row, index(r))]) for r in range(ROWS)]
            with cgutils.for_range(builder, arguments[5], intp=INDEX) as loop:
                column = builder.mul(loop.index, left_column)
                source = builder.gep(b, [builder.mul(loop.index, right_pitch)])
                vectors = [v.load(builder.gep(source, [index(LANES * j)])) for j in range(columns)]
                for line, row in zip(lines, totals, strict=True):
                    _add_row(v, v.broadcast(builder.load(builder.gep(line, [column]))), vectors, row)
            for r, row in enumerate(totals):
                goal = builder.gep(c, [builder.mul(out_pitch, index(r))])
                for j, total in enumerate(row):
                    v.store(builder.load(total), builder.gep(goal, [index(LANES * j)]))
            return context.get_dummy_value()

        return types.none(left, right, out, starts, pitches, inner), generate

    return intrinsic(typed)


_block3, _block2, _block1 = _block(3), _block(2), _block(1)


@njit(cache=True, nogil=True, error_model="numpy")
def small_product(
    arrays: tuple[Array, Array, Array],
    starts: tuple[int, int, int],
    shape: tuple[int, int, int],
    pitches: tuple[int, int, int, int],
) -> None:
    """Compute the product of two matrices that lie in flattened arrays.

    Parameters
    ----------
    arrays
        Both factors and the product.
    starts
        First element of each matrix.
    shape
        Rows of the product, at least `ROWS`; elements of each sum; columns of the product, a multiple of `LANES`.
    pitches
        Distance of the rows and of the columns of the left factor, of the rows of the right factor, and of those of the product.
    """
    (left, right, out), (rows, inner, columns) = arrays, shape
    done = 0
    while done < columns:
        vectors = 3 if columns - done >= 3 * LANES else (columns - done) // LANES
        for block in range(0, rows, ROWS):
            row = min(block, rows - ROWS)  # the last block may repeat rows of the one before
            first = starts[0] + row * pitches[0], starts[1] + done, starts[2] + row * pitches[3] + done
            if vectors == 3:
                _block3(left, right, out, first, pitches, inner)
            elif vectors == 2:
                _block2(left, right, out, first, pitches, inner)
            else:
                _block1(left, right, out, first, pitches, inner)
        done += vectors * LANES
