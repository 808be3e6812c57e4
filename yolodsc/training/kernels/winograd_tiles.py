"""Winograd's F(4x4, 3x3): the transforms of tiles and kernels, and their transposes, as vector instructions.

Lavin & Gray (arXiv:1509.09308): 36 multiplications for 16 outputs instead of 144. A convolution is Y = Aᵀ[(G g Gᵀ) ⊙ (Bᵀ d B)]A for
each tile of 6x6 pixels d. All three products of a training step take place between the transforms: the gradient of the
transformed kernel is (A dY Aᵀ) ⊙ (Bᵀ d B), and that of the transformed pixels (G g Gᵀ) ⊙ (A dY Aᵀ). The transposed transforms
lead back to kernels and pixels.

The points are 0, 2/3, -2/3, 3/2, -3/2 and infinity, as in the engine: with 0, 1, -1, 2, -2 the errors are 4 to 5 times as large.
"""

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types as untyped_types
from numba.core import cgutils as untyped_cgutils
from numba.extending import intrinsic

from yolodsc.arrays import Array
from yolodsc.jit import njit

cgutils: Any = untyped_cgutils
types: Any = untyped_types

LANES = 16
"""Tiles of a vector; arrays of tiles have rows of a multiple of this."""
NEAR, FAR = 2 / 3, 3 / 2
"""The points but 0 and infinity are these and their negatives; their product is 1."""

_VECTOR = ir.VectorType(ir.FloatType(), LANES)
_INDEX = ir.IntType(64)


class _Vectors:
    """Arithmetic on vectors."""

    def __init__(self, builder: Any) -> None:
        self._builder = builder
        function = ir.FunctionType(_VECTOR, [_VECTOR] * 3)
        self._fused = cgutils.get_or_insert_function(builder.module, function, f"llvm.fmuladd.v{LANES}f32")

    def add(self, a: Any, b: Any) -> Any:
        return self._builder.fadd(a, b)

    def sub(self, a: Any, b: Any) -> Any:
        return self._builder.fsub(a, b)

    def scaled(self, factor: float, a: Any) -> Any:
        return self._builder.fmul(a, _constant(factor))

    def fma(self, factor: float, a: Any, b: Any) -> Any:
        """Return factor * a + b."""
        return self._builder.call(self._fused, [a, _constant(factor), b])


def _constant(value: float) -> ir.Constant:
    return ir.Constant(_VECTOR, [value] * LANES)


Transform = Callable[[_Vectors, list[Any]], list[Any]]


def _input(v: _Vectors, d: list[Any]) -> list[Any]:
    """Return Bᵀ d: six numbers from six."""
    both = -(NEAR**2 + FAR**2)
    even, odd = v.fma(-(FAR**2), d[2], d[4]), v.fma(-(FAR**2), d[1], d[3])
    far_even, far_odd = v.fma(-(NEAR**2), d[2], d[4]), v.fma(-(NEAR**2), d[1], d[3])
    return [
        v.add(d[0], v.fma(both, d[2], d[4])),
        v.fma(NEAR, odd, even),
        v.fma(-NEAR, odd, even),
        v.fma(FAR, far_odd, far_even),
        v.fma(-FAR, far_odd, far_even),
        v.add(d[1], v.fma(both, d[3], d[5])),
    ]


def _input_transposed(v: _Vectors, e: list[Any]) -> list[Any]:
    """Return B e: six numbers from six."""
    both = -(NEAR**2 + FAR**2)
    near, far = v.add(e[1], e[2]), v.add(e[3], e[4])
    near_odd, far_odd = v.sub(e[1], e[2]), v.sub(e[3], e[4])
    return [
        e[0],
        v.fma(-FAR, near_odd, v.fma(-NEAR, far_odd, e[5])),
        v.fma(both, e[0], v.fma(-(FAR**2), near, v.scaled(-(NEAR**2), far))),
        v.fma(NEAR, near_odd, v.fma(FAR, far_odd, v.scaled(both, e[5]))),
        v.add(e[0], v.add(near, far)),
        e[5],
    ]


def _output(v: _Vectors, m: list[Any]) -> list[Any]:
    """Return Aᵀ m: four numbers from six."""
    near, far = v.add(m[1], m[2]), v.add(m[3], m[4])
    near_odd, far_odd = v.sub(m[1], m[2]), v.sub(m[3], m[4])
    return [
        v.add(m[0], v.add(near, far)),
        v.fma(NEAR, near_odd, v.scaled(FAR, far_odd)),
        v.fma(NEAR**2, near, v.scaled(FAR**2, far)),
        v.fma(NEAR**3, near_odd, v.fma(FAR**3, far_odd, m[5])),
    ]


def _output_transposed(v: _Vectors, y: list[Any]) -> list[Any]:
    """Return A y: six numbers from four."""
    near, near_odd = v.fma(NEAR**2, y[2], y[0]), v.fma(NEAR**3, y[3], v.scaled(NEAR, y[1]))
    far, far_odd = v.fma(FAR**2, y[2], y[0]), v.fma(FAR**3, y[3], v.scaled(FAR, y[1]))
    return [y[0], v.add(near, near_odd), v.sub(near, near_odd), v.add(far, far_odd), v.sub(far, far_odd), y[3]]


_N, _F = 2 * NEAR**2 * (NEAR**2 - FAR**2), 2 * FAR**2 * (FAR**2 - NEAR**2)


def _kernel(v: _Vectors, g: list[Any]) -> list[Any]:
    """Return G g: six numbers from three."""
    near, far = v.fma(NEAR**2, g[2], g[0]), v.fma(FAR**2, g[2], g[0])
    near, far = v.scaled(1 / _N, near), v.scaled(1 / _F, far)
    return [
        g[0],
        v.fma(NEAR / _N, g[1], near),
        v.fma(-NEAR / _N, g[1], near),
        v.fma(FAR / _F, g[1], far),
        v.fma(-FAR / _F, g[1], far),
        g[2],
    ]


def _kernel_transposed(v: _Vectors, u: list[Any]) -> list[Any]:
    """Return Gᵀ u: three numbers from six."""
    near, far = v.add(u[1], u[2]), v.add(u[3], u[4])
    near_odd, far_odd = v.sub(u[1], u[2]), v.sub(u[3], u[4])
    return [
        v.fma(1 / _N, near, v.fma(1 / _F, far, u[0])),
        v.fma(NEAR / _N, near_odd, v.scaled(FAR / _F, far_odd)),
        v.fma(NEAR**2 / _N, near, v.fma(FAR**2 / _F, far, u[5])),
    ]


def _tiled(transform: Transform, side: int) -> Any:
    """Return an intrinsic that applies a transform to the columns and then to the rows of tiles of ``side`` x ``side`` numbers.

    Its arguments are two flattened arrays, for each the first element and the distance of the tiles' elements, and the number of
    vectors. Element k of tile t lies at ``start + k * pitch + t``.
    """

    def typed(typing_context: Any, source: Any, source_at: Any, target: Any, target_at: Any, vectors: Any) -> Any:
        if not all((a.ndim, a.layout, a.dtype) == (1, "C", types.float32) for a in (source, target)):
            return None

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            x, y = (context.make_array(kind)(context, builder, arguments[i]).data for kind, i in ((source, 0), (target, 2)))
            starts = [cgutils.unpack_tuple(builder, arguments[i]) for i in (1, 3)]
            with cgutils.for_range(builder, arguments[4], intp=_INDEX) as loop:
                lane = builder.mul(loop.index, ir.Constant(_INDEX, LANES))
                _transform_vector(builder, transform, side, (x, starts[0]), (y, starts[1]), lane)
            return context.get_dummy_value()

        return types.none(source, source_at, target, target_at, vectors), generate

    return intrinsic(typed)


def _transform_vector(builder: Any, transform: Transform, side: int, source: Any, target: Any, lane: Any) -> None:
    """Transform `LANES` tiles from number ``lane`` on; ``source`` and ``target`` are pointers, each with its start and pitch."""

    def pointer(array: Any, k: int) -> Any:
        base, (start, pitch) = array
        offset = builder.add(builder.add(start, builder.mul(pitch, ir.Constant(_INDEX, k))), lane)
        return builder.bitcast(builder.gep(base, [offset]), _VECTOR.as_pointer())

    v, rows = _Vectors(builder), []
    for j in range(side):
        column = [builder.load(pointer(source, i * side + j), align=4) for i in range(side)]
        rows.append(transform(v, column))
    for i, row in enumerate(zip(*rows, strict=True)):
        found = transform(v, list(row))
        for j, value in enumerate(found):
            builder.store(value, pointer(target, i * len(found) + j), align=4)


_to_pixels: Any = _tiled(_output, 6)
_from_pixels: Any = _tiled(_output_transposed, 4)
_from_input: Any = _tiled(_input, 6)
_to_input: Any = _tiled(_input_transposed, 6)
_from_kernel: Any = _tiled(_kernel, 3)
_to_kernel: Any = _tiled(_kernel_transposed, 6)

Start = tuple[int, int]
"""The first element, and the distance of the elements of a tile."""


@njit(cache=True, nogil=True, error_model="numpy")
def transform_input(tiles: Array, tiles_at: Start, out: Array, out_at: Start, vectors: int) -> None:
    """Compute Bᵀ d B: 36 numbers from 6x6 pixels."""
    _from_input(tiles, tiles_at, out, out_at, vectors)


@njit(cache=True, nogil=True, error_model="numpy")
def transform_input_gradient(gradient: Array, gradient_at: Start, out: Array, out_at: Start, vectors: int) -> None:
    """Compute B e Bᵀ, the transpose of `transform_input`."""
    _to_input(gradient, gradient_at, out, out_at, vectors)


@njit(cache=True, nogil=True, error_model="numpy")
def transform_output(sums: Array, sums_at: Start, out: Array, out_at: Start, vectors: int) -> None:
    """Compute Aᵀ m A: 4x4 pixels from 36 sums."""
    _to_pixels(sums, sums_at, out, out_at, vectors)


@njit(cache=True, nogil=True, error_model="numpy")
def transform_output_gradient(gradient: Array, gradient_at: Start, out: Array, out_at: Start, vectors: int) -> None:
    """Compute A y Aᵀ, the transpose of `transform_output`."""
    _from_pixels(gradient, gradient_at, out, out_at, vectors)


@njit(cache=True, nogil=True, error_model="numpy")
def transform_kernel(kernel: Array, kernel_at: Start, out: Array, out_at: Start, vectors: int) -> None:
    """Compute G g Gᵀ: 36 numbers from 3x3 taps."""
    _from_kernel(kernel, kernel_at, out, out_at, vectors)


@njit(cache=True, nogil=True, error_model="numpy")
def transform_kernel_gradient(gradient: Array, gradient_at: Start, out: Array, out_at: Start, vectors: int) -> None:
    """Compute Gᵀ u G, the transpose of `transform_kernel`."""
    _to_kernel(gradient, gradient_at, out, out_at, vectors)
