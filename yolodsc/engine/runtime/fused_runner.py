"""The fused runner: a plan laid out, written down and compiled, with as many threads as asked for."""

import os
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from yolodsc.arrays import Array
from yolodsc.engine.crew import Crew
from yolodsc.engine.operations.operation import LoweringContext, Operation
from yolodsc.engine.operations.planes import ReferenceOperation
from yolodsc.engine.plan.arena import Buffer, lay_out, lives_of
from yolodsc.engine.plan.builder import Plan
from yolodsc.engine.plan.layout import ARENA, CONSTANTS, INPUT_BASE, MOST_BYTES, SCRATCH, PlanarTensor, Tensor, tagged_address
from yolodsc.engine.plan.planner import planned
from yolodsc.engine.runtime.blas import held
from yolodsc.engine.runtime.bounds import Room, check
from yolodsc.engine.runtime.entry import PlanEntry
from yolodsc.engine.runtime.program import Constants, Program, Task, aligned, assemble, kernels_of
from yolodsc.engine.runtime.thread_pool import HelperKernel, LeadKernel, WorkerKernel
from yolodsc.errors import EngineError
from yolodsc.jit import ForkLock, Isa, compiler_for
from yolodsc.network import Network

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class CompiledNetwork:
    """Everything about a network that does not change from image to image; shared by all its threads and streams.

    Attributes
    ----------
    spans
        For each operation of the plan, first and last + 1 of its rows on the tape (a phase each); empty for plain layers.
    """

    plan: Plan
    tape: Program
    spans: tuple[tuple[int, int], ...]
    sizes: tuple[int, ...]
    constants: NDArray[np.uint8]
    arena: int
    scratch: int
    drivers: tuple[int, int, int]


def program(
    network: Network, *, threads: int, outputs: Sequence[int], isa: Isa, progress: Progress | None = None
) -> CompiledNetwork:
    """Plan, lay out, write down, compile."""
    plan = planned(network, outputs, isa)
    uses: list[tuple[Sequence[Buffer], Sequence[Buffer]]] = [(op.reads, op.writes) for op in plan.operations]
    arena = lay_out(lives_of([*uses, (list(plan.outputs.values()), [])]))
    if arena >= MOST_BYTES:
        raise EngineError(
            f"{network.cfg.file}: maps and their padding take {arena / 1e12:.0f} TB; wanted less than {MOST_BYTES / 1e12:.0f}"
        )
    site = LoweringContext(isa, threads, Constants())
    phases: list[list[Task]] = []
    spans: list[tuple[int, int]] = []
    sizes: list[int] = []
    rooms: list[Room] = []
    scratch = 0
    for operation in plan.operations:
        before, site.scratch = site.constants.size, 0
        written = [] if isinstance(operation, ReferenceOperation) else operation.phases(site)
        spans.append((len(phases), len(phases) + len(written)))
        sizes.append(site.constants.size - before)
        phases += written
        rooms += [_room(network, operation, (before, sizes[-1]), site.scratch, arena)] * len(written)
        scratch = max(scratch, site.scratch)
        operation.forget()
    drivers = (WorkerKernel(), LeadKernel(), HelperKernel())
    addresses = compiler_for(isa).load([*kernels_of(phases), *drivers], progress)
    tape = assemble(phases, addresses)
    constants = site.constants.buffer()
    check(tape, {address: kernel for kernel, address in addresses.items()}, rooms, constants)
    worker, lead, helper = (addresses[driver] for driver in drivers)
    return CompiledNetwork(plan, tape, tuple(spans), tuple(sizes), constants, arena, scratch, (worker, lead, helper))


def _room(network: Network, operation: Operation, constants: tuple[int, int], scratch: int, arena: int) -> Room:
    """What the calls of an operation may touch: its own constants and private space, its maps and planes."""
    first, size = constants
    section = network.layers[operation.layers[-1]].section if operation.layers and operation.layers[-1] >= 0 else None
    name = f"{section.file}:{section.line}: [{section.type}]" if section else f"{network.cfg.file}: [net]"
    for buffer in (*operation.reads, *operation.writes):
        if buffer.base == ARENA and not 0 <= buffer.offset <= arena - buffer.size:
            raise EngineError(f"{name} a buffer at byte {buffer.offset} of an arena of {arena} bytes: an error of yolodsc")
    reads = [(tagged_address(buffer.base, buffer.offset), buffer.size) for buffer in operation.reads]
    writes = [(tagged_address(buffer.base, buffer.offset), buffer.size) for buffer in operation.writes]
    return Room(name, [(tagged_address(CONSTANTS, first), size), *reads], [(tagged_address(SCRATCH, 0), scratch), *writes])


class FusedRunner:
    """Runs one network; may be called from several Python threads, one call running at a time."""

    streams = 1

    def __init__(
        self,
        network: Network,
        *,
        threads: int,
        outputs: Sequence[int],
        isa: Isa,
        progress: Progress | None = None,
        shared: CompiledNetwork | None = None,
    ) -> None:
        """``shared``: the program of another runner of the same network, threads and outputs."""
        self.network = network
        self.threads = max(1, threads)
        self.isa = isa
        self.outputs = tuple(outputs)
        self.program = shared or program(network, threads=self.threads, outputs=outputs, isa=isa, progress=progress)
        self._lock = ForkLock()
        self._process = 0
        self._image: Array = np.zeros(network.input_shape, np.float32)
        self._parts = _parts(self.program)
        self._hold = held if any(plain for *_, plain in self._parts) else nullcontext
        self._open()

    def __call__(self, images: Array) -> dict[int, Array]:
        """Outputs by layer index for one image (C, H, W), or for a batch (N, C, H, W)."""
        layers = self.network.layers
        if images.shape[-3:] != self.network.input_shape or images.ndim not in (3, 4):
            raise ValueError(f"images of shape {images.shape}; wanted {tuple(self.network.input_shape)}, or N of them")
        if images.ndim == 3:
            out = {index: np.empty(layers[index].shape, np.float32) for index in self.outputs}
            self._run(images, out)
            return out
        batch = {index: np.empty((len(images), *layers[index].shape), np.float32) for index in self.outputs}
        for number, image in enumerate(images):
            self._run(image, {index: array[number] for index, array in batch.items()})
        return batch

    def twin(self) -> Self:
        """Another runner of the same program, with buffers and threads of its own."""
        return type(self)(self.network, threads=self.threads, outputs=self.outputs, isa=self.isa, shared=self.program)

    def entries(self) -> list[PlanEntry]:
        """The plan: an entry an operation, in order."""
        made = self.program
        return [
            PlanEntry(
                name=operation.name,
                layers=operation.layers,
                shape=self.network.layers[operation.layers[-1]].shape if operation.layers else self.network.input_shape,
                layout=f"c{place.lanes}" if isinstance(place := operation.writes[0], Tensor) else "planes",
                tile=operation.detail,
                macs=operation.macs,
                bytes=sum(buffer.size for buffer in (*operation.reads, *operation.writes)) + size,
                run=partial(self._again, operation, span),
            )
            for operation, span, size in zip(made.plan.operations, made.spans, made.sizes, strict=True)
        ]

    def close(self) -> None:
        """Release threads and memory."""
        with self._lock.held():
            self._crew.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _open(self) -> None:
        """Arena, threads, their tables of bases."""
        self._process = os.getpid()
        sizes = [self.program.arena, *[self.program.scratch] * self.threads]
        try:
            self._arena, *self._scratch = map(aligned, sizes)
        except MemoryError:
            raise EngineError(f"{self.network.cfg.file}: no memory for maps of {sum(sizes) / 1e9:.1f} GB") from None
        bases = np.zeros((self.threads, 8), np.int64)
        for row, scratch in zip(bases, self._scratch, strict=True):
            row[[CONSTANTS, ARENA, INPUT_BASE, SCRATCH]] = [
                array.ctypes.data for array in (self.program.constants, self._arena, self._image, scratch)
            ]
        self._bases = bases
        self._crew = Crew(self.program.tape, self.program.drivers, bases)

    def _run(self, image: Array, out: dict[int, Array]) -> None:
        with self._lock.held(), self._hold():
            if self._process != os.getpid():
                self._open()
            self._image = np.ascontiguousarray(image, np.float32)  # read where it lies: a copy takes 2 to 5 % of small networks
            self._bases[:, INPUT_BASE] = self._image.ctypes.data
            for first, last, plain in self._parts:
                self._crew.run(first, last)
                if plain is not None:
                    self._reference(plain)
            for index, array in out.items():
                array[:] = self.array(self.program.plan.outputs[index])

    def _again(self, operation: Operation, span: tuple[int, int]) -> None:
        with self._lock.held(), self._hold():
            if isinstance(operation, ReferenceOperation):
                self._reference(operation)
            else:
                self._crew.run(*span)

    def array(self, plane: PlanarTensor) -> Array:
        """A plane as an array."""
        if plane.base != ARENA:
            return self._image
        return self._arena[plane.offset : plane.offset + plane.size].view(np.float32).reshape(plane.shape)

    def _reference(self, operation: ReferenceOperation) -> None:
        inputs = [self.array(plane) for plane in operation.inputs]
        with np.errstate(all="ignore"):
            self.array(operation.y)[:] = operation.forward(inputs)


def _parts(made: CompiledNetwork) -> list[tuple[int, int, ReferenceOperation | None]]:
    """Runs of native operations, each followed by a plain layer or nothing."""
    parts: list[tuple[int, int, ReferenceOperation | None]] = []
    start = 0
    for operation, (first, _) in zip(made.plan.operations, made.spans, strict=True):
        if isinstance(operation, ReferenceOperation):
            parts.append((start, first, operation))
            start = first
    return [*parts, (start, len(made.tape.operations), None)]
