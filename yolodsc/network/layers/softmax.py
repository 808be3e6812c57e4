"""``[softmax]``: class probabilities of a classifier (``softmax_layer.c``)."""

from collections.abc import Sequence
from typing import ClassVar, Self

from yolodsc.arrays import Array
from yolodsc.darknet import Section
from yolodsc.network.class_tree import ClassTree, softmax, tree_of
from yolodsc.network.layer import Layer, Preceding, Weights


class SoftmaxLayer(Layer, kw_only=True):
    """Softmax within each of ``groups`` equal runs of the flattened input, or within each group of siblings of a tree."""

    type: ClassVar[str] = "softmax"
    training: ClassVar[frozenset[str]] = frozenset({"noloss", "spatial"})

    groups: int
    temperature: float
    tree: ClassTree | None

    @classmethod
    def build(cls, section: Section, preceding: Preceding) -> Self:
        """Darknet: ``parser.c: parse_softmax``."""
        groups = section.integer("groups", 1, minimum=1)
        temperature = section.number("temperature", 1.0)
        size = preceding.input.size
        if size % groups:
            raise section.error(f"groups={groups} must divide {size} inputs", key="groups")
        if temperature == 0:
            raise section.error("temperature=0; expected a value other than 0", key="temperature")
        tree = tree_of(section, classes=size)
        return cls(**preceding.fields(section, preceding.input), groups=groups, temperature=temperature, tree=tree)

    def forward(self, inputs: Sequence[Array], weights: Weights) -> Array:
        """Darknet: ``forward_softmax_layer``."""
        (x,) = inputs
        if self.tree:
            return self.tree.softmax(x.reshape(-1), temperature=self.temperature).reshape(self.shape)
        columns = x.reshape(self.groups, -1).T
        return softmax(columns, temperature=self.temperature).T.reshape(self.shape)
