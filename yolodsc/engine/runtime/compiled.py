"""Compiling a network: plan, halos, arena, lowering, linking; each step takes values and returns new ones."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from yolodsc.engine.codegen.kernels.worker import HelperKernel, LeadKernel, WorkerKernel
from yolodsc.engine.operations.coefficients import AMX
from yolodsc.engine.operations.operation import Lowered, LoweringContext, Operation
from yolodsc.engine.operations.planar import ReferenceOperation
from yolodsc.engine.plan.layout import ARENA, CONSTANTS, SCRATCH, PlanarTensor, Tensor, tagged_address
from yolodsc.engine.plan.placement import placed
from yolodsc.engine.plan.planner import planned
from yolodsc.engine.runtime.bounds import Regions, check
from yolodsc.engine.runtime.program import Constants, Program, Progress, Task, kernels_of, link
from yolodsc.errors import EngineError
from yolodsc.jit import Isa, compiler_for, permitted
from yolodsc.network import Network
from yolodsc.values import Value

if TYPE_CHECKING:
    from yolodsc.precision import Precision, Quantization


class LinkedOperation(Value):
    """An operation after linking, without its weights.

    Attributes
    ----------
    name, layers, macs
        As in `Operation`.
    precision
        Of its products; of an operation without products, of the numbers that it writes.
    layout
        Of the output: ``c16``, blocks of 16 channels; ``planar``.
    tiles
        As in `Lowered`.
    bytes
        Read and written, weights included.
    phases
        First and last + 1 of its phases in the program; empty for a reference operation.
    reference
        The operation itself if it runs on a layer's reference implementation.
    """

    name: str
    layers: tuple[int, ...]
    macs: int
    precision: str
    layout: str
    tiles: str
    bytes: int
    phases: tuple[int, int]
    reference: ReferenceOperation | None


class CompiledNetwork(Value):
    """Everything about a network that does not change from image to image; shared by all its threads and streams.

    Attributes
    ----------
    arena, scratch
        Bytes of the arena, and of the scratch memory of each thread.
    workers
        Addresses of `WorkerKernel`, `LeadKernel` and `HelperKernel`.
    """

    operations: tuple[LinkedOperation, ...]
    outputs: Mapping[int, PlanarTensor]
    program: Program
    constants: NDArray[np.uint8]
    arena: int
    scratch: int
    workers: tuple[int, int, int]


def compiled(
    network: Network,
    *,
    threads: int,
    outputs: Sequence[int],
    isa: Isa,
    progress: Progress | None = None,
    precision: "Precision" = "f32",
    quantization: "Quantization | None" = None,
) -> CompiledNetwork:
    """Plan, lay out, lower, compile, link and check a network."""
    isa = isa if precision == "f32" else permitted(isa)
    placement = placed(planned(network, outputs, isa, precision, quantization), file=str(network.cfg.file))
    outputs_, arena, pending = placement.plan.outputs, placement.arena, list(placement.plan.operations)
    del placement  # the operations in `pending` are the only ones that hold weights
    constants = Constants()
    phases: list[Sequence[Task]] = []
    operations: list[LinkedOperation] = []
    regions: list[Regions] = []
    scratch = 0
    for operation, lowered in _lowered(pending, isa, threads):
        operations.append(_linked(operation, lowered, len(phases)))
        phases += lowered.phases
        regions += [_regions(network, operation, lowered, arena)] * len(lowered.phases)
        scratch = max(scratch, lowered.scratch)
        constants.take(lowered.constants)
    tiled = AMX in (*isa.bf16, *isa.int8) and precision != "f32"
    workers = (WorkerKernel(tiled), LeadKernel(tiled), HelperKernel(tiled))
    addresses = compiler_for(isa).load([*kernels_of(phases), *workers], progress)
    program = link(phases, addresses)
    phases.clear()  # calls take more memory than the linked program
    buffer = constants.buffer()
    check(program, {address: kernel for kernel, address in addresses.items()}, regions, buffer)
    worker, lead, helper = (addresses[kernel] for kernel in workers)
    return CompiledNetwork(tuple(operations), outputs_, program, buffer, arena, scratch, (worker, lead, helper))


def _lowered(pending: list[Operation], isa: Isa, threads: int) -> Iterator[tuple[Operation, Lowered]]:
    """Lower all operations in order and empty the list, so that each operation's weights are released after they are packed."""
    size = 0
    pending.reverse()
    while pending:
        operation = pending.pop()
        lowered = operation.lower(LoweringContext(isa, threads, size))
        size += lowered.constants.size
        yield operation, lowered


def _linked(operation: Operation, lowered: Lowered, first_phase: int) -> LinkedOperation:
    out = operation.writes[0]
    return LinkedOperation(
        name=operation.name,
        layers=operation.layers,
        macs=operation.macs,
        precision=operation.precision,
        layout=f"c{out.lanes}" if isinstance(out, Tensor) else "planar",
        tiles=lowered.tiles,
        bytes=sum(buffer.size for buffer in (*operation.reads, *operation.writes)) + lowered.constants.size,
        phases=(first_phase, first_phase + len(lowered.phases)),
        reference=operation if isinstance(operation, ReferenceOperation) else None,
    )


def _regions(network: Network, operation: Operation, lowered: Lowered, arena: int) -> Regions:
    """What the calls of an operation may access: its constants, its scratch memory, its buffers."""
    section = network.layers[operation.layers[-1]].section if operation.layers and operation.layers[-1] >= 0 else None
    name = f"{section.file}:{section.line}: [{section.type}]" if section else f"{network.cfg.file}: [net]"
    for buffer in (*operation.reads, *operation.writes):
        if buffer.base == ARENA and not 0 <= buffer.offset <= arena - buffer.size:
            raise EngineError(f"{name} a buffer at byte {buffer.offset} of an arena of {arena} bytes: an error of yolodsc")
    reads = [(tagged_address(buffer.base, buffer.offset), buffer.size) for buffer in operation.reads]
    writes = [(tagged_address(buffer.base, buffer.offset), buffer.size) for buffer in operation.writes]
    constants = (tagged_address(CONSTANTS, lowered.constants.start), lowered.constants.size)
    return Regions(name, [constants, *reads], [(tagged_address(SCRATCH, 0), lowered.scratch), *writes])
