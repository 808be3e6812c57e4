"""Eight bytes at once, wherever they lie: what Numba's arrays of bytes don't give."""

import sys
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic


def pointer(context: Any, builder: Any, kind: Any, array: Any, offset: Any, target: ir.Type, *, reach: Any) -> Any:
    """Address of the element at ``offset`` of an array's memory, as a pointer to ``target``.

    ``reach`` elements from there will be used; with NUMBA_BOUNDSCHECK all of them have to be the array's.
    """
    parts = context.make_array(kind)(context, builder, array)
    data = parts.data
    if context.enable_boundscheck:
        count = reach if isinstance(reach, ir.Value) else ir.Constant(offset.type, reach)
        cgutils.do_boundscheck(context, builder, offset, parts.nitems)
        cgutils.do_boundscheck(context, builder, builder.sub(builder.add(offset, count), ir.Constant(offset.type, 1)), parts.nitems)
    return builder.bitcast(builder.gep(data, [offset]), target.as_pointer())


def _swapped(builder: Any, word: Any) -> Any:
    if sys.byteorder == "big":
        return word
    swap = cgutils.get_or_insert_function(builder.module, ir.FunctionType(word.type, [word.type]), "llvm.bswap.i64")
    return builder.call(swap, [word])


@intrinsic  # type: ignore[untyped-decorator]
def word(typing: Any, data: Any, position: Any) -> Any:
    """Eight bytes as a number, the first byte uppermost."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        place = pointer(context, builder, signature.args[0], *arguments, ir.IntType(64), reach=8)
        return _swapped(builder, builder.load(place, align=1))

    return types.int64(data, position), code


@intrinsic  # type: ignore[untyped-decorator]
def put(typing: Any, data: Any, position: Any, value: Any) -> Any:
    """Write the eight bytes of a number, the uppermost first."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        place = pointer(context, builder, signature.args[0], *arguments[:2], ir.IntType(64), reach=8)
        builder.store(_swapped(builder, arguments[2]), place, align=1)
        return context.get_dummy_value()

    return types.void(data, position, types.int64), code
