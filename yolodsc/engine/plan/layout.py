"""Buffers of a plan: blocked tensors, views of them, planar tensors.

A tensor is cut into blocks of ``lanes`` channels, stored pixel after pixel: a pixel's neighbours are a constant stride away, and
one vector is one pixel of one block. ``lanes`` need not be the longest vector: a tensor of 24 channels is three blocks of 8 where
short vectors cost half (see `Isa`). The halo is the zeros around a tensor that k x k consumers read; producers write them. A
`TensorView` is a list of blocks of any tensors with a channel for each lane, so that concatenations and channel groups are lists,
never copies.

Addresses are tagged: the number of a base in the high 16 bits, a byte offset from it in the low 48. Each thread has its own table
of bases, so one program serves any number of images, threads and streams.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from msgspec.structs import force_setattr

from yolodsc.arrays import Shape
from yolodsc.engine.codegen.dtypes import F32, DType, Element
from yolodsc.errors import EngineError
from yolodsc.values import Value

CONSTANTS, ARENA, INPUT_BASE, SCRATCH = range(4)
"""Bases: weights and tables; tensors; the image; the scratch memory of a thread."""

PAGE, LINE = 4096, 64


MAX_BYTES = 2**48
"""Bytes that a tagged address can reach from its base."""


def tagged_address(base: int, offset: int) -> int:
    """The address ``offset`` bytes from a base; an `EngineError` if the offset does not fit."""
    if not 0 <= offset < MAX_BYTES:
        raise EngineError(f"byte {offset} of a buffer has no address; expected 0 to {MAX_BYTES - 1}: use less padding or dilation")
    return base << 48 | offset


class Halo(Value):
    """Pixels of zeros around a tensor."""

    top: int = 0
    left: int = 0
    bottom: int = 0
    right: int = 0

    def __or__(self, other: "Halo") -> "Halo":
        """The smallest halo that contains both."""
        return Halo(
            max(self.top, other.top), max(self.left, other.left), max(self.bottom, other.bottom), max(self.right, other.right)
        )

    def __bool__(self) -> bool:
        return bool(self.top or self.left or self.bottom or self.right)


class Tensor(Value, eq=False):
    """A blocked feature map. The plan creates it without halo and offset; `placement` replaces it by a copy that has both.

    Attributes
    ----------
    pixel, row, block
        Bytes of one pixel of one block, from one row to the next, and from one block to the next, which is never a multiple of
        4096, where loads would wait for unrelated stores. They and `origin`, the offset of pixel (0, 0) of the first block, follow
        from the other fields, whatever they are given as.
    """

    height: int
    width: int
    lanes: int
    blocks: int
    halo: Halo = Halo()
    base: int = ARENA
    offset: int = 0
    element: Element = F32
    pixel: int = 0
    row: int = 0
    block: int = 0
    origin: int = 0

    def __post_init__(self) -> None:
        """Compute what follows from the other fields, once for the thousands of addresses that a plan asks for."""
        halo, pixel = self.halo, self.lanes * self.element.size
        row = (halo.left + self.width + halo.right) * pixel
        block = (halo.top + self.height + halo.bottom) * row
        block += -block % LINE
        force_setattr(self, "pixel", pixel)
        force_setattr(self, "row", row)
        force_setattr(self, "block", block + LINE if block % PAGE == 0 else block)
        force_setattr(self, "origin", self.offset + halo.top * row + halo.left * pixel)

    @property
    def size(self) -> int:
        """Bytes of the whole tensor."""
        return self.blocks * self.block

    def at(self, block: int = 0, y: int = 0, x: int = 0) -> int:
        """Tagged address of a pixel; rows and columns of the halo are negative or beyond the last."""
        return tagged_address(self.base, self.origin + block * self.block + y * self.row + x * self.pixel)


class PlanarTensor(Value, eq=False):
    """A planar (C, H, W) array in the arena, or the image."""

    shape: Shape
    base: int = ARENA
    offset: int = 0

    @property
    def element(self) -> Element:
        """Planar tensors hold float32."""
        return F32

    @property
    def size(self) -> int:
        """Bytes."""
        return self.shape.size * 4

    def at(self, channel: int = 0, y: int = 0, x: int = 0) -> int:
        """Tagged address of one number."""
        _, height, width = self.shape
        return tagged_address(self.base, self.offset + ((channel * height + y) * width + x) * 4)


Buffer = Tensor | PlanarTensor


class TensorView(Value):
    """Blocks of tensors that hold a layer's channels.

    Attributes
    ----------
    blocks
        (tensor, block number) in order; all tensors have the same height, width, lanes and elements.
    channels
        The layer's channel in each lane of each block, -1 for lanes of no channel of the layer.
    """

    blocks: tuple[tuple[Tensor, int], ...]
    channels: tuple[int, ...]

    @property
    def lanes(self) -> int:
        """Channels in a block."""
        return self.blocks[0][0].lanes

    @property
    def element(self) -> Element:
        """How the numbers are stored."""
        return self.blocks[0][0].element

    @property
    def dtype(self) -> DType:
        """Number format of the tensors."""
        return self.element.dtype

    @property
    def pixel(self) -> int:
        """Bytes of one pixel of one block."""
        return self.blocks[0][0].pixel

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """The tensors, each once."""
        return tuple(dict.fromkeys(tensor for tensor, _ in self.blocks))

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width."""
        return self.blocks[0][0].height, self.blocks[0][0].width

    def used(self, block: int) -> int:
        """How many lanes of a block must be read, from the first."""
        lanes = self.channels[block * self.lanes : (block + 1) * self.lanes]
        return next((lane for lane in range(len(lanes), 0, -1) if lanes[lane - 1] >= 0), 0)

    def runs(self) -> Iterator[tuple[int, int]]:
        """(first, count) of consecutive blocks of one tensor."""
        first = 0
        for i in range(1, len(self.blocks) + 1):
            if i == len(self.blocks) or self.blocks[i] != (self.blocks[i - 1][0], self.blocks[i - 1][1] + 1):
                yield first, i - first
                first = i

    def at(self, block: int = 0, y: int = 0, x: int = 0) -> int:
        """Tagged address of a pixel of block number ``block`` of the view."""
        tensor, number = self.blocks[block]
        return tensor.at(number, y, x)


def tensors_of(*views: TensorView | None) -> tuple[Tensor, ...]:
    """All tensors of some views, each once."""
    return tuple(dict.fromkeys(tensor for view in views if view for tensor in view.tensors))


def with_buffers(value: Any, buffers: Mapping[Buffer, Buffer]) -> Any:
    """``value`` (a buffer, a view, a tuple of these, or anything else) with its buffers replaced where ``buffers`` has them."""
    if isinstance(value, Tensor | PlanarTensor):
        return buffers.get(value, value)
    if isinstance(value, TensorView):
        return TensorView(tuple((with_buffers(tensor, buffers), b) for tensor, b in value.blocks), value.channels)
    if isinstance(value, tuple) and value and isinstance(value[0], Tensor | PlanarTensor):
        return tuple(with_buffers(member, buffers) for member in value)
    return value


def whole(tensor: Tensor, channels: Sequence[int] | int) -> TensorView:
    """A view of all blocks of a tensor; ``channels`` as in `TensorView`, or how many there are in plain order."""
    lanes = tensor.blocks * tensor.lanes
    if isinstance(channels, int):
        channels = [c if c < channels else -1 for c in range(lanes)]
    return TensorView(tuple((tensor, b) for b in range(tensor.blocks)), tuple(channels))


def joined(views: Sequence[TensorView]) -> TensorView:
    """The channels of all views, one view after the other."""
    blocks: list[Any] = []
    channels: list[Any] = []
    count = 0
    for view in views:
        blocks += view.blocks
        channels += [c + count if c >= 0 else -1 for c in view.channels]
        count += 1 + max(view.channels)
    return TensorView(tuple(blocks), tuple(channels))


def sliced(view: TensorView, first: int, count: int) -> TensorView:
    """``count`` channels starting with ``first``, without the blocks that hold none of them."""
    inside = [c - first if first <= c < first + count else -1 for c in view.channels]
    n = view.lanes
    kept = [b for b in range(len(view.blocks)) if any(c >= 0 for c in inside[b * n : (b + 1) * n])]
    channels = [c for b in kept for c in inside[b * n : (b + 1) * n]]
    return TensorView(tuple(view.blocks[b] for b in kept), tuple(channels))
