"""The layers that OpenCV 4 makes of a Darknet network: their names, types and sources.

OpenCV writes a convolution as up to three layers, and a route of several groups as one layer for each source. Numbers in names
follow its importer (``darknet_io.cpp``), so that names in scripts keep their meaning.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from yolodsc.arrays import Shape
from yolodsc.network import INPUT_INDEX, Layer, Network

Stage = Literal["product", "linear", "output", "slice", "crop", "permuted", "rows"]
"""What of a Darknet layer it is: before batch norm, before the activation, all of it, the group of one source of a route, a crop
before its adjustment, channels last, or rows of boxes."""

INPUT_NAME = "_input"
"""Name of layer 0."""

ACTIVATION_TYPES = {
    "relu": "ReLU", "leaky": "ReLU", "swish": "Swish", "silu": "Swish", "mish": "Mish", "logistic": "Sigmoid", "tanh": "TanH",
}  # fmt: skip
"""OpenCV's types of activations; those of others are their own names."""

_SIMPLE = {
    "maxpool": ("pool", "Pooling"),
    "avgpool": ("avgpool", "Pooling"),
    "softmax": ("softmax", "Softmax"),
    "reorg": ("reorg", "Reorg"),
    "upsample": ("upsample", "Resize"),
    "shortcut": ("shortcut", "Eltwise"),
    "sam": ("sam", "Eltwise"),
    "scale_channels": ("scale_channels", "Scale"),
    "dropout": ("identity", "Identity"),
    "cost": ("identity", "Identity"),
}
"""Names and types of sections that are one layer each."""


@dataclass(frozen=True, slots=True)
class DnnLayer:
    """One of OpenCV's layers.

    Attributes
    ----------
    name, type
        As OpenCV gives them.
    index
        The Darknet layer, -1 for the input.
    stage
        What of that layer it is.
    inputs
        Ids of the layers that it reads.
    shape
        Channels, height, width; for ``rows`` the number of rows and their length in the first two.
    flat
        Whether the output has two axes, (batch, channels).
    source
        The Darknet layer whose output it is made of, if that is not its own.
    """

    name: str
    type: str
    index: int
    stage: Stage
    inputs: tuple[int, ...]
    shape: Shape
    flat: bool = False
    source: int | None = None


@dataclass(slots=True)
class _Table:
    """The layers so far; ``number`` is the next number in a name."""

    layers: list[DnnLayer]
    number: int = 0

    def add(
        self,
        name: str,
        kind: str,
        layer: Layer,
        stage: Stage,
        *,
        inputs: Sequence[int] | None = None,
        shape: Shape | None = None,
        source: int | None = None,
    ) -> None:
        """Append a layer that reads ``inputs``, by default the layer before."""
        inputs = (len(self.layers) - 1,) if inputs is None else tuple(inputs)
        flat = layer.type == "connected" or (layer.type in _FLAT_KEPT and self.layers[inputs[0]].flat)
        self.layers.append(DnnLayer(name, kind, layer.index, stage, inputs, shape or layer.shape, flat, source))

    def finish(self) -> None:
        """End a numbered layer."""
        self.number += 1

    def source(self, index: int) -> int:
        """Id of the final layer of a Darknet layer."""
        final = (number for number in range(len(self.layers) - 1, -1, -1) if self.layers[number].index == index)
        return next(final, 0)


_FLAT_KEPT = frozenset({"softmax", "dropout", "cost", "route", "activation", "empty"})


def layer_table(network: Network) -> tuple[DnnLayer, ...]:
    """The layers of OpenCV by id; 0 is the input."""
    table = _Table([DnnLayer(INPUT_NAME, "__NetInputLayer__", INPUT_INDEX, "output", (), network.input_shape)])
    for layer in network.layers:
        _WRITERS.get(layer.type, _other)(table, layer)
    return tuple(table.layers)


def unconnected(table: Sequence[DnnLayer]) -> tuple[int, ...]:
    """Ids of the layers that no other reads."""
    read = {source for layer in table for source in layer.inputs}
    return tuple(number for number in range(1, len(table)) if number not in read)


def activation_of(layer: Layer) -> str:
    """The activation as the cfg writes it; ``linear`` without one."""
    name: str = getattr(layer, "activation", "linear")
    return name if name == "linear" else layer.section.text("activation", name) or name


def _product(table: _Table, layer: Layer) -> None:
    """A convolution or fully connected layer, with batch norm and activation as layers of their own."""
    word, kind = ("conv", "Convolution") if layer.type == "convolutional" else ("fullyConnected", "InnerProduct")
    normalized, activation = bool(getattr(layer, "batch_normalize", False)), activation_of(layer)
    last: Stage = "output" if activation == "linear" else "linear"
    table.add(f"{word}_{table.number}", kind, layer, "product" if normalized else last, inputs=[table.source(layer.sources[0])])
    if normalized:
        table.add(f"bn_{table.number}", "BatchNorm", layer, last)
    table.finish()
    _activation(table, layer, activation)


def _activation(table: _Table, layer: Layer, activation: str) -> None:
    if activation != "linear":
        table.add(f"{activation}_{table.number}", ACTIVATION_TYPES.get(activation, activation), layer, "output")


def _simple(table: _Table, layer: Layer) -> None:
    word, kind = _SIMPLE[layer.type]
    activation = activation_of(layer)
    inputs = [table.source(index) for index in layer.sources]
    if layer.type == "scale_channels":
        inputs.reverse()
    table.add(f"{word}_{table.number}", kind, layer, "output" if activation == "linear" else "linear", inputs=inputs)
    table.finish()
    _activation(table, layer, activation)


def _route(table: _Table, layer: Layer) -> None:
    sources = [table.source(index) for index in layer.sources]
    groups: int = layer.groups  # type: ignore[attr-defined]
    if groups > 1:
        slices = []
        for source, index, shape in zip(sources, layer.sources, layer.inputs, strict=True):
            part = Shape(shape.channels // groups, shape.height, shape.width)
            stage: Stage = "output" if len(sources) == 1 else "slice"
            table.add(
                f"slice_{table.number}",
                "Slice",
                layer,
                stage,
                inputs=[source],
                shape=part,
                source=index if stage == "slice" else None,
            )
            table.finish()
            slices.append(len(table.layers) - 1)
        sources = slices
        if len(sources) == 1:
            return
    word, kind = ("identity", "Identity") if len(sources) == 1 else ("concat", "Concat")
    table.add(f"{word}_{table.number}", kind, layer, "output", inputs=sources)
    table.finish()


def _crop(table: _Table, layer: Layer) -> None:
    adjusted = not layer.section.flag("noadjust")
    table.add(f"crop_{table.number}", "Slice", layer, "crop" if adjusted else "output")
    table.finish()
    if adjusted:
        table.add(f"adjust_crop_{table.number}", "Scale", layer, "output")
        table.finish()


def _head(table: _Table, layer: Layer) -> None:
    """A permutation to channels last, and the rows."""
    channels, height, width = layer.shape
    anchors: int = len(layer.anchors)  # type: ignore[attr-defined]
    source = table.source(layer.sources[0])
    table.add(f"permute_{table.number}", "Permute", layer, "permuted", inputs=[source], source=layer.sources[0])
    name = f"yolo_{table.number}" if layer.type == "yolo" else "detection_out"
    inputs = [len(table.layers) - 1, *([0] if layer.type == "yolo" else [])]
    rows = Shape(height * width * anchors, channels // anchors, 1)
    table.add(name, "Region", layer, "rows", inputs=inputs, shape=rows, source=layer.sources[0])
    table.finish()


def _other(table: _Table, layer: Layer) -> None:
    """A section that OpenCV does not read, under its own name."""
    inputs = [table.source(index) for index in layer.sources]
    table.add(f"{layer.type}_{table.number}", layer.type, layer, "output", inputs=inputs)
    table.finish()


_WRITERS = {
    **dict.fromkeys(_SIMPLE, _simple),
    "convolutional": _product,
    "connected": _product,
    "route": _route,
    "crop": _crop,
    "yolo": _head,
    "region": _head,
}
