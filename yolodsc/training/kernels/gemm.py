"""Matrix products of parts of larger arrays, by the BLAS that Numba uses for `numpy.dot`."""

from typing import Any

from llvmlite import ir
from numba import types as untyped_types
from numba.core import cgutils as untyped_cgutils
from numba.extending import intrinsic

from yolodsc.arrays import Array
from yolodsc.jit import njit

cgutils: Any = untyped_cgutils
types: Any = untyped_types

_CHAR, _INDEX, _VOID, _FLOAT = ir.IntType(8), ir.IntType(64), ir.IntType(8).as_pointer(), ir.FloatType()
_FUNCTION = ir.FunctionType(
    ir.IntType(32), [_CHAR, _CHAR, _CHAR, _INDEX, _INDEX, _INDEX, _VOID, _VOID, _INDEX, _VOID, _INDEX, _VOID, _VOID, _INDEX]
)
"""Kind, whether to transpose each factor, the three lengths, alpha, two factors with their pitches, beta, and the product."""


def _typed_product(
    typing_context: Any, arrays: Any, starts: Any, pitches: Any, shape: Any, transposed: Any, accumulate: Any
) -> Any:
    """See `product`; the arrays are contiguous, float32 and of one axis."""
    if not all(isinstance(a, types.Array) and (a.ndim, a.layout, a.dtype) == (1, "C", types.float32) for a in arrays):
        return None

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        values, offsets, steps, lengths, flags = (cgutils.unpack_tuple(builder, value) for value in arguments[:5])
        pointers = [
            builder.bitcast(builder.gep(context.make_array(kind)(context, builder, value).data, [offset]), _VOID)
            for kind, value, offset in zip(arrays, values, offsets, strict=True)
        ]
        # BLAS counts columns first: the transposes of all three matrices, so the factors are exchanged
        rows, inner, columns = lengths
        left, right = (builder.select(_bit(builder, flag), _letter("t"), _letter("n")) for flag in flags)
        one = cgutils.alloca_once_value(builder, ir.Constant(_FLOAT, 1.0))
        kept = builder.select(_bit(builder, arguments[5]), ir.Constant(_FLOAT, 1.0), ir.Constant(_FLOAT, 0.0))
        beta = cgutils.alloca_once_value(builder, kept)
        factors = [pointers[1], steps[1], pointers[0], steps[0], builder.bitcast(beta, _VOID), pointers[2], steps[2]]
        function = cgutils.get_or_insert_function(builder.module, _FUNCTION, "numba_xxgemm")
        sizes = [columns, rows, inner, builder.bitcast(one, _VOID)]
        builder.call(function, [_letter("s"), right, left, *sizes, *factors])
        return context.get_dummy_value()

    return types.none(arrays, starts, pitches, shape, transposed, accumulate), generate


_product: Any = intrinsic(_typed_product)


def _letter(letter: str) -> ir.Constant:
    return ir.Constant(_CHAR, ord(letter))


def _bit(builder: Any, flag: Any) -> Any:
    return builder.trunc(flag, ir.IntType(1)) if flag.type != ir.IntType(1) else flag


@njit(cache=True, nogil=True, error_model="numpy")
def product(
    arrays: tuple[Array, Array, Array],
    starts: tuple[int, int, int],
    pitches: tuple[int, int, int],
    shape: tuple[int, int, int],
    transposed: tuple[bool, bool],
    accumulate: bool,
) -> None:
    """Compute, or add, the product of two matrices that lie in flattened arrays.

    Parameters
    ----------
    arrays
        Both factors and the product, (n,) each.
    starts, pitches
        First element of each matrix, and the distance of its rows.
    shape
        Rows of the product, elements of each sum, and columns of the product.
    transposed
        Whether each factor is stored as its transpose.
    accumulate
        Whether to add to the product.
    """
    _product(arrays, starts, pitches, shape, transposed, accumulate)
