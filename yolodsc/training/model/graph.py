"""The layers that a training step runs, and the layers that gradients must reach."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from yolodsc.network import INPUT_INDEX, Layer, RouteLayer
from yolodsc.training.layers import IDENTITY_LAYERS, require_trainable


@dataclass(frozen=True, slots=True)
class TrainingGraph:
    """The layers that outputs depend on, without identity layers.

    Attributes
    ----------
    layers
        The layers that run, in order.
    roots
        For each layer index the index of the layer that computes its feature map: its own, except for identity layers.
    trained
        Roots that depend on trainable arrays; others need no gradient.
    """

    layers: tuple[Layer, ...]
    roots: Mapping[int, int]
    trained: frozenset[int]

    @classmethod
    def of(cls, layers: Sequence[Layer], outputs: Sequence[int]) -> "TrainingGraph":
        """Return the graph for outputs by index; raise `YolodscError` for layers without a backward pass."""
        needed = set(outputs)
        for layer in reversed(layers):
            if layer.index in needed:
                needed.update(layer.sources)
        roots, trained, executed = {INPUT_INDEX: INPUT_INDEX}, set(), []
        for layer in layers:
            if layer.index not in needed:
                continue
            require_trainable(layer)
            identity = layer.type in IDENTITY_LAYERS or (isinstance(layer, RouteLayer) and len(layer.sources) == layer.groups == 1)
            roots[layer.index] = roots[layer.sources[0]] if identity else layer.index
            if layer.type == "convolutional" or any(roots[source] in trained for source in layer.sources):
                trained.add(roots[layer.index])
            if not identity:
                executed.append(layer)
        return cls(tuple(executed), roots, frozenset(trained))

    def sources(self, layer: Layer) -> list[int]:
        """Return the roots of the inputs of a layer."""
        return [self.roots[source] for source in layer.sources]
