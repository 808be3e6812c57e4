"""Pairs of files for the tests of conversion."""

from pathlib import Path

from tests.networks import network
from yolodsc.network.network import Network

TINY = """
convolutional filters=6 size=3 pad=1 batch_normalize=1 activation=leaky
convolutional filters=6 size=3 pad=1 groups=6 activation=linear
convolutional filters=14 activation=linear
yolo classes=2 num=2 mask=0,1 anchors=1,2,3,4
"""


def pair(folder: Path, layers: str = TINY, *, name: str = "tiny") -> Path:
    """Write a network with random weights as ``NAME.cfg`` and ``NAME.weights``; return the path of the cfg."""
    return pair_of(network(layers), folder, name=name)


def pair_of(made: Network, folder: Path, *, name: str = "tiny") -> Path:
    """Write a network as ``NAME.cfg`` and ``NAME.weights``; return the path of the cfg."""
    made.save(folder / f"{name}.cfg", folder / f"{name}.weights")
    return folder / f"{name}.cfg"


def load(cfg: Path) -> Network:
    """Load the pair of a cfg."""
    return Network.load(cfg, cfg.with_suffix(".weights"))
