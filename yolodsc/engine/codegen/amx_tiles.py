"""Tiles of the AMX kernel: the least time by a model of its tile unit, its loads and its epilogue."""

from collections.abc import Iterator

from yolodsc.engine.codegen.tiles import Tile
from yolodsc.values import Value

ROWS, SUMS = 16, 4
"""Pixels of a tile register, and the registers that hold sums."""

L1 = 32 * 1024
"""Bytes of weights that stay in the first-level cache."""


class Contraction(Value):
    """A sum as AMX computes it: ``groups`` channel groups of ``bytes`` each; outputs have at least ``rows`` rows.

    ``pixels`` is what tile registers should hold because those of the kernel before it do; 0: any number.
    """

    groups: int
    bytes: int
    rows: int = 1
    pixels: int = 0


def amx_tiles(contraction: Contraction, blocks: int, width: int) -> tuple[Tile, ...]:
    """Return the tiles for ``blocks`` output blocks and rows of ``width`` pixels."""
    options = list(_options(contraction.rows, blocks, width))
    alike = [option for option in options if register_pixels(option[0]) == contraction.pixels]
    return min(alike or options, key=lambda option: sum(_cost(contraction, width, tile) for tile in option))


def register_pixels(tile: Tile) -> int:
    """Pixels of a tile register."""
    return tile.pixels // -(-tile.pixels // ROWS)


def _options(rows: int, blocks: int, width: int) -> Iterator[tuple[Tile, ...]]:
    for vectors in range(min(blocks, SUMS), 0, -1):
        groups, rest = divmod(blocks, vectors)
        for pixels, tall in _shapes(rows, width, SUMS // vectors):
            found = [Tile(0, groups, vectors, pixels, tall)]
            if rest:
                found.append(Tile(groups * vectors, 1, rest, pixels, tall))
            yield tuple(found)


def _shapes(rows: int, width: int, registers: int) -> Iterator[tuple[int, int]]:
    """Pixels and rows of tiles whose inputs fill at most so many registers; a row takes one or two."""
    for tall in (n for n in (1, 2, 4) if n <= min(rows, registers)):
        for count in (n for n in (1, 2) if n * tall <= registers and n <= width):
            maximum = min(ROWS, width // count)
            yield from ((pixels * count, tall) for pixels in range(maximum, max(1, maximum // 2) - 1, -1))


def _cost(contraction: Contraction, width: int, tile: Tile) -> float:
    """Cycles for a row of outputs.

    An instruction takes 8 and half a one for each pixel. Loads bring 64 bytes from the first-level cache in half a cycle, and the
    weights of long sums from the second-level cache in two. The epilogue takes 4 for each vector and overlaps with the products of
    the next tile.
    """
    pixels, inputs = tile.pixels * tile.rows, -(-tile.pixels // ROWS) * tile.rows
    resident = contraction.groups * contraction.bytes * tile.vectors * 16 <= L1
    weights = tile.vectors * contraction.bytes // 4 * (0.5 if resident else 2.0)
    loads = pixels * (1 if inputs <= 2 else tile.vectors) / 2 + weights
    products = contraction.groups * max((8 * inputs + pixels / 2) * tile.vectors, loads)
    epilogue = 4 * pixels * tile.vectors
    count = -(-width // tile.pixels) * -(-contraction.rows // tile.rows) / contraction.rows
    turns = count * tile.groups
    return turns * (max(products, epilogue) + 0.2 * min(products, epilogue) + 30) + min(products, epilogue) / contraction.rows
