"""Which tile for which width: the smallest waste at the highest speed.

A row of W pixels takes ceil(W / P) tiles of P; channels in B blocks take tiles of V vectors and one narrower tile for the rest.
Costs are multiply-adds counted with the waste, times how far a tile of V vectors stays under the machine's peak (measured: one
vector of 8 on Zen 4 reaches 79 %, two 83 %, three 97 %; vectors of 16 reach 99 % with any V).
"""

from collections.abc import Iterator
from dataclasses import dataclass

from yolodsc.jit import Isa


@dataclass(frozen=True, slots=True)
class Tile:
    """``groups`` groups of ``vectors`` blocks, the first of them block number ``first``, ``pixels`` at a time."""

    first: int
    groups: int
    vectors: int
    pixels: int


def pixels(width: int, most: int) -> int:
    """How many pixels a tile should have so that the tiles cover ``width`` with the least waste; fewer, larger tiles first."""
    if width <= most:
        return width
    least = max(1, (most + 1) // 2)
    return min(range(most, least - 1, -1), key=lambda p: -(-width // p) * (p + 1.0))


def slack(isa: Isa, lanes: int, vectors: int) -> float:
    """How much longer a multiply-add takes in a tile of that many vectors."""
    if isa.registers < 32:
        return {1: 1.25, 2: 1.0, 3: 1.0, 4: 1.15}[vectors]
    narrow = lanes < isa.lanes
    if dict(isa.lane_cost)[lanes] < 1.0:
        return {1: 1.25, 2: 1.17, 3: 1.0, 4: 1.0}[vectors]
    return {1: 1.3, 2: 1.0, 3: 1.0, 4: 1.0}[vectors] if isa.lane_cost[-1][1] == 1.0 or narrow else 1.02


def tiles(isa: Isa, lanes: int, blocks: int, width: int) -> tuple[Tile, ...]:
    """Tiles for ``blocks`` output blocks over rows of ``width`` pixels."""
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
    return tile.groups * tile.vectors * count * (tile.pixels + 0.5) * slack(isa, lanes, tile.vectors)


def lanes_for(isa: Isa, channels: list[tuple[int, float]]) -> int:
    """Vector length for maps that must share one: ``channels`` lists (channels, weight)."""

    def cost(lanes: int, per_vector: float) -> float:
        return sum(-(-count // lanes) * per_vector * weight for count, weight in channels)

    return min(isa.lane_cost, key=lambda pair: cost(*pair))[0]
