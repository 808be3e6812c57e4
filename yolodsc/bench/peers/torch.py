"""PyTorch, layer by layer as a program in it would run: oneDNN's convolutions, batch norm folded, no compiler."""

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

from yolodsc.arrays import Array
from yolodsc.bench.job import Job
from yolodsc.bench.peers.engine import Engine
from yolodsc.bench.subject import needed
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

Step = Callable[[Sequence[Any]], Any]


class Torch(Engine):
    """A list of closures over tensors."""

    distribution = "torch"

    def __init__(self, job: Job) -> None:
        self.torch: Any = import_module("torch")
        self.torch.set_num_threads(job.threads)
        network = Network.load(job.cfg, job.weights)
        layers = needed(network, job.outputs)
        self.steps = [(layer.index, layer.sources, _step(self.torch, layer, network.weights[layer.index])) for layer in layers]
        self.outputs = job.outputs

    def __call__(self, image: Array) -> list[Array]:
        """Run."""
        with self.torch.inference_mode():
            maps = {-1: self.torch.from_numpy(image)[None]}
            for index, sources, step in self.steps:
                maps[index] = step([maps[source] for source in sources])
            return [maps[index].numpy() for index in self.outputs]


def _step(torch: Any, layer: Layer, weights: Weights) -> Step:
    """What one layer does."""
    functional = torch.nn.functional
    step: Step
    match layer:
        case ConvolutionalLayer(ordinary=True, dilation=1):
            step = _convolution(torch, layer, weights)
        case MaxpoolLayer(maxpool_depth=0, antialiasing=0):
            step = _maxpool(functional, layer)
        case ShortcutLayer(weights_type="none", alpha=1.0, beta=1.0) if set(layer.inputs) == {layer.shape}:
            step = _combination(torch, layer.activation, lambda inputs: sum(inputs[1:], start=inputs[0]))
        case ScaleChannelsLayer(scale_wh=False):
            step = _combination(torch, layer.activation, lambda inputs: inputs[0] * inputs[1])
        case UpsampleLayer(scale=1.0) if layer.stride > 0:
            scale = layer.stride
            step = lambda inputs: functional.interpolate(inputs[0], scale_factor=scale, mode="nearest")  # noqa: E731
        case RouteLayer():
            step = _route(torch, layer)
        case AvgpoolLayer():
            step = lambda inputs: inputs[0].mean(dim=(2, 3), keepdim=True)  # noqa: E731
        case Layer(type="dropout" | "empty"):
            step = lambda inputs: inputs[0]  # noqa: E731
        case _:
            raise OptionError(f"layer {layer.index} [{layer.type}] with these options is not written for torch")
    return step


def _combination(torch: Any, activation: str, combine: Step) -> Step:
    bend = _activation(torch, activation)
    return lambda inputs: bend(combine(inputs))


def _route(torch: Any, layer: RouteLayer) -> Step:
    part, count = layer.group_id, layer.groups
    if len(layer.inputs) * count == 1:
        return lambda inputs: inputs[0]
    return lambda inputs: torch.cat([x.chunk(count, dim=1)[part] for x in inputs], dim=1)


def _convolution(torch: Any, layer: ConvolutionalLayer, weights: Weights) -> Step:
    kernel, bias = (torch.from_numpy(array.copy()) for array in folded(layer, weights))
    stride = (layer.stride_y, layer.stride_x)
    bend = _activation(torch, layer.activation)
    convolve = torch.nn.functional.conv2d
    return lambda inputs: bend(convolve(inputs[0], kernel, bias, stride=stride, padding=layer.padding, groups=layer.groups))


def _maxpool(functional: Any, layer: MaxpoolLayer) -> Step:
    (height, width), margin = layer.inputs[0][1:], layer.padding // 2
    right = max(0, (layer.shape.width - 1) * layer.stride_x + layer.size - width - margin)
    bottom = max(0, (layer.shape.height - 1) * layer.stride_y + layer.size - height - margin)
    stride = (layer.stride_y, layer.stride_x)
    if margin == right == bottom:
        return lambda inputs: functional.max_pool2d(inputs[0], layer.size, stride, margin)
    margins = (margin, right, margin, bottom)
    return lambda inputs: functional.max_pool2d(functional.pad(inputs[0], margins, value=float("-inf")), layer.size, stride)


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
