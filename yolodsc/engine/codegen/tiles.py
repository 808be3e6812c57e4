"""Tile sizes: the least time for a row of pixels and a number of channel blocks.

A row of W pixels takes ceil(W / P) tiles of P; channels in B blocks take tiles of V vectors and one narrower tile for the rest.
The cost is the number of multiply-adds, overlaps included, times the slowdown of a tile of V vectors against the processor's peak
(measured: one vector of 8 on Zen 4 reaches 79 %, two 83 %, three 97 %; vectors of 16 reach 99 % with any V).
"""

from collections.abc import Iterator

from yolodsc.jit import Isa
from yolodsc.values import Value


class Tile(Value):
    """A tile of ``pixels`` x ``vectors`` blocks, run for ``groups`` groups of ``vectors`` blocks from block ``first`` on.

    On AMX it may have several ``rows`` of pixels.
    """

    first: int
    groups: int
    vectors: int
    pixels: int
    rows: int = 1


def pixels(width: int, maximum: int) -> int:
    """Return the pixels of a tile, at most ``maximum``, that cover ``width`` with the least overlap; ties go to larger tiles."""
    if width <= maximum:
        return width
    minimum = max(1, (maximum + 1) // 2)
    return min(range(maximum, minimum - 1, -1), key=lambda p: -(-width // p) * (p + 1.0))


def slowdown(isa: Isa, lanes: int, vectors: int) -> float:
    """Time of a multiply-add in a tile of that many vectors, relative to the processor's peak."""
    if isa.registers < 32:
        return {1: 1.25, 2: 1.0, 3: 1.0, 4: 1.15}[vectors]
    narrow = lanes < isa.lanes
    if dict(isa.lane_cost)[lanes] < 1.0:
        return {1: 1.25, 2: 1.17, 3: 1.0, 4: 1.0}[vectors]
    return {1: 1.3, 2: 1.0, 3: 1.0, 4: 1.0}[vectors] if isa.lane_cost[-1][1] == 1.0 or narrow else 1.02


def tiles(isa: Isa, lanes: int, blocks: int, width: int) -> tuple[Tile, ...]:
    """Return the tiles for ``blocks`` output blocks and rows of ``width`` pixels."""
    return min(_options(isa, blocks, width), key=lambda option: sum(_cost(isa, lanes, width, tile) for tile in option))


def _options(isa: Isa, blocks: int, width: int) -> Iterator[tuple[Tile, ...]]:
    for vectors in range(min(blocks, 4), 0, -1):
        groups, rest = divmod(blocks, vectors)
        found = [Tile(0, groups, vectors, pixels(width, isa.pixels(vectors)))]
        if rest:
            found.append(Tile(groups * vectors, 1, rest, pixels(width, isa.pixels(rest))))
        yield tuple(found)


def _cost(isa: Isa, lanes: int, width: int, tile: Tile) -> float:
    count = -(-width // tile.pixels)
    return tile.groups * tile.vectors * count * (tile.pixels + 0.5) * slowdown(isa, lanes, tile.vectors)


def lanes_for(isa: Isa, channels: list[tuple[int, float]]) -> int:
    """Return the vector length for tensors that share one: ``channels`` lists (channels, weight)."""

    def cost(lanes: int, per_vector: float) -> float:
        return sum(-(-count // lanes) * per_vector * weight for count, weight in channels)

    return min(isa.lane_cost, key=lambda pair: cost(*pair))[0]
