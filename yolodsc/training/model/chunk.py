"""A few images with everything that happens to them: maps, gradients, operations."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from yolodsc.arrays import Array, Shape
from yolodsc.network import INPUT_INDEX, ConvolutionalLayer, Layer
from yolodsc.training.layers import normalised_operation, operation
from yolodsc.training.layers.context import GradientTarget, LayerContext, Scratch
from yolodsc.training.model.arrays import LayerArrays, LiveArrays
from yolodsc.training.model.graph import TrainingGraph
from yolodsc.training.model.memory import cut, shared


class Workspace:
    """What the chunks of one thread use one after the other: gradients of maps, and scratch."""

    def __init__(self) -> None:
        self.scratch = Scratch()
        self._memory = np.empty(0, np.float32)

    def memory(self, count: int) -> Array:
        """At least ``count`` numbers; the same for every chunk, so the largest chunk must ask first."""
        if count > len(self._memory):
            self._memory = np.zeros(count, np.float32)
        return self._memory


class _Steps(NamedTuple):
    """What one layer does to a chunk; before each step but the first, all chunks must have done the one before."""

    forward: tuple[Callable[[], None], ...]
    backward: tuple[Callable[[], None], ...]


def _stages(layers: Iterable[tuple[Callable[[], None], ...]]) -> list[list[Callable[[], None]]]:
    """Steps in a row, cut where chunks must wait for each other."""
    stages: list[list[Callable[[], None]]] = [[]]
    for first, *others in layers:
        stages[-1].append(first)
        stages.extend([step] for step in others)
    return stages


class Chunk:
    """Images [start, stop) of the batch, bound to the memory of a lane."""

    def __init__(
        self,
        graph: TrainingGraph,
        outputs: Sequence[int],
        arrays: Mapping[int, LayerArrays],
        *,
        images: slice,
        image: Shape,
        lane: Workspace,
    ) -> None:
        self.images = images
        self._graph, self._arrays, self._lane = graph, arrays, lane
        self._count = images.stop - images.start
        self._outputs = list(dict.fromkeys(graph.roots[index] for index in outputs))
        self._maps = {INPUT_INDEX: self._map(image)}
        for layer in graph.layers:
            self._maps[layer.index] = self._map(layer.shape)
        self._gradients = self._plan_gradients()
        self._written = {root for root in self._outputs if root in graph.trained}
        bound = [(layer, self._bind(layer)) for layer in reversed(graph.layers)]
        # backwards: the first to write a gradient stores it, the others add
        self._forward = _stages([steps.forward for _, steps in reversed(bound)])
        self._backward = _stages([steps.backward for layer, steps in bound if layer.index in graph.trained])
        self.forward_stages, self.backward_stages = len(self._forward), len(self._backward)

    def forward(self, stage: int, images: Array) -> None:
        """Fill maps from the batch (N, C, H, W): the first ``stage`` when all chunks are at their beginning, and so on."""
        if stage == 0:
            self._maps[INPUT_INDEX][:] = images[self.images].transpose(1, 0, 2, 3)
        for step in self._forward[stage]:
            step()

    def output(self, index: int) -> Array:
        """(n, C, H, W) of a layer, a view."""
        return self._maps[self._graph.roots[index]].transpose(1, 0, 2, 3)

    def backward(self, stage: int, gradients: Mapping[int, Array]) -> None:
        """Fill the slots of all arrays from the gradients (N, C, H, W) of outputs, stage by stage."""
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
        return np.zeros((shape.channels, self._count, shape.height, shape.width), np.float32)

    def _plan_gradients(self) -> dict[int, Array]:
        """A gradient lives from its last reader (at the end for outputs) back to the layer itself."""
        end = len(self._graph.roots) + 10**6
        lives = {root: (root, end) for root in self._outputs if root in self._graph.trained}
        for layer in self._graph.layers:
            for source in self._graph.sources(layer):
                if source in self._graph.trained and layer.index in self._graph.trained:
                    lives[source] = (source, max(layer.index, lives.get(source, (0, 0))[1]))
        shapes = {index: self._maps[index].shape for index in lives}
        offsets, count = shared(shapes, lives)
        memory = self._lane.memory(count)
        return {index: cut(memory, offsets[index], shape) for index, shape in shapes.items()}

    def _bind(self, layer: Layer) -> _Steps:
        nothing = np.empty(0, np.float32)
        targets = tuple(self._target(source) for source in self._graph.sources(layer))
        own = self._arrays.get(layer.index)
        place: LayerContext[Any] = LayerContext(
            layer,
            tuple(self._maps[source] for source in self._graph.sources(layer)),
            self._maps[layer.index],
            self._gradients.get(layer.index, nothing),
            targets if layer.index in self._graph.trained else tuple(None for _ in targets),
            self._lane.scratch,
            own.used if own else {},
            own.slot() if own else {},
        )
        if isinstance(own, LiveArrays):
            live = normalised_operation(place, own.moments)
            return _Steps(live.forward_steps, live.backward_steps)
        plain = operation(place)
        return _Steps((plain.forward,), (plain.backward,))

    def _target(self, source: int) -> GradientTarget | None:
        if source not in self._gradients:
            return None
        target = GradientTarget(self._gradients[source], add=source in self._written)
        self._written.add(source)
        return target


def share_of(layer: Layer) -> int:
    """Index of the layer whose arrays this one uses: its own but for ``share_index``."""
    shared_index = layer.share_index if isinstance(layer, ConvolutionalLayer) else None
    return layer.index if shared_index is None else shared_index
