"""Operations and memory of layers as OpenCV counts them (``getFLOPS`` of each layer class)."""

from collections.abc import Sequence
from math import prod

from yolodsc.cv2dnn.layer_table import DnnLayer
from yolodsc.network import Network

PER_OUTPUT = {"BatchNorm": 3, "ReLU": 1, "TanH": 1, "Mish": 3, "Swish": 3, "Sigmoid": 3, "Softmax": 4, "Reorg": 21}
"""Operations for each value of the output."""

REGION = 60
"""Operations for each value that a region layer reads."""


def flops(layer: DnnLayer, table: Sequence[DnnLayer], network: Network, *, batch: int) -> int:
    """Operations of a layer for a batch."""
    count = batch * layer.shape.size
    sources = [batch * table[number].shape.size for number in layer.inputs]
    own = network.layers[layer.index] if layer.index >= 0 else None
    area = getattr(own, "size", 1) ** 2
    shape = own.inputs[0] if own else layer.shape
    special = {
        "Convolution": count * (2 * area * shape.channels + 1),
        "InnerProduct": count * 3 * shape.size,
        "Pooling": count * (area if own and own.type == "maxpool" else shape.height * shape.width + 1),
        "Eltwise": count * len(sources),
        "Scale": 2 * sum(sources),
        "Region": REGION * sum(sources),
    }
    return special.get(layer.type, PER_OUTPUT.get(layer.type, 0) * count)


def memory(table: Sequence[DnnLayer], network: Network, *, batch: int) -> tuple[int, int]:
    """Bytes of all weights, anchors included, and of all outputs."""
    weights = sum(array.size for arrays in network.weights for array in arrays.values())
    weights += sum(2 * len(getattr(head, "anchors", ())) for head in network.heads)
    return 4 * weights, 4 * batch * sum(layer.shape.size for layer in table)


def output_shape(layer: DnnLayer, *, batch: int) -> tuple[int, ...]:
    """Shape of a layer's output for a batch, as OpenCV gives it."""
    channels, height, width = layer.shape
    if layer.stage == "rows":
        return (channels, height) if batch == 1 else (batch, channels, height)
    if layer.flat:
        return batch, prod(layer.shape)
    if layer.stage == "permuted":
        return batch, height, width, channels
    return batch, channels, height, width
