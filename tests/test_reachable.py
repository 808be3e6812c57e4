"""`reachable` finds what a set of outputs depends on."""

import pytest

from tests.networks import network
from yolodsc.network import INPUT_INDEX, reachable

BRANCHES = """
convolutional filters=4 size=1
convolutional filters=4 size=1
route layers=0
convolutional filters=4 size=1
shortcut from=-3 activation=linear
"""


@pytest.mark.parametrize(
    ("outputs", "expected"), [([0], [0]), ([1], [0, 1]), ([3], [0, 2, 3]), ([4], [0, 1, 2, 3, 4]), ([3, 1, 3], [0, 1, 2, 3])]
)
def test_reachable_layers_are_ascending_and_complete(outputs: list[int], expected: list[int]) -> None:
    """Through routes and shortcuts, without the layers that only other outputs need."""
    assert reachable(network(BRANCHES).layers, outputs) == expected


def test_the_image_is_not_a_reachable_layer() -> None:
    """Whether a layer reads it or it is named as an output."""
    assert reachable(network(BRANCHES).layers, [INPUT_INDEX]) == []
