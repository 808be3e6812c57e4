"""Small networks from text, for tests."""

import numpy as np

from yolodsc.arrays import Array
from yolodsc.darknet.cfg import parse_cfg
from yolodsc.darknet.profile import ALEXEYAB, Profile
from yolodsc.network.network import Network


def network(
    layers: str, *, channels: int = 3, height: int = 8, width: int = 8, profile: Profile = ALEXEYAB, seed: int = 0
) -> Network:
    """A network with random weights; layers as ``type key=value …`` lines."""
    text = f"[net]\nchannels={channels}\nheight={height}\nwidth={width}\n"
    for line in layers.strip().splitlines():
        kind, *options = line.split()
        text += "\n".join([f"[{kind}]", *options, ""])
    built = Network.build(parse_cfg(text, file="test.cfg"), profile=profile)
    rng = np.random.default_rng(0)
    return built.with_weights([{name: _random(rng, name, array) for name, array in own.items()} for own in built.weights])


def image(network: Network, *, seed: int = 1) -> Array:
    """Random numbers of both signs in the shape that the network reads."""
    return np.random.default_rng(seed).standard_normal(network.input_shape).astype(np.float32)


def last(network: Network, x: Array) -> Array:
    """The reference's output of the last layer."""
    return network.forward(x)[-1]


def _random(rng: np.random.Generator, name: str, array: Array) -> Array:
    if name == "rolling_variance":
        return rng.uniform(0.3, 2, array.shape).astype(np.float32)
    scale = 1.0 if array.ndim < 2 else (array[0].size) ** -0.5
    return (scale * rng.standard_normal(array.shape)).astype(np.float32)
