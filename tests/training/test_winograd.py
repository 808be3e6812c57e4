"""Regular 3x3 convolutions in training, which go through Winograd's transforms, beside PyTorch's autograd in float64."""

import numpy as np
import pytest

from tests.networks import image, network
from tests.training.test_gradients_layers import check
from yolodsc.precision import dequantize, minmax_quantization, quantized_forward
from yolodsc.training.layers.convolution.winograd import supports
from yolodsc.training.model.model import LIVE, TrainingModel
from yolodsc.training.quantization.learned import LearnedQuantization, calibrated_start

BLOCKS = """
    convolutional filters=16 size=3 pad=1 activation=linear
    convolutional filters=20 size=3 pad=1 activation=leaky batch_normalize=1
    route layers=-2
    convolutional filters=17 size=3 pad=1 activation=relu
"""
SIZES = {"tile": (4, 4, 1), "narrow": (9, 3, 5), "tall": (37, 2, 3), "wide": (5, 70, 2), "images": (7, 6, 11)}
"""Height, width and images: parts of tiles, tiles of several images in one vector, and several chunks."""


@pytest.mark.slow
@pytest.mark.parametrize(("height", "width", "count"), SIZES.values(), ids=SIZES.keys())
def test_gradients_of_a_regular_convolution_equal_autograd_at_any_size(height: int, width: int, count: int) -> None:
    """Two readers of one feature map, so that one of the gradients is added to the other."""
    built = network(BLOCKS, height=height, width=width)
    assert all(supports(layer) for layer in (built.layers[1], built.layers[3]))

    check(built, [1, 3], count=count)


@pytest.mark.slow
def test_gradients_through_live_statistics_and_winograd_equal_autograd() -> None:
    """The transforms work on the convolution alone; the statistics are those of all images."""
    check(network(BLOCKS, height=10, width=12), [1, 3], statistics=LIVE, count=9)


def test_rounded_kernels_are_transformed_after_they_are_rounded() -> None:
    """A training in int8 gives the bytes of the exact reference, but for single levels in one of a thousand."""
    built = network(
        "convolutional filters=16 activation=relu\nconvolutional filters=20 size=3 pad=1 activation=leaky batch_normalize=1"
    )
    images = np.stack([image(built, seed=seed) for seed in range(3)])
    start = minmax_quantization(built, images)
    state = LearnedQuantization(built, start)

    with TrainingModel(calibrated_start(built, start), outputs=[1], quantization=state) as model:
        found = model.forward(images)[1]
        trained = model.network()
        quantization = state.quantization(trained, {(p.layer, p.name): p.value for p in model.parameters}, {})

    for n, x in enumerate(images):
        stored, scale = quantized_forward(trained, quantization, x)[1], quantization.scales.get(1)
        expected = stored if scale is None else dequantize(stored, scale)
        assert (np.abs(found[n] - expected) > 1e-5 * np.abs(expected).max()).mean() < 1e-3


def test_convolutions_with_few_channels_strides_or_groups_have_no_winograd_form() -> None:
    """Each fails on one condition."""
    lines = (
        "size=3 pad=1 filters=8",
        "size=3 pad=1 filters=16 stride=2",
        "size=3 pad=1 filters=16 groups=2",
        "size=5 pad=1 filters=16",
    )
    built = network("convolutional filters=16\n" + "\n".join(f"convolutional {line}" for line in lines))

    assert not any(supports(layer) for layer in built.layers)
