"""[route]: order, groups and errors."""

import numpy as np
import pytest

from tests.networks import image, network
from yolodsc.errors import CfgError

TWO = "convolutional filters=4 size=1\nconvolutional filters=2 size=1\n"


def test_channels_come_in_listed_order() -> None:
    """Absolute and relative indices are equivalent."""
    net = network(TWO + "route layers=-1,0")

    outputs = net.forward(image(net))

    np.testing.assert_array_equal(outputs[2], np.concatenate([outputs[1], outputs[0]]))


def test_groups_take_a_slice_of_each_source() -> None:
    """groups=2 group_id=1 selects the second half of every listed layer."""
    net = network(TWO + "route layers=0,1 groups=2 group_id=1")

    outputs = net.forward(image(net))

    np.testing.assert_array_equal(outputs[2], np.concatenate([outputs[0][2:], outputs[1][1:]]))


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ("", "names no layers"),
        ("layers=7", "names layer 7"),
        ("layers=-9", "names layer -7"),
        ("layers=0 groups=3", "groups=3 must divide 4 channels"),
        ("layers=0 groups=2 group_id=2", "group_id=2 of groups=2"),
    ],
)
def test_what_cannot_be_built_is_named(options: str, found: str) -> None:
    """Missing layers and groups that do not divide the channels are refused."""
    with pytest.raises(CfgError, match=found):
        network(TWO + f"route {options}")


def test_maps_of_different_size_are_refused() -> None:
    """Concatenated feature maps must have equal heights and widths."""
    with pytest.raises(CfgError, match="expected equal heights and widths"):
        network("convolutional filters=2\nmaxpool size=2 stride=2\nroute layers=0,1")


@pytest.mark.parametrize(
    ("value", "sources"),
    [("-1", (1,)), ("-1,", (1, 0)), ("-1,,1", (1, 0, 1)), ("-1#a,b", (1, 0)), ("-1#a,1,", (1, 1, 0)), ("-1#note", (1,))],
)
def test_every_comma_makes_an_item(value: str, sources: tuple[int, ...]) -> None:
    """Commas in comments count, too; an item without a number is layer 0, and a note says so."""
    net = network("convolutional filters=4 size=1\nconvolutional filters=4 size=1\n" + f"route layers={value}")

    assert net.layers[2].sources == sources
    assert bool(net.notes) == (value not in ("-1", "-1#note"))
