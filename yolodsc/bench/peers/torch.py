"""PyTorch in eager mode: oneDNN's convolutions, batch norm folded, no compiler."""

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

from yolodsc.arrays import Array
from yolodsc.bench.job import Job
from yolodsc.bench.peers.engine import Engine
from yolodsc.bench.subject import required_layers
from yolodsc.errors import OptionError
from yolodsc.network import (
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

LayerFunction = Callable[[Sequence[Any]], Any]


class Torch(Engine):
    """A list of closures over tensors."""

    distribution = "torch"

    def __init__(self, job: Job) -> None:
        self.torch: Any = import_module("torch")
        self.torch.set_num_threads(job.threads)
        network = Network.load(job.cfg, job.weights, allow_nonfinite=True)
        layers = required_layers(network, job.outputs)
        self.operations = [
            (layer.index, layer.sources, _operation(self.torch, layer, network.weights[layer.index])) for layer in layers
        ]
        self.outputs = job.outputs

    def __call__(self, image: Array) -> list[Array]:
        """Run."""
        with self.torch.inference_mode():
            tensors = {-1: self.torch.from_numpy(image)[None]}
            for index, sources, operation in self.operations:
                tensors[index] = operation([tensors[source] for source in sources])
            return [tensors[index].numpy() for index in self.outputs]


def _operation(torch: Any, layer: Layer, weights: Weights) -> LayerFunction:
    """The closure of one layer."""
    functional = torch.nn.functional
    operation: LayerFunction
    match layer:
        case ConvolutionalLayer(ordinary=True, dilation=1):
            operation = _convolution(torch, layer, weights)
        case MaxpoolLayer(maxpool_depth=0, antialiasing=0):
            operation = _maxpool(functional, layer)
        case ShortcutLayer(weights_type="none", alpha=1.0, beta=1.0) if set(layer.inputs) == {layer.shape}:
            operation = _combination(torch, layer.activation, lambda inputs: sum(inputs[1:], start=inputs[0]))
        case ScaleChannelsLayer(scale_wh=False):
            operation = _combination(torch, layer.activation, lambda inputs: inputs[0] * inputs[1])
        case UpsampleLayer(scale=1.0) if layer.stride > 0:
            scale = layer.stride
            operation = lambda inputs: functional.interpolate(inputs[0], scale_factor=scale, mode="nearest")  # noqa: E731
        case RouteLayer():
            operation = _route(torch, layer)
        case AvgpoolLayer():
            operation = lambda inputs: inputs[0].mean(dim=(2, 3), keepdim=True)  # noqa: E731
        case Layer(type="dropout" | "empty"):
            operation = lambda inputs: inputs[0]  # noqa: E731
        case _:
            raise OptionError(f"layer {layer.index} [{layer.type}] with these options is not written for torch")
    return operation


def _combination(torch: Any, activation: str, combine: LayerFunction) -> LayerFunction:
    activate = _activation(torch, activation)
    return lambda inputs: activate(combine(inputs))


def _route(torch: Any, layer: RouteLayer) -> LayerFunction:
    part, count = layer.group_id, layer.groups
    if len(layer.inputs) * count == 1:
        return lambda inputs: inputs[0]
    return lambda inputs: torch.cat([x.chunk(count, dim=1)[part] for x in inputs], dim=1)


def _convolution(torch: Any, layer: ConvolutionalLayer, weights: Weights) -> LayerFunction:
    kernel, bias = (torch.from_numpy(array.copy()) for array in folded(layer, weights))
    stride = (layer.stride_y, layer.stride_x)
    activate = _activation(torch, layer.activation)
    convolve = torch.nn.functional.conv2d
    return lambda inputs: activate(convolve(inputs[0], kernel, bias, stride=stride, padding=layer.padding, groups=layer.groups))


def _maxpool(functional: Any, layer: MaxpoolLayer) -> LayerFunction:
    (height, width), before = layer.inputs[0][1:], layer.padding // 2
    right = max(0, (layer.shape.width - 1) * layer.stride_x + layer.size - width - before)
    bottom = max(0, (layer.shape.height - 1) * layer.stride_y + layer.size - height - before)
    stride = (layer.stride_y, layer.stride_x)
    if before == right == bottom:
        return lambda inputs: functional.max_pool2d(inputs[0], layer.size, stride, before)
    padding = (before, right, before, bottom)
    return lambda inputs: functional.max_pool2d(functional.pad(inputs[0], padding, value=float("-inf")), layer.size, stride)


def _activation(torch: Any, name: str) -> Callable[[Any], Any]:
    functional = torch.nn.functional
    known: dict[str, Callable[[Any], Any]] = {
        "linear": lambda x: x,
        "leaky": lambda x: functional.leaky_relu(x, 0.1, inplace=True),
        "relu": lambda x: functional.relu(x, inplace=True),
        "relu6": lambda x: functional.relu6(x, inplace=True),
        "swish": lambda x: functional.silu(x, inplace=True),
        "mish": lambda x: functional.mish(x, inplace=True),
        "logistic": torch.sigmoid,
    }
    if name not in known:
        raise OptionError(f"activation={name} is not written for torch")
    return known[name]
