"""A few images of a batch, with their feature maps, gradients and operations."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from yolodsc.arrays import Array, Shape, aligned_zeros
from yolodsc.engine import shared_offsets
from yolodsc.network import INPUT_INDEX, ConvolutionalLayer, Layer
from yolodsc.training.layers import training_operation
from yolodsc.training.layers.context import GradientTarget, LayerContext, Scratch, TrainingOperation
from yolodsc.training.layers.convolution import normalised_convolution
from yolodsc.training.model.arrays import LayerArrays, LiveArrays
from yolodsc.training.model.graph import TrainingGraph
from yolodsc.training.quantization.rounding import round_backward, round_tensor
from yolodsc.training.quantization.tensors import TensorGroup

_LINE = 16
"""float32 elements of a cache line: every gradient begins on one."""


class Workspace:
    """Memory that micro-batches of one thread use in turn: gradients of feature maps, and the scratch of the thread."""

    def __init__(self, scratch: Scratch) -> None:
        self.scratch = scratch
        self._memory = np.empty(0, np.float32)

    def memory(self, count: int) -> Array:
        """Return at least ``count`` elements, the same for every micro-batch; the largest micro-batch must call first."""
        if count > len(self._memory):
            self._memory = aligned_zeros(count)
        return self._memory


class _Steps(NamedTuple):
    """What one layer computes for a micro-batch; each step needs the step before to be complete for the whole batch."""

    forward: tuple[Callable[[], None], ...]
    backward: tuple[Callable[[], None], ...]


def _stages(layers: Iterable[tuple[Callable[[], None], ...]]) -> list[list[Callable[[], None]]]:
    """Return the steps in order, divided where micro-batches must wait for each other."""
    stages: list[list[Callable[[], None]]] = [[]]
    for first, *others in layers:
        stages[-1].append(first)
        stages.extend([step] for step in others)
    return stages


class MicroBatch:
    """Images [start, stop) of the batch, bound to the memory of a workspace."""

    def __init__(
        self,
        graph: TrainingGraph,
        outputs: Sequence[int],
        arrays: Mapping[int, LayerArrays],
        *,
        images: slice,
        image: Shape,
        workspace: Workspace,
        rounded: Mapping[int, TensorGroup],
    ) -> None:
        self.images = images
        self._graph, self._arrays, self._workspace = graph, arrays, workspace
        self._count = images.stop - images.start
        self._outputs = list(dict.fromkeys(graph.roots[index] for index in outputs))
        self._maps = {INPUT_INDEX: self._map(image)}
        for layer in graph.layers:
            self._maps[layer.index] = self._map(layer.shape)
        self._groups = {index: group for index, group in rounded.items() if index in self._maps}
        self._read = self._maps | {index: np.zeros_like(self._maps[index]) for index in self._groups}
        self._gradients = self._plan_gradients()
        self._written = {root for root in self._outputs if root in graph.trained}
        bound = [(layer, self._bind(layer)) for layer in reversed(graph.layers)]
        # in reverse order: the first operation that writes a gradient stores it, the others add to it
        self._forward = _stages([steps.forward for _, steps in reversed(bound)])
        self._backward = _stages([steps.backward for layer, steps in bound if layer.index in graph.trained])
        self.forward_stages, self.backward_stages = len(self._forward), len(self._backward)

    def forward(self, stage: int, images: Array) -> None:
        """Fill feature maps from the batch (N, C, H, W); a stage begins when all micro-batches have ended the stage before."""
        if stage == 0:
            self._maps[INPUT_INDEX][:] = images[self.images].transpose(1, 0, 2, 3)
            self._round(INPUT_INDEX)
        for step in self._forward[stage]:
            step()

    def output(self, index: int) -> Array:
        """Return the output (n, C, H, W) of a layer, a view."""
        return self._read[self._graph.roots[index]].transpose(1, 0, 2, 3)

    def backward(self, stage: int, gradients: Mapping[int, Array]) -> None:
        """Fill the gradients of all arrays from those of outputs (N, C, H, W), stage by stage."""
        if stage == 0:
            self._begin(gradients)
        for step in self._backward[stage]:
            step()

    def _begin(self, gradients: Mapping[int, Array]) -> None:
        for root in self._outputs:
            if root in self._gradients:
                self._gradients[root].fill(0)
        for index, gradient in gradients.items():
            if self._graph.roots[index] in self._gradients:
                self._gradients[self._graph.roots[index]] += gradient[self.images].transpose(1, 0, 2, 3)

    def _map(self, shape: Shape) -> Array:
        return aligned_zeros(shape.channels, self._count, shape.height, shape.width)

    def _plan_gradients(self) -> dict[int, Array]:
        """A gradient is alive from its last reader (from the end for outputs) back to the layer itself."""
        end = max(self._graph.roots) + 1
        lives = {root: (root, end) for root in self._outputs if root in self._graph.trained}
        for layer in self._graph.layers:
            for source in self._graph.sources(layer):
                if source in self._graph.trained and layer.index in self._graph.trained:
                    lives[source] = (source, max(layer.index, lives.get(source, (0, 0))[1]))
        maps = {index: self._maps[index] for index in sorted(lives)}
        offsets, count = shared_offsets({index: -(-x.size // _LINE) * _LINE for index, x in maps.items()}, lives)
        memory = self._workspace.memory(count)
        return {index: memory[offsets[index] : offsets[index] + x.size].reshape(x.shape) for index, x in maps.items()}

    def _bind(self, layer: Layer) -> _Steps:
        empty = np.empty(0, np.float32)
        targets = tuple(self._target(source) for source in self._graph.sources(layer))
        arrays = self._arrays.get(layer.index)
        context: LayerContext[Any] = LayerContext(
            layer,
            tuple(self._read[source] for source in self._graph.sources(layer)),
            self._maps[layer.index],
            self._gradients.get(layer.index, empty),
            targets if layer.index in self._graph.trained else tuple(None for _ in targets),
            self._workspace.scratch,
            arrays.used if arrays else {},
            arrays.slot() if arrays else {},
        )
        if isinstance(arrays, LiveArrays):
            live = normalised_convolution(context, arrays.moments)
            return _Steps(live.forward_steps, live.backward_steps)
        plain = training_operation(context)
        if layer.index in self._groups:
            return self._rounding(layer.index, plain)
        return _Steps((plain.forward,), (plain.backward,))

    def _rounding(self, index: int, operation: TrainingOperation) -> _Steps:
        """The operation, whose output is rounded to bytes for its readers, and whose gradient passes through the rounding first."""
        slot, gradient = self._groups[index].slot(), self._gradients.get(index)

        def forward() -> None:
            operation.forward()
            self._round(index)

        def backward() -> None:
            if gradient is not None:
                slot[0] = round_backward(gradient, self._maps[index], self._groups[index].scale)
            operation.backward()

        return _Steps((forward,), (backward,))

    def _round(self, index: int) -> None:
        """Fill what the readers of a tensor see, if it is stored in bytes."""
        if index in self._groups:
            round_tensor(self._maps[index], self._groups[index].scale, self._read[index])

    def _target(self, source: int) -> GradientTarget | None:
        if source not in self._gradients:
            return None
        target = GradientTarget(self._gradients[source], accumulate=source in self._written)
        self._written.add(source)
        return target


def owner_of(layer: Layer) -> int:
    """Return the index of the layer whose arrays a layer uses: its own, except with ``share_index``."""
    shared_index = layer.share_index if isinstance(layer, ConvolutionalLayer) else None
    return layer.index if shared_index is None else shared_index
