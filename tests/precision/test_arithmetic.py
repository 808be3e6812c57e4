"""Rounding to bytes, to bf16, and of fused multiply-adds."""

from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from yolodsc.precision import TensorScale, dequantize, fma, quantize, round_bf16

FLOATS = st.floats(-(2.0**60), 2.0**60, width=32, allow_subnormal=False)


def nearest(value: Fraction) -> np.float32:
    """The float32 nearest to an exact number, to even between two."""
    guess = np.float32(float(value))
    candidates = [guess, np.nextafter(guess, np.float32(np.inf)), np.nextafter(guess, np.float32(-np.inf))]
    return min(candidates, key=lambda c: (abs(Fraction(float(c)) - value), int(c.view(np.uint32)) & 1))


@given(FLOATS, FLOATS, FLOATS)
def test_fma_is_rounded_once(a: float, b: float, c: float) -> None:
    """The result is the float32 nearest to the exact a * b + c."""
    exact = Fraction(a) * Fraction(b) + Fraction(c)
    if abs(exact) > Fraction(2) ** 120 or 0 < abs(exact) < Fraction(1, 2**120):
        return

    found = fma(*(np.array([x], np.float32) for x in (a, b, c)))

    assert found[0] == nearest(exact)


def test_fma_resolves_ties_of_the_double_sum() -> None:
    """A sum that float64 rounds to a tie of float32 is rounded by its exact value."""
    a, b = np.float32(1 + 2**-23), np.float32(1 + 2**-23)  # the product has a tail of 2^-46
    c = np.float32(2.0**24)

    found = fma(np.array([a]), np.array([b]), np.array([c]))

    assert found[0] == nearest(Fraction(float(a)) * Fraction(float(b)) + Fraction(float(c)))


def test_bytes_saturate_and_round_to_even() -> None:
    """Values between two levels take the even one; values outside the range take the end."""
    scale = TensorScale(0.5, 10)

    found = quantize(np.array([0.25, 0.75, -1e30, 1e30, 0.0, -5.0], np.float32), scale)

    assert found.tolist() == [10, 12, 0, 255, 10, 0]
    assert dequantize(found, scale).tolist() == [0.0, 1.0, -5.0, 122.5, 0.0, -5.0]


def test_bf16_rounds_to_nearest_even() -> None:
    """A value halfway between two bf16 numbers takes the one with an even significand."""
    low, high = np.float32(1.0), np.float32(1 + 2**-7)
    values = np.array([low + 2**-8, high + 2**-8, low + 2**-8 + 2**-20, np.inf, -0.0], np.float32)

    found = round_bf16(values)

    assert found.tolist() == [1.0, 1 + 2 * 2**-7, 1 + 2**-7, np.inf, 0.0]
    assert np.isnan(round_bf16(np.array([np.nan], np.float32))[0])
