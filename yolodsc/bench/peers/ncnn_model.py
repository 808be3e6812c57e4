"""A network as ncnn's ``.param`` and ``.bin``: batch norm folded, activations inside convolutions if ncnn has them there.

Source: ncnn's ``docs/developer-guide/operators.md`` and ``param-and-model-file-structure.md``. A blob has one reader only: if
several layers read it, a ``Split`` gives it several names.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from yolodsc.bench.subject import required_layers
from yolodsc.errors import OptionError
from yolodsc.network import (
    INPUT_INDEX,
    AvgpoolLayer,
    ConvolutionalLayer,
    Layer,
    MaxpoolLayer,
    Network,
    RouteLayer,
    ScaleChannelsLayer,
    ShortcutLayer,
    UpsampleLayer,
    Weights,
    folded,
)

INPUT = "image"
INSIDE = {"relu": "9=1", "leaky": "9=2 -23310=1,0.1", "relu6": "9=3 -23310=2,0,6", "logistic": "9=4", "mish": "9=5"}
ALONE = {"relu": "ReLU", "leaky": "ReLU 0=0.1", "relu6": "Clip 0=0 1=6", "logistic": "Sigmoid", "mish": "Mish", "swish": "Swish"}


def output(index: int) -> str:
    """Name of the blob that returns a layer's feature map."""
    return f"out{index}"


def write(network: Network, outputs: Sequence[int], *, param: Path, binary: Path) -> None:
    """Write the pair; an `OptionError` names a layer that has no counterpart in ncnn."""
    model = _Model(network, tuple(outputs))
    for layer in required_layers(network, tuple(outputs)):
        model.add(layer, network.weights[layer.index])
    blobs = sum(int(line.split()[3]) for line in model.lines)
    param.write_text(f"7767517\n{len(model.lines)} {blobs}\n" + "".join(line + "\n" for line in model.lines))
    binary.write_bytes(b"".join(model.data))


@dataclass
class _Model:
    """Lines and bytes of the two files."""

    network: Network
    outputs: tuple[int, ...]
    lines: list[str] = field(default_factory=list)
    data: list[bytes] = field(default_factory=list)
    unread: dict[int, list[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.readers = Counter(source for layer in required_layers(self.network, self.outputs) for source in layer.sources)
        self._line("Input", [], [INPUT])
        self._split(INPUT_INDEX, INPUT)

    def add(self, layer: Layer, weights: Weights) -> None:
        """Add one layer, with the activation and the copies that ncnn needs."""
        inputs = [self.unread[source].pop(0) for source in layer.sources]
        names = self._names(layer.index)
        blob = names[0] if len(names) == 1 else f"map{layer.index}"
        match layer:
            case ConvolutionalLayer(ordinary=True, dilation=1):
                kind, options = self._convolution(layer, weights)
                inside = INSIDE.get(layer.activation, "")
                self._with_activation(kind, inputs, blob, f"{options} {inside}".strip(), "linear" if inside else layer.activation)
            case ShortcutLayer(weights_type="none", alpha=1.0, beta=1.0) if set(layer.inputs) == {layer.shape} and len(inputs) == 2:
                self._with_activation("BinaryOp", inputs, blob, "0=0", layer.activation)
            case ScaleChannelsLayer(scale_wh=False):
                self._with_activation("BinaryOp", inputs[::-1], blob, "0=2", layer.activation)
            case MaxpoolLayer(maxpool_depth=0, antialiasing=0):
                self._line("Pooling", inputs, [blob], _pooling(layer))
            case AvgpoolLayer():
                self._line("Pooling", inputs, [f"{blob}_flat"], "0=1 4=1")
                self._line("Reshape", [f"{blob}_flat"], [blob], f"0=1 1=1 2={layer.shape.channels}")
            case UpsampleLayer(scale=1.0) if layer.stride > 0:
                self._line("Interp", inputs, [blob], f"0=1 1={layer.stride} 2={layer.stride}")
            case RouteLayer(groups=1):
                self._line("Concat" if len(inputs) > 1 else "Noop", inputs, [blob], "0=0" if len(inputs) > 1 else "")
            case RouteLayer() if len(inputs) == 1:
                first = layer.group_id * layer.shape.channels
                self._line("Crop", inputs, [blob], f"-23309=1,{first} -23310=1,{first + layer.shape.channels} -23311=1,0")
            case Layer(type="dropout" | "empty"):
                self._line("Noop", inputs, [blob])
            case _:
                raise OptionError(f"layer {layer.index} [{layer.type}] with these options is not written for ncnn")
        self._split(layer.index, blob)

    def _convolution(self, layer: ConvolutionalLayer, weights: Weights) -> tuple[str, str]:
        kernel, bias = folded(layer, weights)
        self.data += [b"\0\0\0\0", kernel.astype("<f4").tobytes(), bias.astype("<f4").tobytes()]  # 0: float32 follows
        size = f"0={layer.filters} 1={layer.size} 3={layer.stride_x} 13={layer.stride_y} 4={layer.padding}"
        return (
            "Convolution" if layer.groups == 1 else "ConvolutionDepthWise",
            f"{size} 5=1 6={kernel.size}" + (f" 7={layer.groups}" if layer.groups > 1 else ""),
        )

    def _with_activation(self, kind: str, inputs: Sequence[str], blob: str, options: str, activation: str) -> None:
        """Add a layer, and its activation as a separate layer if it has one."""
        if activation == "linear":
            self._line(kind, inputs, [blob], options)
            return
        if activation not in ALONE:
            raise OptionError(f"activation={activation} is not written for ncnn")
        self._line(kind, inputs, [f"{blob}_raw"], options)
        kind, *parameters = ALONE[activation].split()
        self._line(kind, [f"{blob}_raw"], [blob], " ".join(parameters))

    def _names(self, index: int) -> list[str]:
        """Names of a feature map's copies: one for each reader, and one for the output."""
        names = [f"map{index}_{number}" for number in range(self.readers[index])]
        return [*names, output(index)] if index in self.outputs else names

    def _split(self, index: int, blob: str) -> None:
        names = self._names(index) if index != INPUT_INDEX or self.readers[INPUT_INDEX] > 1 else [blob]
        if names != [blob]:
            self._line("Split", [blob], names)
        self.unread[index] = names

    def _line(self, kind: str, inputs: Sequence[str], outputs: Sequence[str], options: str = "") -> None:
        words = [kind, f"l{len(self.lines)}", str(len(inputs)), str(len(outputs)), *inputs, *outputs, options]
        self.lines.append(" ".join(words).rstrip())


def _pooling(layer: MaxpoolLayer) -> str:
    """Maximum with Darknet's padding, which may differ left and right; ncnn pads with the smallest number."""
    (height, width), before = layer.inputs[0][1:], layer.padding // 2
    right = max(0, (layer.shape.width - 1) * layer.stride_x + layer.size - width - before)
    bottom = max(0, (layer.shape.height - 1) * layer.stride_y + layer.size - height - before)
    window = f"0=0 1={layer.size} 2={layer.stride_x} 12={layer.stride_y}"
    return f"{window} 3={before} 13={before} 14={right} 15={bottom} 5=1"
