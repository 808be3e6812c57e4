"""Activations as vector code: what a tile does to its accumulators before it stores them.

Piecewise linear ones are one or two instructions. The others rest on one exponential (Cephes' reduction to 2^n * e^r with |r| <=
ln 2 / 2 and a polynomial of degree 6: relative error 1.2e-7 over the whole range of float32), so that mish costs 25 instructions
a vector and needs no library call. Formulas: Darknet ``activations.h``; mish is written without a logarithm: tanh(ln(1+e)) =
(e^2+2e)/(e^2+2e+2).
"""

from yolodsc.engine.code import Code

LOG2E = 1.44269504088896341
ROUND = 1.5 * 2**23
"""Added to a small number, it leaves the nearest integer in the low bits."""

LN2_HIGH, LN2_LOW = 0.693359375, -2.12194440e-4
EXP = (1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1)


def exponential(c: Code, x: str) -> str:
    """``e ** x`` in every lane, 0 and infinity clamped to the smallest and largest normal results."""
    i = f"<{c.lanes} x i32>"
    x = c.smaller(c.greater(x, c.constant(-87.3)), c.constant(88.0))
    rounded = c.fma(x, c.constant(LOG2E), c.constant(ROUND))
    n = c.arith("fsub", rounded, c.constant(ROUND))
    r = c.fma(n, c.constant(-LN2_HIGH), x)
    r = c.fma(n, c.constant(-LN2_LOW), r)
    p = c.constant(EXP[0])
    for coefficient in EXP[1:]:
        p = c.fma(p, r, c.constant(coefficient))
    p = c.arith("fadd", c.fma(p, c.arith("fmul", r, r), r), c.constant(1.0))
    shifted = c.let(f"shl {i} {c.let(f'bitcast {c.vector} {rounded} to {i}')}, {c.integers(23)}")
    bits = c.let(f"bitcast {c.vector} {p} to {i}")
    return c.let(f"bitcast {i} {c.let(f'add {i} {bits}, {shifted}')} to {c.vector}")


def _scaled(c: Code, x: str, below: float) -> str:
    return c.greater(x, c.arith("fmul", x, c.constant(below)))


def _logistic(c: Code, x: str) -> str:
    e = exponential(c, c.arith("fsub", c.constant(0.0), x))
    return c.arith("fdiv", c.constant(1.0), c.arith("fadd", e, c.constant(1.0)))


def _mish(c: Code, x: str) -> str:
    e = exponential(c, c.smaller(x, c.constant(20.0)))
    top = c.arith("fmul", e, c.arith("fadd", e, c.constant(2.0)))
    return c.arith("fmul", x, c.arith("fdiv", top, c.arith("fadd", top, c.constant(2.0))))


def _hard_mish(c: Code, x: str) -> str:
    low = c.greater(x, c.constant(-2.0))
    curve = c.fma(c.arith("fmul", low, low), c.constant(0.5), low)
    return c.select(c.let(f"fcmp ogt {c.vector} {x}, {c.constant(0.0)}"), x, curve)


def _tanh(c: Code, x: str) -> str:
    return c.fma(_logistic(c, c.arith("fadd", x, x)), c.constant(2.0), c.constant(-1.0))


def _elu(c: Code, x: str, *, above: float = 1.0, below: float = 1.0) -> str:
    grown = c.arith("fmul", c.arith("fsub", exponential(c, x), c.constant(1.0)), c.constant(below))
    straight = c.arith("fmul", x, c.constant(above)) if above != 1.0 else x
    return c.select(c.let(f"fcmp oge {c.vector} {x}, {c.constant(0.0)}"), straight, grown)


def _gelu(c: Code, x: str) -> str:
    cube = c.arith("fmul", c.arith("fmul", x, x), x)
    inner = c.fma(cube, c.constant(0.035677), c.arith("fmul", x, c.constant(0.797885)))
    return c.arith("fmul", c.arith("fmul", x, c.constant(0.5)), c.arith("fadd", _tanh(c, inner), c.constant(1.0)))


ACTIVATIONS = {
    "linear": lambda c, x: x,
    "relu": lambda c, x: c.greater(x, c.constant(0.0)),
    "relu6": lambda c, x: c.smaller(c.greater(x, c.constant(0.0)), c.constant(6.0)),
    "leaky": lambda c, x: _scaled(c, x, 0.1),
    "revleaky": lambda c, x: _scaled(c, x, 0.1),
    "relie": lambda c, x: _scaled(c, x, 0.01),
    "ramp": lambda c, x: c.fma(x, c.constant(0.1), c.greater(x, c.constant(0.0))),
    "hardtan": lambda c, x: c.smaller(c.greater(x, c.constant(-1.0)), c.constant(1.0)),
    "logistic": _logistic,
    "loggy": lambda c, x: c.fma(_logistic(c, x), c.constant(2.0), c.constant(-1.0)),
    "swish": lambda c, x: c.arith("fmul", x, _logistic(c, x)),
    "mish": _mish,
    "hard_mish": _hard_mish,
    "tanh": _tanh,
    "elu": _elu,
    "selu": lambda c, x: _elu(c, x, above=1.0507, below=1.0507 * 1.6732),
    "gelu": _gelu,
}
"""Vector code by Darknet's name; what is not here runs in the plain path."""
