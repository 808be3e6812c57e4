"""[dropout], [cost], [empty]: the identity."""

import numpy as np
import pytest

from tests.networks import image, network


@pytest.mark.parametrize("kind", ["dropout probability=.5", "cost type=sse", "empty", "silence"])
def test_the_input_is_passed_on(kind: str) -> None:
    """In inference these sections are aliases."""
    net = network(f"convolutional filters=2\n{kind}")

    outputs = net.forward(image(net))

    np.testing.assert_array_equal(outputs[1], outputs[0])


def test_cost_is_never_the_networks_output() -> None:
    """The output is the last layer before it."""
    net = network("convolutional filters=2\nsoftmax\ncost")

    assert net.output == 1
