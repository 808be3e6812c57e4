"""Rows of pixels from and to the tiles of Winograd's transforms, 16 tiles of 4 columns at a time.

Element (i, j) of tile t of a row of tiles lies at ``at + (i * side + j) * pitch + t`` of the tiles, and stands for the pixel in
column ``4 t + j - halo``.
"""

from typing import Any

from numba.core import cgutils as untyped_cgutils
from numba.extending import intrinsic

from yolodsc.training.kernels.vectors.rows import INDEX, LANES, Vectors, data, index, is_row, types

cgutils: Any = untyped_cgutils

_EVEN, _ODD = list(range(0, 2 * LANES, 2)), list(range(1, 2 * LANES, 2))
_LOW = [lane // 2 + LANES * (lane % 2) for lane in range(LANES)]
_HIGH = [lane + LANES // 2 for lane in _LOW]


class _TileRow:
    """One row of pixels of one row of tiles, in the arguments of an intrinsic."""

    def __init__(self, context: Any, builder: Any, signature: Any, arguments: Any) -> None:
        self.builder, self.v = builder, Vectors(builder)
        self.pixels, self.tiles = (data(context, builder, signature.args[i], arguments[i]) for i in range(2))
        self.start, self.width = cgutils.unpack_tuple(builder, arguments[2])
        self.at, self.pitch, self.across = cgutils.unpack_tuple(builder, arguments[3])

    def each(self, body: Any) -> None:
        """Emit ``body(tile)`` for every 16th tile."""
        count = self.builder.udiv(self.builder.add(self.across, index(LANES - 1)), index(LANES))
        with cgutils.for_range(self.builder, count, intp=INDEX) as loop:
            body(self.builder.mul(loop.index, index(LANES)))

    def _columns(self, tile: Any, shift: int) -> list[tuple[Any, Any]]:
        """Return pointers and masks of 64 columns, from ``4 tile + shift`` on."""
        b = self.builder
        first = b.add(b.mul(tile, index(4)), index(shift))
        found = []
        for part in range(4):
            column = b.add(first, index(part * LANES))
            inside = self.v.mask(b.sub(self.width, column))
            if shift < 0 and part == 0:  # only the first column can lie before the row
                inside = b.and_(inside, b.not_(self.v.mask(b.sub(index(0), column))))
            found.append((b.gep(self.pixels, [b.add(self.start, column)]), inside))
        return found

    def read(self, tile: Any, shift: int) -> list[Any]:
        """Return the four columns of 16 tiles, from column ``4 tile + shift`` on; 0 outside the row."""
        s = self.v.shuffled
        a, b, c, d = (self.v.load(*part) for part in self._columns(tile, shift))
        low, high = (s(a, b, _EVEN), s(c, d, _EVEN)), (s(a, b, _ODD), s(c, d, _ODD))
        return [s(*low, _EVEN), s(*high, _EVEN), s(*low, _ODD), s(*high, _ODD)]

    def write(self, tile: Any, columns: list[Any], emit: Any) -> None:
        """Store ``emit(new, present)`` for the inverse of `read` without a shift."""
        s, (a, b, c, d) = self.v.shuffled, columns
        halves = [(s(a, c, half), s(b, d, half)) for half in (_LOW, _HIGH)]
        values = [s(even, odd, half) for even, odd in halves for half in (_LOW, _HIGH)]
        for value, part in zip(values, self._columns(tile, 0), strict=True):
            self.v.store(emit(value, part), *part)

    def element(self, tile: Any, number: Any, shift: int = 0) -> tuple[Any, Any]:
        """Return pointer and mask of an element of 16 tiles, or of their neighbours at a distance of ``shift``."""
        b = self.builder
        offset = b.add(b.add(self.at, b.mul(number, self.pitch)), b.add(tile, index(shift)))
        mask = self.v.mask(b.sub(b.sub(self.across, tile), index(shift)))
        if shift < 0:
            mask = b.and_(mask, b.not_(self.v.mask(b.sub(index(-shift), tile))))
        return b.gep(self.tiles, [offset]), mask


def _intrinsic(emit: Any) -> Any:
    """Return an intrinsic for one row of pixels of a row of tiles.

    Its arguments are flattened pixels and tiles, (first pixel, width), (at, pitch, tiles in the row), the row in the tiles, and
    float32 scalars. A row of width 0 is one of zeros.
    """

    def typed(typing_context: Any, pixels: Any, tiles: Any, row: Any, position: Any, i: Any, scalars: Any) -> Any:
        if not (is_row(pixels) and is_row(tiles)):
            return None

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            emit(_TileRow(context, builder, signature, arguments), arguments[4], cgutils.unpack_tuple(builder, arguments[5]))
            return context.get_dummy_value()

        return types.none(pixels, tiles, row, position, i, scalars), generate

    return intrinsic(typed)


def _number(row: _TileRow, i: Any, side: int, j: int) -> Any:
    return row.builder.add(row.builder.mul(i, index(side)), index(j))


def _read_input(row: _TileRow, i: Any, scalars: list[Any]) -> None:
    def body(tile: Any) -> None:
        columns = row.read(tile, -1) + row.read(tile, 3)[:2]
        for j, value in enumerate(columns):
            row.v.store(value, *row.element(tile, _number(row, i, 6, j)))

    row.each(body)


def _read_output(row: _TileRow, i: Any, scalars: list[Any]) -> None:
    def body(tile: Any) -> None:
        for j, value in enumerate(row.read(tile, 0)):
            row.v.store(value, *row.element(tile, _number(row, i, 4, j)))

    row.each(body)


def _write_output(row: _TileRow, i: Any, scalars: list[Any]) -> None:
    v = row.v
    bias, slope, limit = (v.broadcast(scalar) for scalar in scalars)

    def body(tile: Any) -> None:
        columns = [v.load(*row.element(tile, _number(row, i, 4, j))) for j in range(4)]
        row.write(tile, columns, lambda value, part: v.activated(row.builder.fadd(value, bias), slope, limit))

    row.each(body)


def _add_input(row: _TileRow, i: Any, scalars: list[Any]) -> None:
    v, b = row.v, row.builder

    def body(tile: Any) -> None:
        own = [v.load(*row.element(tile, _number(row, i, 6, j))) for j in range(1, 5)]
        own[0] = b.fadd(own[0], v.load(*row.element(tile, _number(row, i, 6, 5), -1)))
        own[3] = b.fadd(own[3], v.load(*row.element(tile, _number(row, i, 6, 0), 1)))
        row.write(tile, own, lambda value, part: b.fadd(value, v.load(*part)))

    row.each(body)


read_input_row: Any = _intrinsic(_read_input)
"""Row i of 6x6 tiles, with a halo of one pixel."""
read_output_row: Any = _intrinsic(_read_output)
"""Row i of 4x4 tiles."""
write_output_row: Any = _intrinsic(_write_output)
"""Pixels from row i of 4x4 tiles, with (bias, slope, limit)."""
add_input_row: Any = _intrinsic(_add_input)
"""Add row i of overlapping 6x6 tiles to the pixels."""
