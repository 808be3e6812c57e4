"""`yolodsc.network.network`: questions about a whole network."""

from yolodsc.darknet import parse_cfg
from yolodsc.network import Network, reachable

BRANCHES = """
[net]
height=8
width=8
channels=3
[convolutional]
filters=4
size=1
[convolutional]
filters=4
size=1
[route]
layers=0
[shortcut]
from=0
"""


def test_reachable_finds_the_layers_that_an_output_depends_on() -> None:
    """Layer 1 feeds nothing that layer 3 reads, and the network's input is no layer."""
    layers = Network.build(parse_cfg(BRANCHES)).layers

    assert reachable(layers, [3]) == {0, 2, 3}
    assert reachable(layers, [1]) == {0, 1}
    assert reachable(layers, []) == set()
