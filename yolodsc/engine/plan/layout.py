"""Where numbers lie: blocked maps, views on them, planes.

A map is cut into blocks of ``lanes`` channels, pixel after pixel, so that a pixel's neighbours are a constant stride away
and one vector is one pixel of one block. ``lanes`` need not be the longest vector: a map of 24 channels is three blocks of 8 where short
vectors cost half (see `isa`). Around a map lie the zeros that k x k consumers read; producers write them. A `TensorView` is a list of
blocks of any maps with a channel for every lane, so that concatenation and groups of channels are lists, never copies.

Addresses are words: the number of a base in the high 16 bits, bytes from it in the low 48. Every thread has its own table of
bases, so one plan serves any number of images, threads and streams.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from yolodsc.arrays import Shape
from yolodsc.errors import EngineError

CONSTANTS, ARENA, INPUT_BASE, SCRATCH = range(4)
"""Bases: weights and tables; maps and planes; the image; a thread's own space."""

PAGE, LINE = 4096, 64


MOST_BYTES = 2**48
"""Bytes that a word can address from its base."""


def tagged_address(base: int, offset: int) -> int:
    """The address ``offset`` bytes from a base; an `EngineError` where a word cannot hold it."""
    if not 0 <= offset < MOST_BYTES:
        raise EngineError(f"byte {offset} of a buffer has no address; wanted 0 to {MOST_BYTES - 1}: smaller padding or dilation")
    return base << 48 | offset


@dataclass(eq=False, slots=True)
class Halo:
    """Pixels of zeros around a map."""

    top: int = 0
    left: int = 0
    bottom: int = 0
    right: int = 0

    def cover(self, other: "Halo") -> bool:
        """Grow to hold ``other`` too; whether anything changed."""
        before = (self.top, self.left, self.bottom, self.right)
        self.top, self.left = max(self.top, other.top), max(self.left, other.left)
        self.bottom, self.right = max(self.bottom, other.bottom), max(self.right, other.right)
        return before != (self.top, self.left, self.bottom, self.right)

    def __bool__(self) -> bool:
        return bool(self.top or self.left or self.bottom or self.right)


@dataclass(eq=False, slots=True)
class Tensor:
    """A blocked map in memory; ``offset`` is known when the arena has been laid out."""

    height: int
    width: int
    lanes: int
    blocks: int
    margin: Halo = field(default_factory=Halo)
    base: int = ARENA
    offset: int = 0

    @property
    def pixel(self) -> int:
        """Bytes of one pixel of one block."""
        return self.lanes * 4

    @property
    def row(self) -> int:
        """Bytes from one row to the next."""
        return (self.margin.left + self.width + self.margin.right) * self.pixel

    @property
    def block(self) -> int:
        """Bytes from one block to the next; never a multiple of 4096, where loads would wait for unrelated stores."""
        size = (self.margin.top + self.height + self.margin.bottom) * self.row
        size += -size % LINE
        return size + LINE if size % PAGE == 0 else size

    @property
    def size(self) -> int:
        """Bytes of the whole map."""
        return self.blocks * self.block

    def at(self, block: int = 0, y: int = 0, x: int = 0) -> int:
        """Word of a pixel; rows and columns count from the map's own first, margins are negative."""
        pixels = (self.margin.top + y) * self.row + (self.margin.left + x) * self.pixel
        return tagged_address(self.base, self.offset + block * self.block + pixels)


@dataclass(eq=False, slots=True)
class PlanarTensor:
    """A planar (C, H, W) array in the arena, or the image."""

    shape: Shape
    base: int = ARENA
    offset: int = 0

    @property
    def size(self) -> int:
        """Bytes."""
        return self.shape.size * 4

    def at(self, channel: int = 0, y: int = 0, x: int = 0) -> int:
        """Word of one number."""
        _, height, width = self.shape
        return tagged_address(self.base, self.offset + ((channel * height + y) * width + x) * 4)


@dataclass(frozen=True, slots=True)
class TensorView:
    """Blocks of maps that a layer's channels lie in.

    Attributes
    ----------
    blocks
        (map, block number) in order; all maps have one height, width and lanes.
    channels
        The layer's channel in each lane of each block, -1 for lanes that are not its own.
    """

    blocks: tuple[tuple[Tensor, int], ...]
    channels: tuple[int, ...]

    @property
    def lanes(self) -> int:
        """Channels in a block."""
        return self.blocks[0][0].lanes

    @property
    def maps(self) -> tuple[Tensor, ...]:
        """The maps, each once."""
        return tuple(dict.fromkeys(m for m, _ in self.blocks))

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width."""
        return self.blocks[0][0].height, self.blocks[0][0].width

    def used(self, block: int) -> int:
        """How many lanes of a block must be read, from the first."""
        lanes = self.channels[block * self.lanes : (block + 1) * self.lanes]
        return max((lane + 1 for lane, channel in enumerate(lanes) if channel >= 0), default=0)

    def runs(self) -> Iterator[tuple[int, int]]:
        """(first, count) of neighbouring blocks of one map."""
        first = 0
        for i in range(1, len(self.blocks) + 1):
            if i == len(self.blocks) or self.blocks[i] != (self.blocks[i - 1][0], self.blocks[i - 1][1] + 1):
                yield first, i - first
                first = i

    def at(self, block: int = 0, y: int = 0, x: int = 0) -> int:
        """Word of a pixel of the view's own block number ``block``."""
        m, number = self.blocks[block]
        return m.at(number, y, x)


def whole(m: Tensor, channels: Sequence[int] | int) -> TensorView:
    """A view of all blocks of a map; ``channels`` as in `TensorView`, or how many there are in plain order."""
    lanes = m.blocks * m.lanes
    if isinstance(channels, int):
        channels = [c if c < channels else -1 for c in range(lanes)]
    return TensorView(tuple((m, b) for b in range(m.blocks)), tuple(channels))


def joined(views: Sequence[TensorView]) -> TensorView:
    """The views' channels one after the other."""
    blocks: list[Any] = []
    channels: list[Any] = []
    count = 0
    for view in views:
        blocks += view.blocks
        channels += [c + count if c >= 0 else -1 for c in view.channels]
        count += 1 + max(view.channels)
    return TensorView(tuple(blocks), tuple(channels))


def sliced(view: TensorView, first: int, count: int) -> TensorView:
    """``count`` channels from ``first`` on, without the blocks that hold none of them."""
    inside = [c - first if first <= c < first + count else -1 for c in view.channels]
    n = view.lanes
    kept = [b for b in range(len(view.blocks)) if any(c >= 0 for c in inside[b * n : (b + 1) * n])]
    channels = [c for b in kept for c in inside[b * n : (b + 1) * n]]
    return TensorView(tuple(view.blocks[b] for b in kept), tuple(channels))
