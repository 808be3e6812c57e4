"""Numba intrinsics that read and write eight bytes of a byte array at any offset."""

import sys
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils as typed_cgutils
from numba.extending import intrinsic

cgutils: Any = typed_cgutils
instruction: Any = intrinsic
"""Decorator of a function that emits LLVM IR where it is called; `Any`, because callers pass other parameters than it declares."""


def pointer(context: Any, builder: Any, kind: Any, array: Any, offset: Any, target: ir.Type, *, reach: Any) -> Any:
    """Return the address of the element at ``offset`` of an array, as a pointer to ``target``.

    The caller uses ``reach`` elements from there; with NUMBA_BOUNDSCHECK all of them must be in the array.
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


@instruction  # type: ignore[untyped-decorator]
def word(typing: Any, data: Any, position: Any) -> Any:
    """Load eight bytes as a big-endian number."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data, position = arguments
        address = pointer(context, builder, signature.args[0], data, position, ir.IntType(64), reach=8)
        return _swapped(builder, builder.load(address, align=1))

    return types.int64(data, position), code


@instruction  # type: ignore[untyped-decorator]
def put(typing: Any, data: Any, position: Any, value: Any) -> Any:
    """Store a number as eight big-endian bytes."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data, position, value = arguments
        address = pointer(context, builder, signature.args[0], data, position, ir.IntType(64), reach=8)
        builder.store(_swapped(builder, value), address, align=1)
        return context.get_dummy_value()

    return types.void(data, position, types.int64), code
