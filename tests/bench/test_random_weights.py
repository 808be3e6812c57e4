"""Random weights of a benchmark."""

from pathlib import Path

import numpy as np

from yolodsc.bench.subject import benchmark_image, random_network

FIRST = "[convolutional]\nfilters=16\nsize=1\nactivation=leaky\n"

BLOCK = """
[convolutional]
batch_normalize=1
filters=16
size=3
pad=1
activation=mish
[convolutional]
filters=16
size=3
pad=1
activation=leaky
[shortcut]
from=-3
activation=linear
"""


def test_a_deep_network_keeps_the_magnitude_of_its_signal(tmp_path: Path) -> None:
    """After 40 convolutions with shortcuts the outputs are of the order of 1, and a small change of the input stays small."""
    cfg = tmp_path / "deep.cfg"
    cfg.write_text(
        "[net]\nwidth=160\nheight=160\nchannels=16\n"
        + FIRST
        + BLOCK * 20
        + "[convolutional]\nfilters=8\nsize=1\nactivation=linear\n"
    )

    name, network = random_network(cfg)

    small = network.resized(64, 64)
    image = benchmark_image(small.input_shape)
    expected = small.forward(image)[-1]
    found = small.forward(image * np.float32(1 + 1e-4))[-1]
    assert name == "deep"
    assert 0.1 < expected.std() < 10
    assert np.abs(found - expected).max() < 0.01 * np.abs(expected).max()
