"""Batch norm with the batch's own statistics, beside PyTorch's autograd in float64."""

import numpy as np
import pytest

from tests.networks import network
from tests.training.test_gradients_layers import check
from yolodsc.errors import YolodscError
from yolodsc.training.kernels.batchnorm import add_moments
from yolodsc.training.layers.convolution.moments import Moments
from yolodsc.training.model.model import LIVE, TrainingModel
from yolodsc.training.model.reestimate import reestimate

pytestmark = pytest.mark.slow

BLOCKS = """
    convolutional filters=4 size=3 pad=1 activation=leaky batch_normalize=1
    convolutional filters=8 groups=4 size=3 stride=2 pad=1 activation=relu batch_normalize=1
    convolutional filters=6 activation={activation} batch_normalize=1
    shortcut from=-2 activation=linear
    convolutional filters=3 activation=linear
"""


@pytest.mark.parametrize("activation", ["leaky", "relu6", "mish"])
def test_gradients_through_live_statistics_equal_autograd(activation: str) -> None:
    """Of ten images in three micro-batches, where mean and variance depend on all of them."""
    built = network(BLOCKS.format(activation=activation), height=10, width=12)

    check(built, [4], statistics=LIVE, count=10)


def test_rolling_statistics_follow_the_batch_a_hundredth_of_the_way() -> None:
    """The variance as an estimate from its sample, with n - 1."""
    built = network("convolutional filters=4 activation=leaky batch_normalize=1")
    images = np.random.default_rng(0).standard_normal((6, *built.input_shape)).astype(np.float32)
    kernel = built.weights[0]["weights"].reshape(4, 3).astype(np.float64)
    numbers = np.einsum("fc,nchw->fnhw", kernel, images).reshape(4, -1)

    with TrainingModel(built, outputs=[0], statistics=LIVE) as model:
        model.forward(images)
        after = model.network().weights[0]

    before = built.weights[0]
    np.testing.assert_allclose(after["rolling_mean"], 0.99 * before["rolling_mean"] + 0.01 * numbers.mean(axis=1), rtol=1e-5)
    expected = 0.99 * before["rolling_variance"] + 0.01 * numbers.var(axis=1, ddof=1)
    np.testing.assert_allclose(after["rolling_variance"], expected, rtol=1e-5)


@pytest.mark.parametrize("threads", [2, 3, 4])
def test_live_statistics_do_not_depend_on_the_number_of_threads(threads: int) -> None:
    """Outputs, gradients and rolling statistics, bit for bit, over three steps."""
    built = network(BLOCKS.format(activation="leaky"), height=10, width=12)
    rng = np.random.default_rng(0)
    batches = rng.standard_normal((3, 11, *built.input_shape)).astype(np.float32)

    def trained(count: int) -> list[bytes]:
        state = []
        with TrainingModel(built, outputs=[4], threads=count, statistics=LIVE) as model:
            for images in batches:
                outputs = model.forward(images)
                model.backward(outputs)
                for p in model.parameters:
                    p.value -= np.float32(1e-3) * p.gradient
                state += [outputs[4].tobytes(), *(p.gradient.tobytes() for p in model.parameters)]
            return state + [array.tobytes() for own in model.network().weights for array in own.values()]

    assert trained(threads) == trained(1)


def test_reestimated_statistics_are_those_of_all_images() -> None:
    """Of the first layer exactly, in batches of different sizes."""
    built = network(BLOCKS.format(activation="leaky"), height=10, width=12)
    images = np.random.default_rng(0).standard_normal((64, *built.input_shape)).astype(np.float32)

    apart = reestimate(built, [images[:16], images[16:40], images[40:]])
    together = reestimate(built, [images])

    for index in range(3):
        for name in ("rolling_mean", "rolling_variance"):
            tolerance = 1e-5 if index == 0 else 0.05
            scale = np.abs(together.weights[index][name]).max()
            np.testing.assert_allclose(apart.weights[index][name], together.weights[index][name], atol=tolerance * scale)


def test_a_reestimated_network_puts_out_what_the_live_one_does() -> None:
    """Over the same images in one batch."""
    built = network(BLOCKS.format(activation="leaky"), height=10, width=12)
    images = np.random.default_rng(0).standard_normal((64, *built.input_shape)).astype(np.float32)
    with TrainingModel(built, outputs=[4], statistics=LIVE) as model:
        expected = model.forward(images)[4]

    with TrainingModel(reestimate(built, [images], threads=2), outputs=[4]) as model:
        found = model.forward(images)[4]

    np.testing.assert_allclose(found, expected, atol=1e-5 * np.abs(expected).max())


def test_moments_of_numbers_far_from_zero_are_exact() -> None:
    """Even where the first elements differ from the others, and over micro-batches of different sizes."""
    rng = np.random.default_rng(0)
    numbers = (300 + rng.standard_normal((2, 9000))).astype(np.float32)
    numbers[1, :1500] -= 5
    batch = Moments(2)

    for part in (numbers[:, :6000], numbers[:, 6000:]):
        slot, (channels, count) = batch.slot(part.shape[1]), part.shape
        for c in range(channels):
            own = np.zeros(3)
            for start in range(0, count, 5000):
                add_moments(np.ascontiguousarray(part[c]), start, min(5000, count - start), start == 0, own)
            Moments.store(own[None], count, slot[:, c : c + 1])

    np.testing.assert_allclose(batch.mean(), numbers.mean(axis=1, dtype=np.float64), rtol=1e-7)
    np.testing.assert_allclose(batch.variance(), numbers.var(axis=1, dtype=np.float64), rtol=1e-5)


def test_arrays_that_layers_share_cannot_have_live_statistics() -> None:
    """They would be two layers' at once."""
    built = network(
        """
        convolutional filters=3 size=3 pad=1 activation=leaky batch_normalize=1
        convolutional filters=3 size=3 pad=1 activation=leaky batch_normalize=1 share_index=0
        """
    )

    with pytest.raises(YolodscError, match="share_index"):
        TrainingModel(built, outputs=[1], statistics=LIVE)
