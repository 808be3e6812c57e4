"""The same network in PyTorch, float64, as the oracle of gradients."""

from typing import Any

import numpy as np

from yolodsc.network.layer import INPUT_INDEX, Layer
from yolodsc.network.layers.convolutional import ConvolutionalLayer
from yolodsc.network.network import Network

Outcome = tuple[dict[int, np.ndarray], dict[tuple[int, str], np.ndarray]]


def outcome(network: Network, images: np.ndarray, gradients: dict[int, np.ndarray], *, live: bool = False) -> Outcome:
    """Outputs (raw for heads), and gradients by layer and name, of the sum of outputs times ``gradients``."""
    import torch

    torch.set_num_threads(1)  # several wait for each other, for minutes where the machine is busy
    arrays: list[dict[str, Any]] = []
    for layer, weights in zip(network.layers, network.weights, strict=True):
        shared = layer.share_index if isinstance(layer, ConvolutionalLayer) else None
        own = {k: torch.tensor(v.astype(np.float64), requires_grad=not k.startswith("rolling")) for k, v in weights.items()}
        arrays.append(own if shared is None else arrays[shared])
    maps: dict[int, Any] = {INPUT_INDEX: torch.tensor(images.astype(np.float64))}
    for layer, own in zip(network.layers, arrays, strict=True):
        maps[layer.index] = _run(layer, [maps[source] for source in layer.sources], own, live)
    loss = sum((maps[index] * torch.tensor(g.astype(np.float64))).sum() for index, g in gradients.items())
    loss.backward()
    found = {
        (index, name): tensor.grad.numpy()
        for index, own in enumerate(arrays)
        for name, tensor in own.items()
        if tensor.grad is not None and own is arrays[index]
    }
    return {index: maps[index].detach().numpy() for index in gradients}, found


def _run(layer: Layer, inputs: list[Any], own: dict[str, Any], live: bool) -> Any:
    return _LAYERS[layer.type](layer, inputs, own, live)


def _convolutional(layer: Any, inputs: list[Any], own: dict[str, Any], live: bool) -> Any:
    from torch.nn import functional

    options = {"stride": (layer.stride_y, layer.stride_x), "dilation": layer.dilation, "groups": layer.groups}
    x = functional.conv2d(inputs[0], own["weights"], padding=layer.padding * layer.dilation, **options)
    x = x[:, :, : layer.shape.height, : layer.shape.width]
    return _activate(_normalised(layer, x, own, live), layer.activation)


def _normalised(layer: Any, x: Any, own: dict[str, Any], live: bool) -> Any:
    import torch

    column = (slice(None), None, None)
    if "scales" not in own:
        return x + own["biases"][column]
    mean, variance = own["rolling_mean"], own["rolling_variance"]
    if live:
        mean, variance = x.mean(dim=(0, 2, 3)), x.var(dim=(0, 2, 3), unbiased=False)
    if layer.profile.batch_norm == "variance":
        deviation = torch.sqrt(variance + layer.profile.batch_norm_epsilon)
    else:
        deviation = torch.sqrt(variance) + layer.profile.batch_norm_epsilon
    return (x - mean[column]) / deviation[column] * own["scales"][column] + own["biases"][column]


def _activate(x: Any, name: str) -> Any:
    import torch
    from torch.nn import functional

    functions = {
        "linear": lambda x: x,
        "leaky": lambda x: functional.leaky_relu(x, 0.1),
        "relu": torch.relu,
        "relu6": functional.relu6,
        "logistic": torch.sigmoid,
        "swish": functional.silu,
        "mish": functional.mish,
        "tanh": torch.tanh,
        "hard_mish": lambda x: torch.where(x > 0, x, torch.where(x > -2, x * x / 2 + x, x * 0)),
        "elu": functional.elu,
        "gelu": lambda x: 0.5 * x * (1 + torch.tanh(0.797885 * x + 0.035677 * x**3)),
    }
    return functions[name](x)


def _maxpool(layer: Any, inputs: list[Any], own: dict[str, Any], live: bool) -> Any:
    from torch.nn import functional

    before = layer.padding // 2
    rows = (layer.shape.height - 1) * layer.stride_y + layer.size - before - inputs[0].shape[2]
    columns = (layer.shape.width - 1) * layer.stride_x + layer.size - before - inputs[0].shape[3]
    x = functional.pad(inputs[0], (before, max(columns, 0), before, max(rows, 0)), value=-float("inf"))
    return functional.max_pool2d(x, layer.size, (layer.stride_y, layer.stride_x))


def _route(layer: Any, inputs: list[Any], own: dict[str, Any], live: bool) -> Any:
    import torch

    return torch.cat([x.chunk(layer.groups, dim=1)[layer.group_id] for x in inputs], dim=1)


def _shortcut(layer: Any, inputs: list[Any], own: dict[str, Any], live: bool) -> Any:
    from torch.nn import functional

    out = inputs[0] * layer.alpha
    for x in inputs[1:]:
        common = min(x.shape[1], out.shape[1])
        out = out + functional.pad(x[:, :common] * layer.beta, (0, 0, 0, 0, 0, out.shape[1] - common))
    return _activate(out, layer.activation)


def _upsample(layer: Any, inputs: list[Any], own: dict[str, Any], live: bool) -> Any:
    return inputs[0].repeat_interleave(layer.stride, 2).repeat_interleave(layer.stride, 3) * layer.scale


def _reorg(layer: Any, inputs: list[Any], own: dict[str, Any], live: bool) -> Any:
    (x,), s = inputs, layer.stride
    n, c, h, w = x.shape
    if layer.reverse:
        return x.reshape(n, s, s, c // s**2, h, w).permute(0, 3, 4, 1, 5, 2).reshape(n, *layer.shape)
    return x.reshape(n, c // s**2, h, s, w, s).permute(0, 3, 5, 1, 2, 4).reshape(n, *layer.shape)


_LAYERS = {
    "convolutional": _convolutional,
    "maxpool": _maxpool,
    "route": _route,
    "shortcut": _shortcut,
    "upsample": _upsample,
    "reorg": _reorg,
    "activation": lambda layer, inputs, own, live: _activate(inputs[0], layer.activation),
    "avgpool": lambda layer, inputs, own, live: inputs[0].mean(dim=(2, 3), keepdim=True),
    "scale_channels": lambda layer, inputs, own, live: _activate(inputs[0] * inputs[1], layer.activation),
    "sam": lambda layer, inputs, own, live: _activate(inputs[0] * inputs[1], layer.activation),
    "dropout": lambda layer, inputs, own, live: inputs[0],
    "yolo": lambda layer, inputs, own, live: inputs[0],
    "region": lambda layer, inputs, own, live: inputs[0],
}
