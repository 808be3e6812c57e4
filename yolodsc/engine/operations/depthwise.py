"""Depthwise convolutions by themselves, and the parts that fused operations share with them."""

from collections.abc import Iterable
from math import inf, isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray

from yolodsc.arrays import Array
from yolodsc.engine.codegen.amx_tiles import Contraction, amx_tiles
from yolodsc.engine.codegen.dtypes import F32, Element
from yolodsc.engine.codegen.kernels.depthwise import DepthwiseKernel
from yolodsc.engine.codegen.tiles import pixels, tiles
from yolodsc.engine.operations.coefficients import AMX, BLOCK, Coefficients, channel_group
from yolodsc.engine.operations.convolution import Geometry
from yolodsc.engine.operations.operation import Lowered, LoweringContext, TensorOperation, halo_calls, split
from yolodsc.engine.operations.packing import CHANNEL_GROUP, PackedProduct, contraction, pack, segment_table
from yolodsc.engine.plan.layout import Halo, Tensor, TensorView
from yolodsc.engine.runtime.program import Call, ConstantPool, Task
from yolodsc.jit import Isa
from yolodsc.values import Value

LONGEST = 16
"""Channels of a vector of AVX-512."""

TILE_PIXELS = 10
"""Pixels of a depthwise tile: with 9 taps in registers, 10 sums and a row of inputs still fit 32."""


Addresses = dict[str, int]
"""Arguments of a depthwise kernel that point to constants."""


class DepthwiseFilters(Value, eq=False):
    """A depthwise layer: filters of each lane of its input, bias, activation.

    ``unit`` is the value of 1 in the sums of a layer of bytes, whose filters are integers and whose bias is int32.
    """

    kernel: Array  # (lanes of the view, K, K)
    bias: NDArray[Any]  # (lanes of the view,)
    geometry: Geometry
    activation: str
    unit: Array | None = None  # (lanes of the view,)

    @classmethod
    def of(cls, view: TensorView, kernel: Array, bias: Array, geometry: Geometry, activation: str) -> "DepthwiseFilters":
        """A depthwise layer's arrays (C, 1, K, K), (C,), one row for each lane of its input."""
        return cls(_by_lane(view, kernel[:, 0]), _by_lane(view, bias), geometry, activation)

    @classmethod
    def of_bytes(cls, view: TensorView, weights: Coefficients, geometry: Geometry, activation: str) -> "DepthwiseFilters":
        """The same for products of bytes: sums of a window are exact in float32."""
        assert weights.unit is not None
        kernel, bias = weights.kernel[:, 0].astype(np.float32), weights.start("fma")
        return cls(_by_lane(view, kernel), _by_lane(view, bias), geometry, activation, _by_lane(view, weights.unit))

    def kernel_for(
        self, lanes: int, width: int, isa: Isa, x: Element = F32, y: Element = F32, limit: float = inf
    ) -> DepthwiseKernel:
        """The kernel for rows of ``width`` outputs, from elements ``x`` to elements ``y``; no input is larger than ``limit``."""
        g = self.geometry
        fold = folded_pixels(isa, lanes, width) if y.dtype != "f32" and self.unit is None and g.stride_x == 1 else 1
        tile = pixels(width // fold, TILE_PIXELS if isa.registers == 32 else 5) * fold
        activation = "linear" if y.absorbs(self.activation) else self.activation
        shape = (lanes, g.size, g.stride_x, g.dilation, tile, activation)
        x_limit = min(limit, x.limit)
        sums = np.abs(self.kernel).reshape(len(self.kernel), -1).sum(axis=1) * (x_limit if isfinite(x_limit) else 0.0)
        largest = float(np.max(sums + np.abs(self.bias), initial=0.0)) if isfinite(x_limit) else inf
        bounded = self.unit is None and y.bounds(largest)
        return DepthwiseKernel(*shape, x.dtype, y.dtype, self.unit is not None, bounded, fold, y.from_zero)

    def packed(self, constants: ConstantPool, lanes: int, first: int, last: int) -> Addresses:
        """Addresses of weights ``[block][K * K][lanes]``, biases and units of blocks ``first`` to ``last`` - 1."""
        chosen = slice(first * lanes, last * lanes)
        taps = self.kernel[chosen].reshape(last - first, lanes, -1).transpose(0, 2, 1)
        arrays = {"weights": constants.add(taps), "biases": constants.add(self.bias[chosen])}
        return arrays if self.unit is None else arrays | {"scales": constants.add(self.unit[chosen])}


def folded_pixels(isa: Isa, lanes: int, width: int) -> int:
    """Neighbouring pixels of a block of ``lanes`` channels that fill a vector of AVX-512, if rows consist of such vectors."""
    fold = isa.lanes // lanes if isa.lanes == LONGEST else 1
    return fold if width % fold == 0 else 1


def _by_lane(view: TensorView, array: NDArray[Any]) -> NDArray[Any]:
    """One entry of ``array`` (C, ...) for each lane of a view, zeros for lanes without a channel."""
    out = array[np.maximum(np.array(view.channels), 0)]
    out[np.array(view.channels) < 0] = 0
    return out


class Pointwise(Value, eq=False):
    """A 1x1 layer that is part of a fused operation: kernel (F, C, 1, 1), bias (F,)."""

    weights: Coefficients
    activation: str

    @property
    def limit(self) -> float:
        """Largest magnitude of an output: activations double a number at most."""
        return 2 * max(self.weights.limit, 1.0)

    def packed(
        self,
        context: LoweringContext,
        constants: ConstantPool,
        x: TensorView,
        *,
        lanes: int,
        width: int,
        rows: int = 1,
        pixels: int = 0,
    ) -> tuple[PackedProduct, tuple[int, int]]:
        """The product over ``rows`` rows at least of ``width`` pixels of a view, and its table; ``pixels`` as in `Contraction`."""
        if fold := self._fold(context.isa, x, lanes, width):
            return self._folded(context, constants, x, fold, width)
        blocks = -(-len(self.weights.kernel) // lanes)
        method = self.weights.method(context.isa, x.lanes, lanes)
        unroll = channel_group(method, CHANNEL_GROUP)
        amx = Contraction(len(x.blocks), x.pixel, rows, pixels) if method == AMX else None
        chosen = amx_tiles(amx, blocks, width) if amx else tiles(context.isa, lanes, blocks, width)
        product = pack(
            constants, self.weights, lambda kernel: contraction(x, kernel, unroll), chosen,
            lanes=lanes, stride=x.pixel, unroll=unroll, activation=self.activation, width=width, method=method,
        )  # fmt: skip
        return product, segment_table(constants, x, [(0, 0)], unroll)

    def channels(self, first: int, last: int) -> "Pointwise":
        """Output channels ``first`` to ``last`` - 1 only."""
        return Pointwise(self.weights.filters(first, last), self.activation)

    def _fold(self, isa: Isa, x: TensorView, lanes: int, width: int) -> int:
        """How many pixels of one short block are computed as one long one; 0: none."""
        fold = folded_pixels(isa, lanes, width)
        alone = len(x.blocks) == 1 and len(self.weights.kernel) <= lanes and self.weights.dtype != "f32"
        return fold if alone and fold > 1 else 0

    def _folded(
        self, context: LoweringContext, constants: ConstantPool, x: TensorView, fold: int, width: int
    ) -> tuple[PackedProduct, tuple[int, int]]:
        """The product for ``fold`` neighbouring pixels at a time: one sum of all their channels, zeros for those of the others."""
        filters = LONGEST // fold
        matrix = contraction(x, self.weights.kernel, x.lanes)  # (lanes, F)
        wide = np.zeros((fold, x.lanes, fold, filters), matrix.dtype)
        for pixel in range(fold):
            wide[pixel, :, pixel, : matrix.shape[1]] = matrix
        wide = wide.reshape(fold * x.lanes, LONGEST)
        weights = self.weights.tiled(np.ascontiguousarray(wide.T)[:, :, None, None], fold, filters)
        method = weights.method(context.isa, BLOCK if len(wide) % BLOCK == 0 else x.lanes, LONGEST)
        unroll = channel_group(method, CHANNEL_GROUP)
        amx = Contraction(len(wide) // unroll, unroll * x.element.size) if method == AMX else None
        chosen = amx_tiles(amx, 1, width // fold) if amx else tiles(context.isa, LONGEST, 1, width // fold)
        product = pack(
            constants, weights, lambda kernel: kernel[:, :, 0, 0].T, chosen,
            lanes=LONGEST, stride=fold * x.pixel, unroll=unroll, activation=self.activation, width=width // fold, method=method,
        )  # fmt: skip
        table = constants.add(np.array([(0, len(wide) // unroll)], np.int64))
        return product, (table, 1)


class Depthwise(TensorOperation, eq=False):
    """A depthwise layer from a view to the blocks of a tensor that start with ``first_block``."""

    filters: DepthwiseFilters
    first_block: int = 0

    def halos(self) -> Iterable[tuple[Tensor, Halo]]:
        """The input's, for the taps."""
        return self.filters.geometry.halos(self.x, self.y)

    def lower(self, context: LoweringContext) -> Lowered:
        """Tasks of runs of blocks times strips of rows."""
        constants = context.constant_pool()
        x, y, n = self.x, self.y, self.x.lanes
        kernel = self.filters.kernel_for(n, y.width, context.isa, x.element, y.element)
        blocks = len(x.blocks)
        parts = context.parts(self.macs * 3, y.height * blocks)
        across = min(parts, blocks)
        tasks: list[Task] = []
        runs = [(first + a, first + b) for first, count in x.runs() for a, b in split(count, max(1, across * count // blocks))]
        for first, last in runs:
            arrays = self.filters.packed(constants, n, first, last)
            for top, end in split(y.height, -(-parts // across)):
                written = (self.first_block + first, self.first_block + last)
                tasks.append([self._call(kernel, arrays, first, last, top, end), *halo_calls(y, top, end, written)])
        return Lowered((tasks,), constants, tiles=f"{kernel.pixels}x{n}")

    def _call(self, kernel: DepthwiseKernel, arrays: Addresses, first: int, last: int, top: int, end: int) -> Call:
        """Blocks ``first`` to ``last`` - 1, rows ``top`` to ``end`` - 1."""
        g, x, y = self.filters.geometry, self.x, self.y
        tensor, _ = x.blocks[first]
        sources = [x.at(first, top * g.stride_y - g.leading + k * g.dilation, -g.leading) for k in range(g.size)]
        return depthwise_call(
            kernel, arrays, sources, y.at(self.first_block + first, top), width=y.width, blocks=last - first,
            block_x=tensor.block, block_y=y.block, rows=end - top, row_x=tensor.row * g.stride_y, row_y=y.row,
            elements=(x.element, y.element),
        )  # fmt: skip


def depthwise_call(
    kernel: DepthwiseKernel,
    arrays: Addresses,
    sources: list[int],
    y: int,
    *,
    width: int,
    blocks: int,
    block_x: int,
    block_y: int,
    rows: int = 1,
    row_x: int = 0,
    row_y: int = 0,
    elements: tuple[Element, Element] = (F32, F32),
) -> Call:
    """One call of a depthwise kernel; ``sources`` are the addresses of the K rows that the first output row reads.

    ``elements`` are those of input and output.
    """
    fixed = {
        **arrays, "y": y, "blocks": blocks, "block_x": block_x, "block_y": block_y,
        "rows": rows, "row_x": row_x, "row_y": row_y, "tiles": -(-width // kernel.pixels), "tile_last": width - kernel.pixels,
    }  # fmt: skip
    fixed |= elements[0].read_as("x") | elements[1].written_as("y")
    return Call(kernel, fixed | {f"x{k}": source for k, source in enumerate(sources)})
