"""Winograd's F(4x4, 3x3): the transforms of kernel, input (6x6 pixels to 36 numbers) and output (36 sums to 4x4 pixels).

Lavin and Gray (arXiv:1509.09308): 36 multiplications for 16 outputs instead of 144. The convolution kernel computes the matrix
products in between, with tiles in place of pixels. The layout of transformed inputs is ``[36][block][tile][lanes]``. The points
are 0, 2/3, -2/3, 3/2, -3/2 and infinity: with the usual 0, 1, -1, 2, -2 the maximum error is 4 to 5 times as large (1.3e-5 of the
layer's maximum for 256 channels of random numbers; these give 2.4e-6, the direct form 1.7e-6).
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from yolodsc.arrays import Array
from yolodsc.engine.codegen.dtypes import BYTES, DType, affine_arguments, loader, storer
from yolodsc.engine.codegen.epilogue import ACTIVATIONS
from yolodsc.engine.codegen.extent import ONE, Columns, Extent
from yolodsc.engine.codegen.generated import GeneratedKernel
from yolodsc.engine.codegen.ir_builder import IRBuilder

NEAR, FAR = 2 / 3, 3 / 2
"""The points but 0 and infinity are these and their negatives; their product is 1, which saves a multiplication."""

_N, _F = 2 * NEAR**2 * (NEAR**2 - FAR**2), 2 * FAR**2 * (FAR**2 - NEAR**2)
KERNEL_TRANSFORM = np.array(
    [
        [1, 0, 0],
        [1 / _N, NEAR / _N, NEAR**2 / _N],
        [1 / _N, -NEAR / _N, NEAR**2 / _N],
        [1 / _F, FAR / _F, FAR**2 / _F],
        [1 / _F, -FAR / _F, FAR**2 / _F],
        [0, 0, 1],
    ]
)  # (6, 3) float64


def transformed(kernel: Array) -> Iterator[Array]:
    """Yield the 36 transforms (F, C) of a kernel (F, C, 3, 3), computed in float64; all of them together may be 150 MB."""
    taps = np.ascontiguousarray(kernel.transpose(2, 3, 0, 1))  # (3, 3, F, C)
    for column_factors in KERNEL_TRANSFORM:
        row = _sum(column_factors, taps)  # (3, F, C)
        for row_factors in KERNEL_TRANSFORM:
            yield _sum(row_factors, row).astype(np.float32)


def _sum(factors: NDArray[np.float64], arrays: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the sum of three arrays times three factors, in float64."""
    out = np.multiply(arrays[0], factors[0], dtype=np.float64)
    for factor, array in zip(factors[1:], arrays[1:], strict=True):
        out += np.multiply(array, factor, dtype=np.float64)
    return out


def _input_transform(c: IRBuilder, d: list[str]) -> list[str]:
    """Return the transposed B times six numbers."""
    k, both = c.constant, -(NEAR**2 + FAR**2)
    a, b = c.fma(d[2], k(-(FAR**2)), d[4]), c.fma(d[1], k(-(FAR**2)), d[3])
    e, f = c.fma(d[2], k(-(NEAR**2)), d[4]), c.fma(d[1], k(-(NEAR**2)), d[3])
    return [
        c.arith("fadd", d[0], c.fma(d[2], k(both), d[4])),
        c.fma(b, k(NEAR), a),
        c.fma(b, k(-NEAR), a),
        c.fma(f, k(FAR), e),
        c.fma(f, k(-FAR), e),
        c.arith("fadd", d[1], c.fma(d[3], k(both), d[5])),
    ]


def _output_transform(c: IRBuilder, m: list[str]) -> list[str]:
    """Return the transposed A times six sums."""
    k = c.constant
    near, far = c.arith("fadd", m[1], m[2]), c.arith("fadd", m[3], m[4])
    near_difference, far_difference = c.arith("fsub", m[1], m[2]), c.arith("fsub", m[3], m[4])
    return [
        c.arith("fadd", c.arith("fadd", m[0], near), far),
        c.fma(far_difference, k(FAR), c.arith("fmul", near_difference, k(NEAR))),
        c.fma(far, k(FAR**2), c.arith("fmul", near, k(NEAR**2))),
        c.fma(far_difference, k(FAR**3), c.fma(near_difference, k(NEAR**3), m[5])),
    ]


OUTPUT_NAMES = ("m", "biases", "y", "blocks", "block_m", "block_y", "tile_rows", "tile_row_y", "row_y", "tiles", "position_m")


class WinogradInput(GeneratedKernel):
    """Input transform: 6x6 pixels, 4 apart, to 36 numbers; ``x`` is float32 or bf16."""

    lanes: int
    x: DType = "f32"

    arguments = ("x", "v", "blocks", "block_x", "block_v", "tile_rows", "tile_row_x", "row_x", "tiles", "position_v")
    gathers = False
    fixed = ("lanes", "x_pixel")

    @property
    def x_pixel(self) -> int:
        """Bytes of a pixel of the input."""
        return self.lanes * BYTES[self.x]

    @staticmethod
    def extents(k: Columns, a: Columns) -> list[Extent]:
        """Return what calls read and write."""
        width, pixel, blocks, tile_rows = k["lanes"] * 4, k["x_pixel"], a["blocks"], a["tile_rows"]
        x_walk = ((blocks, a["block_x"]), (tile_rows, a["tile_row_x"]), (6 * ONE, a["row_x"]), (a["tiles"], 4 * pixel))
        v_walk = ((blocks, a["block_v"]), (tile_rows, a["tiles"] * width), (a["tiles"], width), (36 * ONE, a["position_v"]))
        return [Extent("x", 6 * pixel, x_walk), Extent("v", width, v_walk, writes=True)]

    def emit(self, name: str) -> str:
        """Return the LLVM IR of the kernel; ``x`` points to the top left pixel of the first tile, halo included."""
        c = IRBuilder(name, self.lanes)
        width = self.lanes * 4
        x, v = c.pointer(0), c.pointer(1)
        blocks, block_x, block_v, tile_rows, tile_row_x, row_x, tiles, position = (c.argument(i) for i in range(2, 10))
        with c.loop(blocks, [("ptr", x), ("ptr", v)]) as block:
            x0, v0 = block.carried
            with c.loop(tile_rows, [("ptr", x0), ("ptr", v0)]) as row:
                x1, v1 = row.carried
                with c.loop(tiles, [("ptr", x1), ("ptr", v1)]) as tile:
                    x2, v2 = tile.carried
                    self._tile(c, x2, v2, row_x, position)
                    tile.next(c.at(x2, 4 * self.x_pixel), c.at(v2, width))
                row.next(c.at(x1, tile_row_x), tile.carried[1])
            block.next(c.at(x0, block_x), c.at(v0, block_v))
        return c.text()

    def _tile(self, c: IRBuilder, x: str, v: str, row_x: str, position: str) -> None:
        """Transform one tile."""
        load, rows = loader(c, self.x), []
        for _ in range(6):
            rows.append(_input_transform(c, [load(x, k * self.x_pixel) for k in range(6)]))
            x = c.at(x, row_x)
        columns = [_input_transform(c, [rows[i][j] for i in range(6)]) for j in range(6)]
        for i in range(6):
            for j in range(6):
                c.store(columns[j][i], v)
                v = c.at(v, position)


class WinogradOutput(GeneratedKernel):
    """Output transform: 36 sums to 4x4 pixels, with bias and activation; ``y`` has any number format."""

    lanes: int
    activation: str
    y: DType = "f32"

    gathers = False
    fixed = ("lanes", "y_pixel")

    @property
    def arguments(self) -> tuple[str, ...]:
        """Names of the arguments, in the order of a call."""
        return (*OUTPUT_NAMES, *affine_arguments(y=self.y))

    @property
    def y_pixel(self) -> int:
        """Bytes of a pixel of the output."""
        return self.lanes * BYTES[self.y]

    @staticmethod
    def extents(k: Columns, a: Columns) -> list[Extent]:
        """Return what calls read and write."""
        width, blocks, tile_rows = k["lanes"] * 4, a["blocks"], a["tile_rows"]
        m_walk = ((blocks, a["block_m"]), (tile_rows, a["tiles"] * width), (a["tiles"], width), (36 * ONE, a["position_m"]))
        y_walk = ((blocks, a["block_y"]), (tile_rows, a["tile_row_y"]), (4 * ONE, a["row_y"]), (a["tiles"], 4 * k["y_pixel"]))
        return [
            Extent("m", width, m_walk),
            Extent("biases", width, ((blocks, width),)),
            Extent("y", 4 * k["y_pixel"], y_walk, writes=True),
        ]

    def emit(self, name: str) -> str:
        """Return the LLVM IR of the kernel; partial tiles write into the halo."""
        c = IRBuilder(name, self.lanes)
        width = self.lanes * 4
        m, biases, y = c.pointer(0), c.pointer(1), c.pointer(2)
        blocks, block_m, block_y, tile_rows, tile_row_y, row_y, tiles, position = (c.argument(i) for i in range(3, 11))
        with c.loop(blocks, [("ptr", m), ("ptr", biases), ("ptr", y)]) as block:
            m0, b, y0 = block.carried
            bias = c.load(b)
            with c.loop(tile_rows, [("ptr", m0), ("ptr", y0)]) as row:
                m1, y1 = row.carried
                with c.loop(tiles, [("ptr", m1), ("ptr", y1)]) as tile:
                    m2, y2 = tile.carried
                    self._tile(c, m2, bias, y2, position, row_y)
                    tile.next(c.at(m2, width), c.at(y2, 4 * self.y_pixel))
                row.next(tile.carried[0], c.at(y1, tile_row_y))
            block.next(c.at(m0, block_m), c.at(b, width), c.at(y0, block_y))
        return c.text()

    def _tile(self, c: IRBuilder, m: str, bias: str, y: str, position: str, row_y: str) -> None:
        """Transform one tile, add the bias, activate, store."""
        rows = []
        for _ in range(6):
            sums = []
            for _ in range(6):
                sums.append(c.load(m))
                m = c.at(m, position)
            rows.append(_output_transform(c, sums))
        columns = [_output_transform(c, [rows[i][j] for i in range(6)]) for j in range(4)]
        store = storer(c, self.y, (len(OUTPUT_NAMES), len(OUTPUT_NAMES) + 1))
        for i in range(4):
            for j in range(4):
                value = c.arith("fadd", columns[j][i], bias)
                store(ACTIVATIONS[self.activation](c, value), y, j * self.y_pixel)
            y = c.at(y, row_y)
