"""[connected]: flattened input, batch norm after the weights."""

import numpy as np

from tests.networks import image, last, network


def test_product_with_the_flat_input() -> None:
    """The input (C, H, W) is flattened in C order."""
    net = network("connected output=5 activation=linear", height=2, width=2)
    weights, x = net.weights[0], image(net)

    np.testing.assert_allclose(last(net, x).ravel(), weights["weights"] @ x.ravel() + weights["biases"], rtol=1e-4, atol=1e-5)


def test_batch_norm_is_stored_after_the_weights() -> None:
    """In a convolution it is stored before them."""
    net = network("connected output=5 batch_normalize=1")

    assert list(net.layers[0].weight_shapes()) == ["biases", "weights", "scales", "rolling_mean", "rolling_variance"]
