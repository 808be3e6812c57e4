"""`TrainingModel`: a network that can be run forward and backward over batches, on several threads."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from enum import Enum
from types import TracebackType
from typing import Self

import numpy as np

from yolodsc.arrays import Array, Floats, Shape
from yolodsc.engine import single_threaded_blas
from yolodsc.errors import OptionError
from yolodsc.network import ConvolutionalLayer, Network
from yolodsc.training.layers.context import Scratch
from yolodsc.training.model.arrays import FoldedArrays, LayerArrays, LiveArrays
from yolodsc.training.model.graph import TrainingGraph
from yolodsc.training.model.microbatch import MicroBatch, Workspace, owner_of
from yolodsc.training.model.parameter import Parameter
from yolodsc.training.quantization.learned import LearnedQuantization
from yolodsc.training.quantization.tensors import TensorGroup

MICROBATCH = 8
"""Images at a time, whatever the number of threads, so that sums do not depend on it."""


class Statistics(Enum):
    """The mean and variance that batch norm uses."""

    FROZEN = "frozen"
    """The rolling statistics, as constants."""
    LIVE = "live"
    """The statistics of the batch; the rolling ones are updated."""


FROZEN, LIVE = Statistics.FROZEN, Statistics.LIVE


class TrainingModel:
    """A network in training.

    Parameters
    ----------
    outputs
        Indices of layers whose outputs `forward` returns and whose gradients `backward` takes. For a head it is the raw input.
    threads
        Number of Python threads, each with its own micro-batches; results do not depend on it.
    statistics
        Of batch norm.
    quantization
        Rounds weights and tensors in the forward pass and learns their scales; batch norm must be frozen.

    Attributes
    ----------
    parameters : list of Parameter
        In the order of layers.

    Raises
    ------
    YolodscError
        For layers that have no backward pass.
    """

    def __init__(
        self,
        network: Network,
        *,
        outputs: Sequence[int],
        threads: int = 1,
        statistics: Statistics = Statistics.FROZEN,
        quantization: LearnedQuantization | None = None,
    ) -> None:
        import scipy.linalg.cython_blas  # noqa: F401  # Numba's matrix products load it; a limit holds only for loaded libraries

        self._network, self._outputs, self._threads = network, tuple(outputs), threads
        self._statistics, self._quantization = statistics, quantization
        self._graph = TrainingGraph.of(network.layers, self._outputs)
        self._owned = {
            layer.index: self._arrays_of(layer.index)
            for layer in network.layers
            if layer.index in {owner_of(run) for run in self._graph.layers} and layer.weight_shapes()
        }
        self._arrays = {run.index: self._owned[owner_of(run)] for run in self._graph.layers if owner_of(run) in self._owned}
        # kernels in bytes read the scale of their input: scales of tensors come first
        self._owners: list[TensorGroup | LayerArrays] = [*(quantization.groups if quantization else ()), *self._owned.values()]
        self.parameters: list[Parameter] = [parameter for owner in self._owners for parameter in owner.parameters]
        self._shape: tuple[int, ...] = ()
        self._microbatches: list[MicroBatch] = []
        self._pool = ThreadPoolExecutor(threads) if threads > 1 else None

    def forward(self, images: Array) -> dict[int, Array]:
        """Return the outputs by layer index, (N, C, H, W) each, of images (N, C, H, W).

        Memory is planned at the first call and whenever the shape changes. Raises `OptionError` if the number of channels is not
        that of the cfg.
        """
        if images.shape != self._shape:
            self._plan(images.shape)
        for owner in self._owners:
            owner.refresh()
        self._each(lambda microbatch, stage: microbatch.forward(stage, images), self._microbatches[0].forward_stages)
        for arrays in self._live():
            arrays.update_rolling()
        return {index: np.concatenate([microbatch.output(index) for microbatch in self._microbatches]) for index in self._outputs}

    def backward(self, gradients: Mapping[int, Array]) -> None:
        """Compute the gradient of every parameter from those of the outputs of the last forward pass; missing ones are 0."""
        self._each(lambda microbatch, stage: microbatch.backward(stage, gradients), self._microbatches[0].backward_stages)
        for owner in self._owners:
            owner.collect()

    def batch_statistics(self) -> dict[int, tuple[Floats, Floats]]:
        """Return mean and variance (F,) of the last batch by layer index, where statistics are live."""
        return {index: arrays.statistics() for index, arrays in self._owned.items() if isinstance(arrays, LiveArrays)}

    def network(self) -> Network:
        """Return the network with copies of the present arrays."""
        weights = [
            {name: array.copy() for name, array in self._owned[layer.index].raw.items()} if layer.index in self._owned else own
            for layer, own in zip(self._network.layers, self._network.weights, strict=True)
        ]
        return self._network.with_weights(weights)

    def close(self) -> None:
        """End the threads."""
        if self._pool:
            self._pool.shutdown()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _arrays_of(self, index: int) -> LayerArrays:
        layer, weights = self._network.layers[index], self._network.weights[index]
        normalized = isinstance(layer, ConvolutionalLayer) and layer.batch_normalize
        if not normalized or self._statistics is Statistics.FROZEN:
            folded = FoldedArrays(layer, weights, self._network.profile) if normalized else LayerArrays(layer, weights)
            return self._quantization.arrays(index, folded) if self._quantization else folded
        for run in self._graph.layers:
            if owner_of(run) == index != run.index:
                raise run.section.error("with share_index cannot be trained on live statistics")
        return LiveArrays(layer, weights)

    def _live(self) -> list[LiveArrays]:
        return [arrays for arrays in self._owned.values() if isinstance(arrays, LiveArrays)]

    def _plan(self, shape: tuple[int, ...]) -> None:
        """Bind every micro-batch to its memory; the first one of a workspace is the largest and allocates it."""
        if len(shape) != 4 or shape[1] != self._network.input_shape.channels or shape[0] < 1:
            raise OptionError(f"images of {shape}; expected (N, {self._network.input_shape.channels}, H, W)")
        count, channels, height, width = shape
        self._graph = TrainingGraph.of(self._network.resized(height, width).layers, self._outputs)
        for owner in self._owners:
            owner.clear()
        starts = range(0, count, MICROBATCH)
        shared = self._statistics is Statistics.FROZEN  # live statistics stop every micro-batch half-way
        scratches = [Scratch() for _ in range(self._threads)]
        workspaces = [Workspace(scratches[i % self._threads]) for i in range(self._threads if shared else len(starts))]
        self._microbatches = [
            MicroBatch(
                self._graph,
                self._outputs,
                self._arrays,
                images=slice(start, min(start + MICROBATCH, count)),
                image=Shape(channels, height, width),
                workspace=workspaces[number % len(workspaces)],
                rounded=self._quantization.rounded if self._quantization else {},
            )
            for number, start in enumerate(starts)
        ]
        self._shape = shape

    def _each(self, work: Callable[[MicroBatch, int], None], stages: int) -> None:
        """Run every micro-batch, those of one thread in order, stage by stage, with BLAS on one thread."""

        def some(number: int, stage: int) -> None:
            for microbatch in self._microbatches[number :: self._threads]:
                work(microbatch, stage)

        with single_threaded_blas(), np.errstate(all="ignore"):
            for stage in range(stages):
                if self._pool is None:
                    some(0, stage)
                else:
                    list(self._pool.map(some, range(self._threads), [stage] * self._threads))
