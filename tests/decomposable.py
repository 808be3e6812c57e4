"""Networks whose convolutions can be decomposed, for tests."""

import numpy as np

from yolodsc.arrays import Array
from yolodsc.darknet.cfg import parse_cfg
from yolodsc.network.network import Network

CHAIN = """
[net]
width=24
height=20
channels=3
[convolutional]
batch_normalize=1
filters=8
size=3
pad=1
activation=leaky
[maxpool]
size=2
stride=2
[convolutional]
batch_normalize=1
filters=16
size=3
pad=1
activation=leaky
[convolutional]
filters=12
size=1
activation=linear
"""

TANGLED = """
[net]
width=16
height=16
channels=4
[convolutional]
batch_normalize=1
filters=8
size=3
stride=2
pad=1
activation=mish
[convolutional]
filters=8
size=3
pad=1
groups=2
activation=relu
[shortcut]
from=-2
activation=linear
[convolutional]
filters=8
size=5
padding=2
activation=leaky
[route]
layers=-1,0
[convolutional]
filters=6
size=3
pad=1
dilation=2
activation=linear
[route]
layers=1
[convolutional]
filters=8
size=3
stride_x=2
stride_y=1
pad=1
activation=leaky
"""


def network(text: str, *, seed: int = 0) -> Network:
    """A network with random weights of sensible size."""
    random = np.random.default_rng(seed)
    blank = Network.build(parse_cfg(text))
    arrays = []
    for layer in blank.layers:
        new = {}
        for name, shape in layer.weight_shapes().items():
            values = random.standard_normal(shape) / np.sqrt(np.prod(shape[1:]))
            new[name] = (np.abs(values) + 0.5 if name in ("scales", "rolling_variance") else values).astype(np.float32)
        arrays.append(new)
    return blank.with_weights(arrays)


def shown(net: Network, *, count: int = 24, seed: int = 1) -> Array:
    """Smooth random images."""
    c, h, w = net.input_shape
    noise = np.random.default_rng(seed).random((count, c, h + 2, w + 2))
    return sum(noise[:, :, y : y + h, x : x + w] for y in range(3) for x in range(3)).astype(np.float32) / 9


def outputs(net: Network, images: Array) -> list[Array]:
    """The last layer's output for each image, on the reference kernels."""
    return [net.forward(image)[-1] for image in images]
