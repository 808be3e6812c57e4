"""Gradients of every layer, beside PyTorch's autograd in float64."""

import numpy as np
import pytest

from tests.networks import network
from yolodsc.errors import YolodscError
from yolodsc.network.network import Network
from yolodsc.training.model.model import FROZEN, LIVE, Statistics, TrainingModel

pytestmark = pytest.mark.slow

CONVOLUTIONS = {
    "pointwise": "convolutional filters=5 activation=leaky",
    "pointwise-bn": "convolutional filters=5 activation=leaky batch_normalize=1",
    "pointwise-stride": "convolutional filters=5 stride=2 activation=leaky",
    "regular": "convolutional filters=5 size=3 pad=1 activation=relu",
    "regular-bn": "convolutional filters=5 size=3 pad=1 activation=leaky batch_normalize=1",
    "regular-stride": "convolutional filters=5 size=3 stride=2 pad=1 activation=linear",
    "regular-strides": "convolutional filters=4 size=5 stride_x=1 stride_y=3 pad=1 activation=relu6",
    "regular-dilated": "convolutional filters=4 size=3 dilation=2 pad=1 activation=leaky",
    "regular-groups": "convolutional filters=4 groups=2 size=3 pad=1 activation=leaky batch_normalize=1",
    "depthwise": "convolutional filters=4 groups=4 size=3 pad=1 activation=leaky",
    "depthwise-bn": "convolutional filters=4 groups=4 size=3 pad=1 activation=relu batch_normalize=1",
    "depthwise-stride": "convolutional filters=4 groups=4 size=3 stride=2 pad=1 activation=relu6",
    "depthwise-5": "convolutional filters=4 groups=4 size=5 pad=1 activation=leaky",
    "depthwise-5-stride": "convolutional filters=4 groups=4 size=5 stride=2 pad=1 activation=linear batch_normalize=1",
    "depthwise-7-stride-3": "convolutional filters=4 groups=4 size=7 stride=3 pad=1 activation=leaky",
    "depthwise-dilated": "convolutional filters=4 groups=4 size=3 dilation=2 pad=1 activation=leaky",
    "depthwise-no-padding": "convolutional filters=4 groups=4 size=3 activation=leaky",
    "depthwise-strides": "convolutional filters=4 groups=4 size=3 stride_x=2 stride_y=1 pad=1 activation=leaky",
    "depthwise-multiplier": "convolutional filters=12 groups=4 size=3 pad=1 activation=leaky batch_normalize=1",
    "depthwise-1x1": "convolutional filters=4 groups=4 size=1 activation=leaky",
    "depthwise-swish": "convolutional filters=4 groups=4 size=3 pad=1 activation=swish batch_normalize=1",
}
DEPTHWISE = {
    "tall": (100, 40, 1, 2),
    "tall-stride": (141, 70, 2, 1),
    "small": (7, 7, 1, 9),
    "small-stride": (7, 6, 2, 9),
    "even-stride": (8, 8, 2, 9),
    "one-pixel": (1, 1, 1, 3),
    "one-pixel-stride": (1, 2, 2, 3),
    "one-column": (9, 1, 1, 5),
}
"""Height, width, stride and images: maps in parts, and images together."""
ACTIVATIONS = "linear leaky relu relu6 logistic swish mish tanh hard_mish elu gelu".split()
LAYERS = {
    "maxpool": "maxpool size=2 stride=2",
    "maxpool-stride-1": "maxpool size=5 stride=1",
    "maxpool-2-stride-1": "maxpool size=2 stride=1",
    "maxpool-overlap": "maxpool size=3 stride=2",
    "route-groups": "route layers=-1 groups=2 group_id=1",
    "route-two": "route layers=-1,-2",
    "route-twice": "route layers=-1,-1",
    "route-one": "route layers=-2",
    "shortcut": "shortcut from=-2 activation=linear",
    "shortcut-leaky": "shortcut from=-2 activation=leaky",
    "shortcut-factors": "shortcut from=-2 activation=linear alpha=0.5 beta=2",
    "upsample": "upsample stride=2 scale=0.5",
    "dropout": "dropout probability=0.5",
    "activation": "activation activation=mish",
    "avgpool": "avgpool",
    "reorg": "reorg stride=2",
    "reorg-reverse": "reorg stride=2 reverse=1",
    "sam": "sam from=-2 activation=leaky",
}
"""Each between two convolutions of 4 channels and one."""


def check(built: Network, outputs: list[int], *, statistics: Statistics = FROZEN, count: int = 6, tolerance: float = 1e-4) -> None:
    """Outputs and gradients equal PyTorch's, relative to the largest number of each array."""
    pytest.importorskip("torch", reason="needs PyTorch as the oracle of gradients")
    from tests.training.peer import outcome

    rng = np.random.default_rng(3)
    images = rng.standard_normal((count, *built.input_shape)).astype(np.float32)
    with TrainingModel(built, outputs=outputs, statistics=statistics) as model:
        found = model.forward(images)
        gradients = {index: rng.standard_normal(out.shape).astype(np.float32) for index, out in found.items()}
        model.backward(gradients)
        expected, expected_gradients = outcome(built, images, gradients, live=statistics is LIVE)

        for index in outputs:
            np.testing.assert_allclose(found[index], expected[index], atol=1e-5 * np.abs(expected[index]).max())
        assert {(p.layer, p.name) for p in model.parameters} == set(expected_gradients)
        for p in model.parameters:
            expected_gradient = expected_gradients[p.layer, p.name]
            scale = np.abs(expected_gradient).max()
            np.testing.assert_allclose(p.gradient, expected_gradient, atol=tolerance * scale, err_msg=f"{p.layer} {p.name}")


@pytest.mark.parametrize("line", CONVOLUTIONS.values(), ids=CONVOLUTIONS.keys())
def test_gradients_of_a_convolution_equal_autograd(line: str) -> None:
    """Kernel, bias, scale and what goes on to the layer before."""
    built = network(f"convolutional filters=4 activation=leaky\n{line}", height=9, width=11)

    check(built, [1])


@pytest.mark.parametrize(("height", "width", "stride", "count"), DEPTHWISE.values(), ids=DEPTHWISE.keys())
def test_gradients_of_a_depthwise_convolution_equal_autograd_at_any_size(height: int, width: int, stride: int, count: int) -> None:
    """Two filters a channel, and a second reader of the same input."""
    lines = f"""
    convolutional filters=3 activation=linear
    convolutional filters=6 groups=3 size=3 pad=1 stride={stride} activation=leaky
    route layers=-2
    convolutional filters=3 groups=3 size=3 pad=1 stride={stride} activation=relu6
    """
    built = network(lines, height=height, width=width)

    check(built, [1, 3], count=count)


@pytest.mark.parametrize(("height", "width", "count"), [(140, 96, 9), (16, 16, 8)])
@pytest.mark.parametrize("statistics", list(Statistics))
def test_gradients_of_feature_maps_of_whole_vectors_equal_autograd(
    statistics: Statistics, height: int, width: int, count: int
) -> None:
    """Of pointwise convolutions, in blocks of columns or not, of a first layer with an odd number of filters, and of a pool."""
    lines = """
    convolutional filters=11 size=3 pad=1 stride=2 activation=leaky batch_normalize=1
    convolutional filters=19 activation=relu6 batch_normalize=1
    maxpool size=2 stride=2
    route layers=-2
    convolutional filters=9 activation=leaky
    """
    built = network(lines, height=height, width=width)

    check(built, [2, 4], statistics=statistics, count=count)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("kind", ["size=1", "size=3 pad=1", "size=3 pad=1 groups=4"])
def test_gradients_through_an_activation_equal_autograd(activation: str, kind: str) -> None:
    """Of every kind of convolution."""
    line = f"convolutional filters=4 {kind} activation={activation} batch_normalize=1"
    built = network(f"convolutional filters=4 activation=linear\n{line}\nconvolutional filters=3 activation=linear")

    check(built, [2])


@pytest.mark.parametrize("line", LAYERS.values(), ids=LAYERS.keys())
def test_gradients_through_a_layer_equal_autograd(line: str) -> None:
    """Between convolutions, so that what goes back is seen in full."""
    text = f"""
    convolutional filters=4 activation=linear
    convolutional filters=4 size=3 pad=1 activation=leaky batch_normalize=1
    {line}
    convolutional filters=3 activation=linear
    """
    built = network(text)

    check(built, [3])


@pytest.mark.parametrize("activation", ["linear", "logistic"])
def test_gradients_through_squeeze_and_excite_equal_autograd(activation: str) -> None:
    """A gate for each channel, from the mean of the map that it scales."""
    text = f"""
    convolutional filters=4 size=3 pad=1 activation=leaky
    avgpool
    convolutional filters=4 activation=logistic
    scale_channels from=-3 activation={activation}
    convolutional filters=3 activation=linear
    """
    built = network(text, height=6, width=9)

    check(built, [4])


def test_gradients_through_gates_of_pixels_equal_autograd() -> None:
    """One gate for all channels of a pixel."""
    text = """
    convolutional filters=4 size=3 pad=1 activation=leaky
    convolutional filters=1 activation=logistic
    scale_channels from=-2 scale_wh=1 activation=linear
    convolutional filters=3 activation=linear
    """
    built = network(text, height=6, width=9)

    check(built, [3])


def test_gradients_through_spatial_pyramid_pooling_equal_autograd() -> None:
    """Four readers of one map, put side by side."""
    text = """
    convolutional filters=4 size=3 pad=1 activation=leaky
    maxpool size=5 stride=1
    route layers=-2
    maxpool size=9 stride=1
    route layers=-4
    maxpool size=13 stride=1
    route layers=-1,-3,-5,-6
    convolutional filters=3 activation=linear
    """
    built = network(text, height=9, width=11)

    check(built, [7])


def test_a_layer_without_a_backward_pass_is_refused() -> None:
    """When the model is made, by the layer's number and name."""
    built = network(
        "convolutional filters=4 activation=linear\nlocal_avgpool size=2 stride=2\nconvolutional filters=1 activation=linear"
    )

    with pytest.raises(YolodscError, match=r"layer 1 \[local_avgpool\]"):
        TrainingModel(built, outputs=[2])
