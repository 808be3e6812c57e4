"""The input of a pointwise product on AMX with the blocks of each pixel side by side, in groups of at most 64 bytes.

An instruction takes as long for one block as for a group, so the copy in scratch memory pays for more than a few filters.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from yolodsc.engine.codegen.amx_tiles import Contraction, amx_tiles
from yolodsc.engine.codegen.kernels.contiguous import ContiguousKernel
from yolodsc.engine.codegen.tiles import Tile
from yolodsc.engine.operations.coefficients import AMX, Coefficients
from yolodsc.engine.operations.packing import TILE_BYTES, PackedProduct, contraction, pack
from yolodsc.engine.plan.layout import Tensor, TensorView
from yolodsc.engine.runtime.program import Call, ConstantPool
from yolodsc.values import Value

COPY = 1.5 / 16
"""Time to copy a byte, in that of a product of one pixel, one block and 16 filters."""


class ContiguousPixels(Value):
    """A view whose blocks are copied side by side.

    Attributes
    ----------
    x
        The view.
    blocks
        Its blocks that hold channels.
    per_group
        Blocks in a group; zeros fill the last group.
    """

    x: TensorView
    blocks: tuple[int, ...]
    per_group: int

    @classmethod
    def of(cls, x: TensorView) -> "ContiguousPixels":
        """The view in the fewest groups, of equal size."""
        used = tuple(b for b in range(len(x.blocks)) if x.used(b))
        groups = -(-len(used) * x.pixel // TILE_BYTES)
        return cls(x, used, -(-len(used) // groups))

    @property
    def groups(self) -> int:
        """Groups of a pixel."""
        return -(-len(self.blocks) // self.per_group)

    @property
    def unroll(self) -> int:
        """Channels of a group."""
        return self.per_group * self.x.lanes

    @property
    def group(self) -> int:
        """Bytes of a group."""
        return self.per_group * self.x.pixel

    @property
    def pixel(self) -> int:
        """Bytes of a pixel."""
        return self.groups * self.group

    @property
    def tensor(self) -> Tensor:
        """The copy of the whole view as a tensor of one block."""
        height, width = self.x.shape
        return Tensor(height, width, self.pixel // self.x.element.size, 1, element=self.x.element)

    def saves(self, blocks: int) -> bool:
        """Whether a product with so many output blocks gains more than the copy takes."""
        return (len(self.blocks) - self.groups) * blocks > COPY * len(self.blocks) * self.x.pixel

    def matrix(self, kernel: NDArray[Any]) -> NDArray[Any]:
        """A kernel (F, C, 1, 1) as (channels of a pixel, F)."""
        matrix = contraction(self.x, kernel, self.x.lanes)
        return np.pad(matrix, ((0, self.groups * self.unroll - len(matrix)), (0, 0)))

    def table(self, constants: ConstantPool) -> tuple[int, int]:
        """Table of one segment, as `segment_table`."""
        return constants.add(np.array([(0, self.groups)], np.int64)), 1

    def calls(self, y: int, *, row: int = 0, rows: int = 1, pixel: int = 0, pixels: int) -> list[Call]:
        """Calls that copy ``pixels`` pixels of ``rows`` rows, from a row and a pixel on, to the address ``y``."""
        x, calls = self.x, []
        walk = {"rows": rows, "row_x": x.blocks[0][0].row, "row_y": pixels * self.pixel, "pixels": pixels, "pixel_y": self.pixel}
        for number in range(self.groups):
            blocks = self.blocks[number * self.per_group : (number + 1) * self.per_group]
            sources = {f"x{k}": x.at(block, row) + pixel * x.pixel for k, block in enumerate(blocks)}
            kernel = ContiguousKernel(x.pixel, len(blocks), self.per_group)
            calls.append(Call(kernel, {"y": y + number * self.group, **walk, **sources}))
        return calls


def copied_product(
    constants: ConstantPool,
    weights: Coefficients,
    x: ContiguousPixels,
    activation: str,
    blocks: int,
    width: int,
    rows: int = 1,
    pixels: int = 0,
) -> tuple[PackedProduct, tuple[Tile, ...]]:
    """The product for ``blocks`` output blocks over ``rows`` rows at least of ``width`` pixels, and its tiles.

    ``pixels`` as in `Contraction`.
    """
    chosen = amx_tiles(Contraction(x.groups, x.group, rows, pixels), blocks, width)
    product = pack(
        constants, weights, x.matrix, chosen, lanes=x.x.lanes, stride=x.pixel, unroll=x.unroll,
        activation=activation, width=width, method=AMX,
    )  # fmt: skip
    return product, chosen
