"""stb_image's upsampling (``stbi__resample_row_*``) and colours (``stbi__YCbCr_to_RGB_row``), sixteen samples of a row at once.

Every function may read and write up to fifteen samples beyond its range.
"""

from typing import Any

from llvmlite import ir
from numba import types

from yolodsc.jit import Lanes, instruction, pointer

STEP = 16
_BYTE, _SHORT = ir.IntType(8), ir.IntType(16)
_R, _G_CR, _G_CB, _B = (int(value * 4096 + 0.5) for value in (1.402, 0.71414, 0.34414, 1.772))
"""Weights of Cr in red and green, of Cb in green and blue, in units of 2**-12.

stb_image counts in units of 2**-20, of which all terms are multiples of 2**8, and in green that of Cb of 2**16: the floor of
each weighted difference in units of 2**-4 leaves the same quotient.
"""


@instruction  # type: ignore[untyped-decorator]
def summed(typing: Any, s: Any, near: Any, far: Any, out: Any, at: Any) -> Any:
    """Write three times one row plus another row as 16 bits."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        s, near, far, out, at = arguments
        lanes = Lanes(builder, 16, STEP)
        addresses = [pointer(context, builder, signature.args[0], s, i, _BYTE, elements=STEP) for i in (near, far)]
        one, other = (lanes.load(address, 8, signed=False) for address in addresses)
        target = pointer(context, builder, signature.args[3], out, at, _SHORT, elements=STEP)
        lanes.store(lanes.add(lanes.times(one, 3), other), target)
        return context.get_dummy_value()

    return types.void(s, near, far, out, at), code


@instruction  # type: ignore[untyped-decorator]
def widened(typing: Any, s: Any, near: Any, out: Any, at: Any) -> Any:
    """Write a row as 16 bits."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        lanes = Lanes(builder, 16, STEP)
        s, near, out, at = arguments
        one = lanes.load(pointer(context, builder, signature.args[0], s, near, _BYTE, elements=STEP), 8, signed=False)
        lanes.store(one, pointer(context, builder, signature.args[2], out, at, _SHORT, elements=STEP))
        return context.get_dummy_value()

    return types.void(s, near, out, at), code


@instruction  # type: ignore[untyped-decorator]
def quartered(typing: Any, sums: Any, at: Any, s: Any, out: Any) -> Any:
    """Write a quarter of each sum, rounded, as samples."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        lanes = Lanes(builder, 16, STEP)
        sums, at, s, out = arguments
        one = lanes.load(pointer(context, builder, signature.args[0], sums, at, _SHORT, elements=STEP), 16)
        target = pointer(context, builder, signature.args[2], s, out, _BYTE, elements=STEP)
        lanes.store(lanes.bytes(lanes.right(lanes.plus(one, 2), 2)), target)
        return context.get_dummy_value()

    return types.void(sums, at, s, out), code


def _doubled(half: int, shift: int) -> Any:
    @instruction  # type: ignore[untyped-decorator]
    def doubled(typing: Any, sums: Any, at: Any, s: Any, out: Any) -> Any:
        """Write two samples for each sum: three times itself plus its left or its right neighbour, rounded."""

        def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            sums, at, s, out = arguments
            lanes = Lanes(builder, 16, STEP)
            before = builder.sub(at, ir.Constant(at.type, 1))
            address = pointer(context, builder, signature.args[0], sums, before, _SHORT, elements=STEP + 2)
            left, centre, right = (lanes.load(builder.gep(address, [ir.Constant(at.type, i)]), 16) for i in range(3))
            centre = lanes.plus(lanes.times(centre, 3), half)
            first, second = (lanes.bytes(lanes.right(lanes.add(centre, other), shift)) for other in (left, right))
            mask = [k // 2 + STEP * (k % 2) for k in range(2 * STEP)]
            target = pointer(context, builder, signature.args[2], s, out, _BYTE, elements=2 * STEP)
            lanes.store(lanes.shuffled(first, second, mask), target)
            return context.get_dummy_value()

        return types.void(sums, at, s, out), code

    return doubled


doubled_sums, doubled_samples = _doubled(8, 4), _doubled(2, 2)


def _mixed(lanes: Lanes, vectors: tuple[Any, Any, Any], address: Any) -> None:
    """Interleave three vectors of bytes."""
    red, green, blue = vectors
    for part in range(3):
        lane = [divmod(STEP * part + k, 3) for k in range(STEP)]
        two = lanes.shuffled(red, green, [x + STEP * min(c, 1) for x, c in lane])
        three = lanes.shuffled(two, blue, [STEP + x if c == 2 else k for k, (x, c) in enumerate(lane)])
        lanes.store(three, lanes.builder.gep(address, [ir.Constant(ir.IntType(64), STEP * part)]))


def _colours(convert: bool) -> Any:
    @instruction  # type: ignore[untyped-decorator]
    def colours(typing: Any, s: Any, first: Any, second: Any, third: Any, out: Any, at: Any) -> Any:
        """Convert the samples of three rows to pixels."""

        def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            s, *rows, out, at = arguments
            lanes = Lanes(builder, 16, STEP)
            addresses = [pointer(context, builder, signature.args[0], s, row, _BYTE, elements=STEP) for row in rows]
            target = pointer(context, builder, signature.args[4], out, at, _BYTE, elements=3 * STEP)
            if not convert:
                _mixed(lanes, tuple(Lanes(builder, 8, STEP).load(address, 8) for address in addresses), target)
                return context.get_dummy_value()
            luma, cb, cr = (lanes.load(address, 8, signed=False) for address in addresses)
            luma = lanes.plus(lanes.left(luma, 4), 8)
            cb, cr = (lanes.left(lanes.plus(difference, -128), 8) for difference in (cb, cr))
            sums = (
                lanes.add(luma, _upper_product(lanes, cr, _R)),
                lanes.add(lanes.add(luma, _upper_product(lanes, cr, -_G_CR)), _upper_product(lanes, cb, -_G_CB)),
                lanes.add(luma, _upper_product(lanes, cb, _B)),
            )
            _mixed(lanes, tuple(lanes.bytes(lanes.right(number, 4)) for number in sums), target)
            return context.get_dummy_value()

        return types.void(s, first, second, third, out, at), code

    return colours


def _upper_product(lanes: Lanes, a: Any, number: int) -> Any:
    """Return the upper 16 bits of products of 16 bits: one instruction on most processors."""
    wide = Lanes(lanes.builder, 32, STEP)
    product = wide.times(lanes.builder.sext(a, wide.type), number)
    return lanes.builder.trunc(wide.right(product, 16), lanes.type)


converted, interleaved = _colours(convert=True), _colours(convert=False)
