"""A training step beside PyTorch's: ``python tools/bench/training.py --cfg S.cfg --weights S.weights --size 224 --threads 1``.

Forward, backward and Adam on one batch, batch norm with constant or live statistics, both programs in turn in one process. PyTorch
runs its own modules (convolution, batch norm, activation in place) in either memory format; the quicker one counts.
"""

import argparse
import platform
from collections.abc import Callable, Sequence
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import numpy as np
import torch

from yolodsc.network.layers.convolutional import ConvolutionalLayer
from yolodsc.network.network import Network
from yolodsc.training.model.model import FROZEN, LIVE, Statistics, TrainingModel
from yolodsc.training.optimization.optimizer import Adam

ACTIVATIONS: dict[str, Callable[[], Any]] = {
    "linear": torch.nn.Identity,
    "leaky": lambda: torch.nn.LeakyReLU(0.1, inplace=True),
    "relu": lambda: torch.nn.ReLU(inplace=True),
    "relu6": lambda: torch.nn.ReLU6(inplace=True),
    "mish": lambda: torch.nn.Mish(inplace=True),
    "swish": lambda: torch.nn.SiLU(inplace=True),
    "logistic": torch.nn.Sigmoid,
}


class Peer(torch.nn.Module):
    """The network as PyTorch's users would write it."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network
        self.blocks = torch.nn.ModuleDict(
            {str(layer.index): _block(layer) for layer in network.layers if isinstance(layer, ConvolutionalLayer)}
        )
        for layer, weights in zip(network.layers, network.weights, strict=True):
            if isinstance(layer, ConvolutionalLayer):
                _fill(self.blocks[str(layer.index)], weights)
        self.eval()

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        """What goes into each head."""
        maps, heads = {-1: x}, []
        for layer in self.network.layers:
            inputs = [maps[source] for source in layer.sources]
            if layer.type == "convolutional":
                maps[layer.index] = self.blocks[str(layer.index)](inputs[0])
            elif layer.index in {head.index for head in self.network.heads}:
                heads.append(inputs[0])
                maps[layer.index] = inputs[0]
            else:
                maps[layer.index] = _plain(layer, inputs)
        return heads


def _block(layer: ConvolutionalLayer) -> torch.nn.Sequential:
    channels = layer.weight_shapes()["weights"][1] * layer.groups
    convolution = torch.nn.Conv2d(
        channels,
        layer.filters,
        layer.size,
        (layer.stride_y, layer.stride_x),
        layer.padding,
        layer.dilation,
        layer.groups,
        bias=not layer.batch_normalize,
    )
    norm = [torch.nn.BatchNorm2d(layer.filters)] if layer.batch_normalize else []
    return torch.nn.Sequential(convolution, *norm, ACTIVATIONS[layer.activation]())


def _fill(block: torch.nn.Module, weights: Any) -> None:
    tensors = {name: torch.tensor(array) for name, array in weights.items()}
    convolution, norm = block[0], block[1]
    with torch.no_grad():
        convolution.weight.copy_(tensors["weights"])
        if "scales" not in tensors:
            convolution.bias.copy_(tensors["biases"])
            return
        for own, name in zip(
            (norm.weight, norm.bias, norm.running_mean, norm.running_var),
            "scales biases rolling_mean rolling_variance".split(),
            strict=True,
        ):
            own.copy_(tensors[name])


def _plain(layer: Any, inputs: Sequence[torch.Tensor]) -> torch.Tensor:
    functional = torch.nn.functional
    if layer.type == "maxpool":
        before, after = layer.padding // 2, layer.padding - layer.padding // 2
        x = functional.pad(inputs[0], (before, after, before, after), value=-float("inf")) if after else inputs[0]
        return functional.max_pool2d(x, layer.size, (layer.stride_y, layer.stride_x))
    if layer.type == "upsample":
        return functional.interpolate(inputs[0], scale_factor=layer.stride)
    if layer.type == "shortcut":
        return inputs[0] + inputs[1]
    if layer.type == "route":
        parts = [x.chunk(layer.groups, dim=1)[layer.group_id] for x in inputs]
        return parts[0] if len(parts) == 1 else torch.cat(parts, dim=1)
    return inputs[0]


def ours(network: Network, images: np.ndarray, threads: int, statistics: Statistics) -> Callable[[], object]:
    """One step."""
    model = TrainingModel(network, outputs=[head.index for head in network.heads], threads=threads, statistics=statistics)
    optimizer = Adam(model.parameters)
    gradients = {index: np.full_like(out, 1e-3) for index, out in model.forward(images).items()}

    def step() -> None:
        model.forward(images)
        model.backward(gradients)
        optimizer.step(rate=1e-6)

    return step


def theirs(
    network: Network, images: np.ndarray, statistics: Statistics, memory_format: torch.memory_format
) -> Callable[[], object]:
    """One step."""
    peer = Peer(network).to(memory_format=memory_format).train(statistics is LIVE)
    optimizer = torch.optim.Adam(peer.parameters(), lr=1e-6)
    x = torch.tensor(images).to(memory_format=memory_format)
    gradients = [torch.full_like(out, 1e-3) for out in peer(x)]

    def step() -> None:
        optimizer.zero_grad()
        torch.autograd.backward(peer(x), gradients)
        optimizer.step()

    return step


def main() -> None:
    """Print a line for each program, in milliseconds a step (the least of all rounds), and the ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cfg", type=Path, required=True)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--size", type=int, default=None)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--statistics", type=Statistics, default=FROZEN, choices=list(Statistics))
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    network = Network.load(args.cfg, args.weights)
    side = args.size or network.input_shape.height
    images = np.random.default_rng(0).random((args.batch, 3, side, side), np.float32)
    steps = {
        "yolodsc": ours(network, images, args.threads, args.statistics),
        "torch": theirs(network, images, args.statistics, torch.contiguous_format),
        "torch channels_last": theirs(network, images, args.statistics, torch.channels_last),
    }
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in steps}
    for _ in range(args.rounds + 1):
        for name, step in steps.items():
            start, used = perf_counter(), process_time()
            step()
            times[name].append((perf_counter() - start, process_time() - used))
    best = {name: np.min(own[1:], axis=0) for name, own in times.items()}  # whatever else runs can only add
    machine = f"torch {torch.__version__}, {platform.machine()} {platform.system()}"
    print(
        f"{args.cfg.stem} {side}x{side}, batch {args.batch}, threads {args.threads}, {args.statistics.value} statistics; {machine}"
    )
    for name, (seconds, used) in best.items():
        print(f"  {name:20} {seconds * 1000:8.1f} ms  {args.batch / seconds:7.1f} images/s  {used * 1000:8.1f} ms of processors")
    ratio = np.minimum(best["torch"], best["torch channels_last"]) / best["yolodsc"]
    print(f"  ratio {ratio[0]:.2f}, of processor time {ratio[1]:.2f}", flush=True)


if __name__ == "__main__":
    main()
