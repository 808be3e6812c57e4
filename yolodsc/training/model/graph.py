"""Which layers a training step runs, on images of which size, and where gradients must go."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from yolodsc.network import INPUT_INDEX, Layer, RouteLayer
from yolodsc.training.layers import PASSING, check


@dataclass(frozen=True, slots=True)
class TrainingGraph:
    """The layers that outputs depend on, without those that pass their input on.

    Attributes
    ----------
    layers
        What runs, in order.
    roots
        For each layer index the index of the layer whose map it is: its own but for layers that pass on.
    trained
        Indices (and roots) that depend on trainable arrays: gradients go no further back.
    """

    layers: tuple[Layer, ...]
    roots: Mapping[int, int]
    trained: frozenset[int]

    @classmethod
    def of(cls, layers: Sequence[Layer], outputs: Sequence[int]) -> "TrainingGraph":
        """A `YolodscError` for layers without a backward pass."""
        needed = set(outputs)
        for layer in reversed(layers):
            if layer.index in needed:
                needed.update(layer.sources)
        roots, trained, run = {INPUT_INDEX: INPUT_INDEX}, set(), []
        for layer in layers:
            if layer.index not in needed:
                continue
            check(layer)
            passes = layer.type in PASSING or (isinstance(layer, RouteLayer) and len(layer.sources) == layer.groups == 1)
            roots[layer.index] = roots[layer.sources[0]] if passes else layer.index
            if layer.type == "convolutional" or any(roots[source] in trained for source in layer.sources):
                trained.add(roots[layer.index])
            if not passes:
                run.append(layer)
        return cls(tuple(run), roots, frozenset(trained))

    def sources(self, layer: Layer) -> list[int]:
        """Roots of what a layer reads."""
        return [self.roots[source] for source in layer.sources]
