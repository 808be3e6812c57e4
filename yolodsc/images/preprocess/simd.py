"""Sixteen pixels at once: division by 255, and weighted means.

The quotient by 255 is a sum of two products. ``257 / 2**16`` times a byte is exact, and the second product is so small that the
rounded sum is the correctly rounded quotient for each of the 256 bytes. No operations are fused: the products of a mean are rounded
before they are added, as in Darknet.
"""

import sys
from typing import Any

from llvmlite import ir
from numba import types

from yolodsc.jit import Lanes, instruction, pointer

STEP = 16
HIGH = 257 / 65536
LOW = 1 / 255 - HIGH
_BYTE, _INT, _FLOAT = ir.IntType(8), ir.IntType(32), ir.FloatType()
_FLOATS, _WORDS = ir.VectorType(_FLOAT, STEP), ir.VectorType(ir.IntType(64), STEP)


def _shares(builder: Any, numbers: Any) -> Any:
    """Divide vectors of integers in 0..255 by 255."""
    number = builder.uitofp(numbers, _FLOATS)
    products = [builder.fmul(number, ir.Constant(_FLOATS, [ir.Constant(_FLOAT, part)] * STEP)) for part in (HIGH, LOW)]
    return builder.fadd(*products)


def _broadcast(builder: Any, number: Any, kind: Any) -> Any:
    first = builder.insert_element(ir.Constant(kind, ir.Undefined), number, ir.Constant(_INT, 0))
    return builder.shuffle_vector(first, first, ir.Constant(ir.VectorType(_INT, STEP), [0] * STEP))


def _mean(builder: Any, near: Any, far: Any, weight: Any) -> Any:
    """Return ``near * (1 - weight) + far * weight``, every result rounded."""
    one = ir.Constant(_FLOATS, [ir.Constant(_FLOAT, 1.0)] * STEP)
    return builder.fadd(builder.fmul(near, builder.fsub(one, weight)), builder.fmul(far, weight))


def _load(builder: Any, address: Any) -> Any:
    return builder.load(builder.bitcast(address, _FLOATS.as_pointer()), align=4)


@instruction  # type: ignore[untyped-decorator]
def gathered(typing: Any, pixels: Any, at: Any, words: Any, to: Any) -> Any:
    """Copy eight bytes to a word, the first byte lowest."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pixels, at, words, to = arguments
        source = pointer(context, builder, signature.args[0], pixels, at, ir.IntType(64), elements=8)
        value = builder.load(source, align=1)
        if sys.byteorder == "big":
            value = builder.bswap(value)
        builder.store(value, pointer(context, builder, signature.args[2], words, to, ir.IntType(64), elements=1))
        return context.get_dummy_value()

    return types.void(pixels, at, words, to), code


def _between(channels: int) -> Any:
    """Return the instruction that resamples sixteen pixels of so many channels."""

    @instruction  # type: ignore[untyped-decorator]
    def resampled(typing: Any, words: Any, at: Any, flip: Any, shifts: Any, out: Any, to: Any, length: Any) -> Any:
        """Write the means of the pixels in each word, channels ``length`` floats apart; ``flip`` as for `resize.resized`.

        Byte c of a word is channel c of the left pixel, byte 3 + c that of the right one.
        """

        def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            words, at, flip, shifts, out, to, length = arguments
            lanes = Lanes(builder, 32, STEP)
            first = pointer(context, builder, signature.args[0], words, at, ir.IntType(64), elements=STEP)
            pair = builder.load(builder.bitcast(first, _WORDS.as_pointer()), align=8)
            far = builder.lshr(pair, ir.Constant(_WORDS, [24] * STEP))
            sides = [builder.trunc(side, lanes.type) for side in (pair, far)]
            weight = _load(builder, pointer(context, builder, signature.args[3], shifts, at, _FLOAT, elements=STEP))
            for channel in range(channels):
                bits = _broadcast(builder, builder.trunc(_bits(builder, flip, channel), _INT), lanes.type)
                near, far = (_shares(builder, builder.and_(builder.lshr(side, bits), lanes.constant(255))) for side in sides)
                start = builder.add(to, builder.mul(length, ir.Constant(length.type, channel)))
                target = pointer(context, builder, signature.args[4], out, start, _FLOAT, elements=STEP)
                lanes.store(_mean(builder, near, far, weight), target)
            return context.get_dummy_value()

        return types.void(words, at, flip, shifts, out, to, length), code

    return resampled


def _bits(builder: Any, flip: Any, channel: int) -> Any:
    """Return the first bit of a channel: of channel 2 in place of 0, and the other way round, if ``flip`` is 2 instead of 0."""
    eight = builder.mul(flip, ir.Constant(flip.type, 8))
    return (eight, ir.Constant(flip.type, 8), builder.sub(ir.Constant(flip.type, 16), eight))[channel]


between_rgb, between_grey = _between(3), _between(1)


@instruction  # type: ignore[untyped-decorator]
def blended(typing: Any, rows: Any, upper: Any, lower: Any, weight: Any, out: Any, to: Any) -> Any:
    """Write the means of two rows."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        rows, upper, lower, weight, out, to = arguments
        near, far = (
            _load(builder, pointer(context, builder, signature.args[0], rows, at, _FLOAT, elements=STEP)) for at in (upper, lower)
        )
        mean = _mean(builder, near, far, _broadcast(builder, weight, _FLOATS))
        Lanes(builder, 32, STEP).store(mean, pointer(context, builder, signature.args[4], out, to, _FLOAT, elements=STEP))
        return context.get_dummy_value()

    return types.void(rows, upper, lower, types.float32, out, to), code


@instruction  # type: ignore[untyped-decorator]
def scaled(typing: Any, rows: Any, upper: Any, weight: Any, out: Any, to: Any) -> Any:
    """Write the first term of `blended` only."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        rows, upper, weight, out, to = arguments
        near = _load(builder, pointer(context, builder, signature.args[0], rows, upper, _FLOAT, elements=STEP))
        one = ir.Constant(_FLOATS, [ir.Constant(_FLOAT, 1.0)] * STEP)
        product = builder.fmul(near, builder.fsub(one, _broadcast(builder, weight, _FLOATS)))
        Lanes(builder, 32, STEP).store(product, pointer(context, builder, signature.args[3], out, to, _FLOAT, elements=STEP))
        return context.get_dummy_value()

    return types.void(rows, upper, types.float32, out, to), code


@instruction  # type: ignore[untyped-decorator]
def parted(typing: Any, pixels: Any, at: Any, out: Any, to: Any, stride: Any) -> Any:
    """Convert sixteen RGB pixels to three planar channels in 0..1."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pixels, at, out, to, stride = arguments
        lanes = Lanes(builder, 32, STEP)
        first = pointer(context, builder, signature.args[0], pixels, at, _BYTE, elements=3 * STEP)
        kind = ir.VectorType(_BYTE, STEP)
        parts = [
            builder.load(builder.bitcast(builder.gep(first, [ir.Constant(ir.IntType(64), STEP * k)]), kind.as_pointer()), align=1)
            for k in range(3)
        ]
        elements = builder.add(builder.mul(stride, ir.Constant(stride.type, 2)), ir.Constant(stride.type, STEP))
        target = pointer(context, builder, signature.args[2], out, to, _FLOAT, elements=elements)
        for channel in range(3):
            sources = [3 * k + channel for k in range(STEP)]
            two = lanes.shuffled(parts[0], parts[1], [i if i < 2 * STEP else 0 for i in sources])
            numbers = lanes.shuffled(two, parts[2], [k if i < 2 * STEP else i - STEP for k, i in enumerate(sources)])
            address = builder.gep(target, [builder.mul(stride, ir.Constant(ir.IntType(64), channel))])
            lanes.store(_shares(builder, builder.zext(numbers, lanes.type)), address)
        return context.get_dummy_value()

    return types.void(pixels, at, out, to, stride), code


@instruction  # type: ignore[untyped-decorator]
def exchanged(typing: Any, pixels: Any, at: Any, out: Any) -> Any:
    """Write five pixels of three bytes with the first and third byte exchanged, and the byte after them unchanged."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pixels, at, out = arguments
        kind = ir.VectorType(_BYTE, STEP)
        source, target = (
            builder.bitcast(pointer(context, builder, signature.args[k], array, at, _BYTE, elements=STEP), kind.as_pointer())
            for k, array in ((0, pixels), (2, out))
        )
        given = builder.load(source, align=1)
        order = [3 * (k // 3) + 2 - k % 3 for k in range(STEP - 1)] + [STEP - 1]
        mask = ir.Constant(ir.VectorType(_INT, STEP), order)
        builder.store(builder.shuffle_vector(given, given, mask), target, align=1)
        return context.get_dummy_value()

    return types.void(pixels, at, out), code


@instruction  # type: ignore[untyped-decorator]
def shared(typing: Any, pixels: Any, at: Any, out: Any, to: Any) -> Any:
    """Convert sixteen grey pixels to 0..1."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pixels, at, out, to = arguments
        lanes = Lanes(builder, 32, STEP)
        numbers = lanes.load(pointer(context, builder, signature.args[0], pixels, at, _BYTE, elements=STEP), 8, signed=False)
        lanes.store(_shares(builder, numbers), pointer(context, builder, signature.args[2], out, to, _FLOAT, elements=STEP))
        return context.get_dummy_value()

    return types.void(pixels, at, out, to), code
