"""``[route]``: concatenation of earlier outputs, or of one group of their channels (``route_layer.c``)."""

from collections.abc import Iterator, Sequence
from typing import ClassVar, Self

import numpy as np

from yolodsc.arrays import Array, Shape
from yolodsc.darknet import Section
from yolodsc.network.layer import Layer, Preceding, Weights


class RouteLayer(Layer, kw_only=True):
    """Channels of the listed layers in this order; with ``groups``, slice ``group_id`` of each."""

    type: ClassVar[str] = "route"
    training: ClassVar[frozenset[str]] = frozenset({"stream", "wait_stream", "receptive_only"})

    groups: int
    group_id: int

    @classmethod
    def build(cls, section: Section, preceding: Preceding) -> Self:
        """Darknet: ``parser.c: parse_route``. ``[route_lhalf]`` of yolor is the first of two groups."""
        listed = section.layer_indices("layers")
        if not listed:
            raise section.error("names no layers; expected layers=…")
        sources = tuple(preceding.resolve(section, "layers", index) for index in listed)
        groups = section.integer("groups", 2 if section.type == "route_lhalf" else 1, minimum=1)
        group_id = section.integer("group_id", 0, minimum=0)
        if group_id >= groups:
            raise section.error(f"group_id={group_id} of groups={groups}; expected 0 to {groups - 1}", key="group_id")
        shapes = [preceding.shape(index) for index in sources]
        for index, shape in zip(sources, shapes, strict=True):
            if shape[1:] != shapes[0][1:]:
                found = f"layer {index} is {shape} and layer {sources[0]} is {shapes[0]}"
                raise section.error(f"{found}; expected equal heights and widths", key="layers")
            if shape.channels % groups:
                raise section.error(f"groups={groups} must divide {shape.channels} channels", key="groups")
        channels = sum(shape.channels for shape in shapes) // groups
        shape = Shape(channels, shapes[0].height, shapes[0].width)
        return cls(**preceding.fields(section, shape, sources=sources), groups=groups, group_id=group_id)

    def remarks(self, layers: Sequence[Layer]) -> Iterator[str]:
        """Remarks on items that Darknet counts by commas, and on sources whose size it overestimates."""
        yield from self.section.stray_commas("layers")
        for index in self.sources:
            if index >= 0 and layers[index].blurred:
                read = "Darknet takes its size before that and reads beyond its output"
                yield f"layer {index} is read as it is after its antialiasing; {read}"

    def forward(self, inputs: Sequence[Array], weights: Weights) -> Array:
        """Darknet: ``forward_route_layer``."""
        slices = [np.split(x, self.groups)[self.group_id] for x in inputs]
        return np.concatenate(slices)
