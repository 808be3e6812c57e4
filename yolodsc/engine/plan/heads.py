"""Planning of detection heads."""

from yolodsc.engine.operations.planar import AffineRange, AffineRanges
from yolodsc.engine.plan.builder import PlanBuilder
from yolodsc.engine.plan.layout import PlanarTensor
from yolodsc.network import YoloLayer


def yolo(builder: PlanBuilder, layer: YoloLayer) -> None:
    """Add the activations of a ``[yolo]`` layer, with ``scale_x_y`` for the centres."""
    x = builder.planar(builder.graph.sources(layer.index)[0])
    y = PlanarTensor(layer.shape)
    entries = layer.shape.channels // len(layer.anchors)
    activation = "linear" if layer.new_coords else "logistic"
    centre = (activation, layer.scale_x_y, -(layer.scale_x_y - 1) / 2)
    ranges: list[AffineRange] = []
    for first in range(0, layer.shape.channels, entries):
        ranges += [AffineRange(first, 2, *centre), AffineRange(first + 2, 2), AffineRange(first + 4, entries - 4, activation)]
    builder.add(AffineRanges("yolo", (layer.index,), 0, x, y, tuple(ranges)), y)
