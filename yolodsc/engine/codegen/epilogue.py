"""Activations as vector code, applied to the accumulators of a tile before they are stored.

Piecewise-linear activations take one or two instructions. The others use one exponential (Cephes' reduction to 2^n * e^r with
|r| <= ln 2 / 2 and a polynomial of degree 6: relative error 1.2e-7 over the whole range of float32), so mish takes 25 instructions
per vector and no library call. The formulas are those of Darknet's ``activations.h``; mish is written without a logarithm:
tanh(ln(1+e)) = (e^2+2e)/(e^2+2e+2). NaN and infinity give what `reference.activations` gives: NaN gives NaN, except that hard_mish
of NaN is 0.
"""

from yolodsc.engine.codegen.ir_builder import IRBuilder

LOG2E = 1.44269504088896341
ROUND = 1.5 * 2**23
"""Adding it to a small number leaves the nearest integer in the low bits."""

ONE = 0x3F800000
"""Bits of 1.0: added to n << 23, they are 2^n."""

LN2_HIGH, LN2_LOW = 0.693359375, -2.12194440e-4
VANISHES = -103.98
"""The exponential of smaller numbers is 0 in float32."""

EXP = (1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1)


def _at_least(c: IRBuilder, x: str, low: float) -> str:
    """NaN stays NaN: `vector_maximum` returns its second operand."""
    return c.vector_maximum(c.constant(low), x)


def _at_most(c: IRBuilder, x: str, high: float) -> str:
    return c.vector_minimum(c.constant(high), x)


def exponential(c: IRBuilder, x: str) -> str:
    """``e ** x`` in every lane, clamped to the smallest and largest normal results; NaN gives NaN."""
    i = f"<{c.lanes} x i32>"
    x = _at_most(c, _at_least(c, x, -87.3), 88.0)
    rounded = c.fma(x, c.constant(LOG2E), c.constant(ROUND))
    n = c.arith("fsub", rounded, c.constant(ROUND))
    r = c.fma(n, c.constant(-LN2_HIGH), x)
    r = c.fma(n, c.constant(-LN2_LOW), r)
    p = c.constant(EXP[0])
    for coefficient in EXP[1:]:
        p = c.fma(p, r, c.constant(coefficient))
    p = c.fma(p, c.arith("fmul", r, r), r)
    shifted = c.let(f"shl {i} {c.let(f'bitcast {c.vector} {rounded} to {i}')}, {c.integers(23)}")
    power = c.let(f"bitcast {i} {c.let(f'add {i} {shifted}, {c.integers(ONE)}')} to {c.vector}")
    return c.fma(p, power, power)


def _vanishing(c: IRBuilder, x: str, value: str) -> str:
    """``value``, or 0 where the exponential of x is 0: its product with an infinite x is NaN, as in the reference."""
    return c.select(c.let(f"fcmp olt {c.vector} {x}, {c.constant(VANISHES)}"), c.constant(0.0), value)


def _scaled(c: IRBuilder, x: str, below: float) -> str:
    return c.vector_maximum(x, c.arith("fmul", x, c.constant(below)))


def _sigmoid(c: IRBuilder, x: str) -> str:
    e = exponential(c, c.arith("fsub", c.constant(0.0), x))
    return c.arith("fdiv", c.constant(1.0), c.arith("fadd", e, c.constant(1.0)))


def _logistic(c: IRBuilder, x: str) -> str:
    return _vanishing(c, x, _sigmoid(c, x))


def _mish(c: IRBuilder, x: str) -> str:
    e = exponential(c, _at_most(c, x, 20.0))
    top = c.arith("fmul", e, c.arith("fadd", e, c.constant(2.0)))
    return c.arith("fmul", x, _vanishing(c, x, c.arith("fdiv", top, c.arith("fadd", top, c.constant(2.0)))))


def _hard_mish(c: IRBuilder, x: str) -> str:
    low = c.vector_maximum(x, c.constant(-2.0))
    curve = c.fma(c.arith("fmul", low, low), c.constant(0.5), low)
    return c.select(c.let(f"fcmp ogt {c.vector} {x}, {c.constant(0.0)}"), x, curve)


def _tanh(c: IRBuilder, x: str) -> str:
    return c.fma(_sigmoid(c, c.arith("fadd", x, x)), c.constant(2.0), c.constant(-1.0))


def _elu(c: IRBuilder, x: str, *, above: float = 1.0, below: float = 1.0) -> str:
    grown = c.arith("fmul", c.arith("fsub", exponential(c, x), c.constant(1.0)), c.constant(below))
    straight = c.arith("fmul", x, c.constant(above)) if above != 1.0 else x
    return c.select(c.let(f"fcmp oge {c.vector} {x}, {c.constant(0.0)}"), straight, grown)


def _gelu(c: IRBuilder, x: str) -> str:
    cube = c.arith("fmul", c.arith("fmul", x, x), x)
    inner = c.fma(cube, c.constant(0.035677), c.arith("fmul", x, c.constant(0.797885)))
    return c.arith("fmul", c.arith("fmul", x, c.constant(0.5)), c.arith("fadd", _tanh(c, inner), c.constant(1.0)))


ACTIVATIONS = {
    "linear": lambda c, x: x,
    "relu": lambda c, x: _at_least(c, x, 0.0),
    "relu6": lambda c, x: _at_most(c, _at_least(c, x, 0.0), 6.0),
    "leaky": lambda c, x: _scaled(c, x, 0.1),
    "revleaky": lambda c, x: _scaled(c, x, 0.1),
    "relie": lambda c, x: _scaled(c, x, 0.01),
    "ramp": lambda c, x: c.fma(x, c.constant(0.1), c.vector_maximum(x, c.constant(0.0))),
    "hardtan": lambda c, x: _at_most(c, _at_least(c, x, -1.0), 1.0),
    "logistic": _logistic,
    "loggy": lambda c, x: c.fma(_sigmoid(c, x), c.constant(2.0), c.constant(-1.0)),
    "swish": lambda c, x: c.arith("fmul", x, _logistic(c, x)),
    "mish": _mish,
    "hard_mish": _hard_mish,
    "tanh": _tanh,
    "elu": _elu,
    "selu": lambda c, x: _elu(c, x, above=1.0507, below=1.0507 * 1.6732),
    "gelu": _gelu,
}
"""Vector code by Darknet's name. Layers with other activations run as reference operations."""
