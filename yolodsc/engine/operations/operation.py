"""What every operation of a plan declares, and what lowering one returns."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Self

from msgspec.structs import replace

from yolodsc.engine.codegen.dtypes import DType
from yolodsc.engine.codegen.kernels.elementwise import ClearKernel
from yolodsc.engine.plan.layout import SCRATCH, Buffer, Halo, PlanarTensor, Tensor, TensorView, with_buffers
from yolodsc.engine.runtime.program import Call, ConstantPool, Task
from yolodsc.jit import Isa
from yolodsc.values import Value

TASK_MACS = 100_000
"""Smallest work of a task: about 2 us; taking a task costs 0.1."""

PRECISION_NAMES: Mapping[DType, str] = {"f32": "f32", "bf16": "bf16", "u8": "int8"}

MOVE = 16
"""Multiply-adds in the time that a number takes from one layout to another."""

STRIP = 256 * 1024
"""Largest input in bytes that one call reads repeatedly: a part of the second-level cache."""


class LoweringContext(Value):
    """What lowering depends on besides the operation: the machine, the threads, where the operation's constants begin."""

    isa: Isa
    threads: int
    constants: int = 0

    def constant_pool(self) -> ConstantPool:
        """An empty pool for the constants of one operation."""
        return ConstantPool(self.constants)

    def parts(self, macs: int, limit: int) -> int:
        """Into how many tasks to cut work of ``macs``, at most ``limit``: if there are enough, the same number for each thread."""
        if self.threads == 1:
            return 1
        count = max(1, min(limit, 3 * self.threads, macs // TASK_MACS))
        return count - count % self.threads if count > self.threads else count


class Lowered(Value):
    """An operation as calls.

    Attributes
    ----------
    phases
        Tasks of each phase, which may run in any order and at the same time; a phase begins when the previous one is done.
    constants
        The arrays that the calls read.
    scratch
        Bytes that the calls use of a thread's scratch memory.
    tiles
        Pixels x vectors x lanes of each product, pixels x lanes of a depthwise convolution.
    """

    phases: Sequence[Sequence[Task]]
    constants: ConstantPool
    scratch: int = 0
    tiles: str = ""


class Operation(Value, eq=False):
    """One operation of the plan.

    Attributes
    ----------
    name
        The name in the plan's table.
    layers
        Indices of the layers that it computes; the last one's output is the operation's.
    macs
        Multiplications with accumulation, as the network counts them.
    """

    name: str
    layers: tuple[int, ...]
    macs: int

    @property
    def precision(self) -> str:
        """Precision of its products; of an operation without products, of the numbers that it writes."""
        return PRECISION_NAMES[self.writes[0].element.dtype]

    @property
    def reads(self) -> tuple[Buffer, ...]:
        """Buffers that it reads."""
        raise NotImplementedError

    @property
    def writes(self) -> tuple[Buffer, ...]:
        """Buffers that it writes; the output is first."""
        raise NotImplementedError

    def halos(self) -> Iterable[tuple[Tensor, Halo]]:
        """Tensors and the halo that each needs for this operation."""
        return ()

    def strided_views(self) -> Iterable[TensorView]:
        """Views that are read with one row stride, so that their tensors must have the same halo."""
        return ()

    def with_buffers(self, buffers: Mapping[Buffer, Buffer]) -> Self:
        """The same operation on other buffers."""
        return replace(self, **{name: with_buffers(getattr(self, name), buffers) for name in self.__struct_fields__})

    def lower(self, context: LoweringContext) -> Lowered:
        """The operation as calls; its buffers are placed."""
        raise NotImplementedError


class TensorOperation(Operation, eq=False):
    """An operation from a view to a tensor."""

    x: TensorView
    y: Tensor

    @property
    def reads(self) -> tuple[Buffer, ...]:
        """The input."""
        return self.x.tensors

    @property
    def writes(self) -> tuple[Buffer, ...]:
        """The output."""
        return (self.y,)


class PlanarOperation(Operation, eq=False):
    """An operation from a planar tensor to a tensor, blocked or planar."""

    x: PlanarTensor
    y: Tensor | PlanarTensor

    @property
    def reads(self) -> tuple[Buffer, ...]:
        """The input."""
        return (self.x,)

    @property
    def writes(self) -> tuple[Buffer, ...]:
        """The output."""
        return (self.y,)


def split(total: int, parts: int) -> Iterator[tuple[int, int]]:
    """(start, end) of ``parts`` nearly equal parts of ``total``, without empty ones."""
    parts = max(1, min(parts, total))
    for i in range(parts):
        yield i * total // parts, (i + 1) * total // parts


def strips(rows: int, row_bytes: int, parts: int) -> Sequence[tuple[int, int]]:
    """Row ranges of strips that fit the cache, at least ``parts`` of them."""
    return list(split(rows, max(parts, -(-rows * row_bytes // STRIP))))


def in_scratch(*tensors: Tensor) -> tuple[tuple[Tensor, ...], int]:
    """The tensors placed one after the other in a thread's scratch memory, and the bytes they take."""
    end = 0
    placed = []
    for tensor in tensors:
        placed.append(replace(tensor, base=SCRATCH, offset=end))
        end += tensor.size + -tensor.size % 64 + 64
    return tuple(placed), end


def halo_calls(tensor: Tensor, first: int, last: int, blocks: tuple[int, int] | None = None) -> list[Call]:
    """Calls that write the zeros around rows ``first`` to ``last`` - 1 of a tensor (of all blocks, or of a range)."""
    halo = tensor.halo
    start, end = blocks or (0, tensor.blocks)
    full = (halo.left + tensor.width + halo.right) * tensor.pixel
    calls = []

    def clear(y: int, x: int, rows: int, pixels: int) -> None:
        if rows > 0 and pixels > 0:
            area = {"y": tensor.at(start, y, x), "blocks": end - start, "block_y": tensor.block, "rows": rows, "row_y": full}
            calls.append(Call(ClearKernel(tensor.pixel // 4), {**area, "vectors": pixels, "value": tensor.element.fill}))

    clear(first, -halo.left, last - first, halo.left)
    clear(first, tensor.width, last - first, halo.right)
    if first == 0:
        clear(-halo.top, -halo.left, halo.top, full // tensor.pixel)
    if last == tensor.height:
        clear(tensor.height, -halo.left, halo.bottom, full // tensor.pixel)
    return calls
