"""Planning of detection heads."""

from msgspec.structs import replace

from yolodsc.engine.operations.planar import AffineRange, AffineRanges
from yolodsc.engine.plan.builder import PlanBuilder
from yolodsc.engine.plan.layout import PlanarTensor
from yolodsc.network import YoloLayer


def yolo(builder: PlanBuilder, layer: YoloLayer) -> None:
    """Add the activations of a ``[yolo]`` layer."""
    x = builder.planar(builder.graph.sources(layer.index)[0])
    y = PlanarTensor(layer.shape)
    entries = layer.shape.channels // len(layer.anchors)
    ranges = [
        replace(part, first=first + part.first)
        for first in range(0, layer.shape.channels, entries)
        for part in yolo_ranges(layer, entries)
    ]
    builder.add(AffineRanges("yolo", (layer.index,), 0, x, y, tuple(ranges)), y)


def yolo_ranges(layer: YoloLayer, entries: int) -> tuple[AffineRange, ...]:
    """The activations of the ``entries`` of one anchor, with ``scale_x_y`` for the centres."""
    activation = "linear" if layer.new_coords else "logistic"
    centre = AffineRange(0, 2, activation, layer.scale_x_y, -(layer.scale_x_y - 1) / 2)
    return centre, AffineRange(2, 2), AffineRange(4, entries - 4, activation)
