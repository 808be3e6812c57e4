"""[batchnorm]: four numbers per channel."""

import numpy as np

from tests.networks import image, last, network


def test_normalises_every_channel() -> None:
    """The result is (x - mean) / sqrt(variance + 1e-5) * scale + bias."""
    net = network("batchnorm")
    w = {name: array[:, None, None] for name, array in net.weights[0].items()}
    x = image(net)

    expected = (x - w["rolling_mean"]) / np.sqrt(w["rolling_variance"] + 1e-5) * w["scales"] + w["biases"]
    np.testing.assert_allclose(last(net, x), expected, rtol=1e-4, atol=1e-5)
