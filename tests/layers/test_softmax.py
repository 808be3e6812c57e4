"""[softmax]: groups, temperature, trees."""

from pathlib import Path

import numpy as np
import pytest

from tests.networks import image, last, network
from yolodsc.errors import CfgError


def test_every_group_sums_to_one() -> None:
    """Groups are equal runs of the flat input; the temperature divides it."""
    net = network("softmax groups=2 temperature=.5", channels=6, height=1, width=1)
    x = image(net)

    e = np.exp(x.reshape(2, 3) / 0.5)
    np.testing.assert_allclose(last(net, x).reshape(2, 3), e / e.sum(axis=1, keepdims=True), rtol=1e-5)


def test_siblings_of_a_tree_compete(tmp_path: Path) -> None:
    """The softmax runs over nodes with the same parent."""
    tree = tmp_path / "t.tree"
    tree.write_text("animal -1\nthing -1\ncat 0\ndog 0\ncar 1\n")
    net = network(f"softmax tree={tree}", channels=5, height=1, width=1)

    out = last(net, image(net)).ravel()

    np.testing.assert_allclose([out[:2].sum(), out[2:4].sum(), out[4]], 1, rtol=1e-6)


@pytest.mark.parametrize(("text", "found"), [("a -1\n", "has 1 classes; expected 5"), ("a 3\n", "parent 3"), ("", "no classes")])
def test_trees_that_do_not_fit_are_refused(tmp_path: Path, text: str, found: str) -> None:
    """The number of classes and the parents are checked, and empty trees are refused."""
    tree = tmp_path / "t.tree"
    tree.write_text(text)

    with pytest.raises(CfgError, match=found):
        network(f"softmax tree={tree}", channels=5, height=1, width=1)
