"""The fused runner: a compiled network with its buffers and threads."""

import os
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Self

import numpy as np

from yolodsc.arrays import Array, Shape
from yolodsc.engine.operations.planar import ReferenceOperation
from yolodsc.engine.plan.layout import ARENA, CONSTANTS, INPUT_BASE, SCRATCH, PlanarTensor
from yolodsc.engine.runtime.blas import single_threaded_blas
from yolodsc.engine.runtime.compiled import CompiledNetwork, LinkedOperation, compiled
from yolodsc.engine.runtime.entry import PlanEntry
from yolodsc.engine.runtime.head_activation import Activation, compiled_activation, reference_activation
from yolodsc.engine.runtime.program import Progress, aligned
from yolodsc.engine.runtime.thread_pool import ThreadPool
from yolodsc.errors import EngineError
from yolodsc.jit import ForkLock, Isa
from yolodsc.network import INPUT_INDEX, Head, Network, YoloLayer

if TYPE_CHECKING:
    from yolodsc.precision import Precision, Quantization


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
        precision: "Precision" = "f32",
        quantization: "Quantization | None" = None,
    ) -> None:
        """``shared``: what another runner of the same network, threads, outputs and precision compiled."""
        self.network = network
        self.threads = max(1, threads)
        self.isa = isa
        self.outputs = tuple(outputs)
        self.compiled = shared or compiled(
            network,
            threads=self.threads,
            outputs=outputs,
            isa=isa,
            progress=progress,
            precision=precision,
            quantization=quantization,
        )
        self._lock = ForkLock()
        self._process = 0
        self._image: Array = np.zeros(network.input_shape, np.float32)
        self._parts = _parts(self.compiled)
        self._hold = single_threaded_blas if any(reference for *_, reference in self._parts) else nullcontext
        self._open()

    def __call__(self, images: Array) -> dict[int, Array]:
        """Outputs by layer index for one image (C, H, W), or for a batch (N, C, H, W)."""
        layers = self.network.layers
        if images.shape[-3:] != self.network.input_shape or images.ndim not in (3, 4):
            raise ValueError(f"images of shape {images.shape}; expected {tuple(self.network.input_shape)}, or N of them")
        if images.ndim == 3:
            out = {index: np.empty(layers[index].shape, np.float32) for index in self.outputs}
            self._run(images, out)
            return out
        batch = {index: np.empty((len(images), *layers[index].shape), np.float32) for index in self.outputs}
        for number, image in enumerate(images):
            self._run(image, {index: array[number] for index, array in batch.items()})
        return batch

    def run_into(self, image: Array, out: Mapping[int, Array]) -> None:
        """See `Runner`."""
        if image.shape != self.network.input_shape:
            raise ValueError(f"image of shape {image.shape}; expected {tuple(self.network.input_shape)}")
        self._run(image, out)

    def activation(self, head: Head, x: Array, y: Array) -> Activation:
        """See `Runner`."""
        if isinstance(head, YoloLayer):
            return compiled_activation(self.isa, head, x, y)
        return reference_activation(head, x, y)

    def clone(self) -> Self:
        """Another runner of the same compiled network, with separate buffers and threads."""
        return type(self)(self.network, threads=self.threads, outputs=self.outputs, isa=self.isa, shared=self.compiled)

    def entries(self) -> list[PlanEntry]:
        """The plan: one entry per operation, in order."""
        return [
            PlanEntry(
                name=operation.name,
                layers=operation.layers,
                shape=self._shape(operation),
                layout=operation.layout,
                tile=operation.tiles,
                macs=operation.macs,
                precision=operation.precision,
                bytes=operation.bytes,
                run=partial(self._repeat, operation),
            )
            for operation in self.compiled.operations
        ]

    def _shape(self, operation: LinkedOperation) -> Shape:
        index = operation.layers[-1] if operation.layers else INPUT_INDEX
        return self.network.input_shape if index == INPUT_INDEX else self.network.layers[index].shape

    def close(self) -> None:
        """Release threads and memory."""
        with self._lock.held():
            self._pool.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def array(self, tensor: PlanarTensor) -> Array:
        """A planar tensor as an array (C, H, W)."""
        if tensor.base != ARENA:
            return self._image
        return self._arena[tensor.offset : tensor.offset + tensor.size].view(np.float32).reshape(tensor.shape)

    def _open(self) -> None:
        """Allocate arena and scratch memory, start the threads, fill their tables of bases."""
        self._process = os.getpid()
        sizes = [self.compiled.arena, *[self.compiled.scratch] * self.threads]
        try:
            self._arena, *self._scratch = map(aligned, sizes)
        except MemoryError:
            raise EngineError(f"{self.network.cfg.file}: no memory for tensors of {sum(sizes) / 1e9:.1f} GB") from None
        bases = np.zeros((self.threads, 8), np.int64)
        for row, scratch in zip(bases, self._scratch, strict=True):
            row[[CONSTANTS, ARENA, INPUT_BASE, SCRATCH]] = [
                array.ctypes.data for array in (self.compiled.constants, self._arena, self._image, scratch)
            ]
        self._bases = bases
        self._pool = ThreadPool(self.compiled.program, self.compiled.workers, bases)

    def _run(self, image: Array, out: Mapping[int, Array]) -> None:
        with self._lock.held(), self._hold():
            if self._process != os.getpid():
                self._open()
            self._image = np.ascontiguousarray(image, np.float32)  # read in place: a copy takes 2 to 5 % of small networks
            self._bases[:, INPUT_BASE] = self._image.ctypes.data
            for first, last, reference in self._parts:
                self._pool.run(first, last)
                if reference is not None:
                    self._run_reference(reference)
            for index, array in out.items():
                array[:] = self.array(self.compiled.outputs[index])

    def _repeat(self, operation: LinkedOperation) -> None:
        with self._lock.held(), self._hold():
            if operation.reference:
                self._run_reference(operation.reference)
            else:
                self._pool.run(*operation.phases)

    def _run_reference(self, operation: ReferenceOperation) -> None:
        inputs = [self.array(tensor) for tensor in operation.inputs]
        with np.errstate(all="ignore"):
            self.array(operation.y)[:] = operation.forward(inputs)


def _parts(network: CompiledNetwork) -> list[tuple[int, int, ReferenceOperation | None]]:
    """Ranges of phases, each followed by a reference operation or nothing."""
    parts: list[tuple[int, int, ReferenceOperation | None]] = []
    start = 0
    for operation in network.operations:
        if operation.reference:
            parts.append((start, operation.phases[0], operation.reference))
            start = operation.phases[0]
    return [*parts, (start, len(network.program.phases), None)]
