"""Rounding of weights on covariances, ranges by squared error, and channels that are scaled together."""

import numpy as np
import pytest

from tests.networks import image, network
from yolodsc.network import INPUT_INDEX
from yolodsc.precision import TensorScale, dequantize, quantize, quantized_forward, scale_of_range
from yolodsc.quantize.calibration import _Sums, patch_moments
from yolodsc.quantize.channel_classes import channel_classes
from yolodsc.quantize.equalization import scaled
from yolodsc.quantize.layers import compensated, rounded_weights
from yolodsc.quantize.rounding import best_scales, descend, rounded_filters
from yolodsc.quantize.scales import best_scale


def correlated(random: np.random.Generator, count: int) -> np.ndarray:
    """A covariance with a dominant direction, as of patches of images."""
    X = random.standard_normal((400, count)) + 5 * random.standard_normal((400, 1))
    return X.T @ X / 400


def energy(difference: np.ndarray, G: np.ndarray) -> np.ndarray:
    """Squared error of each filter."""
    return np.sum((difference @ G) * difference, axis=1)


def test_rounding_on_the_covariance_beats_nearest_rounding() -> None:
    """The error is a small share of that of nearest rounding, and no filter is worse than nearest at the same scale."""
    random = np.random.default_rng(0)
    weights, G = random.standard_normal((12, 27)), correlated(random, 27)

    levels, scales = rounded_filters(weights, G, floor=np.zeros(12))

    nearest = np.clip(np.rint(weights / scales[:, None]), -127, 127)
    error = energy(levels * scales[:, None].astype(np.float64) - weights, G)
    plain = np.abs(weights).max(axis=1) / 127
    assert error.sum() < 0.2 * energy(np.rint(weights / plain[:, None]) * plain[:, None] - weights, G).sum()
    assert (error <= energy(nearest * scales[:, None].astype(np.float64) - weights, G) + 1e-12).all()
    assert levels.dtype == np.int8
    assert np.abs(levels.astype(int)).max() <= 127


def test_the_descent_ends_where_no_single_change_helps() -> None:
    """Neither a step up nor a step down of any weight lowers the error afterwards."""
    random = np.random.default_rng(1)
    weights, G = random.standard_normal((3, 10)), correlated(random, 10)
    scales = np.full(3, 0.2)
    levels = np.rint(weights / 0.2)

    descend(weights, G, scales, levels)

    reached = energy(levels * 0.2 - weights, G)
    for step, i in ((step, i) for step in (-1, 1) for i in range(10)):
        other = levels.copy()
        other[:, i] += step
        assert (energy(other * 0.2 - weights, G) >= reached - 1e-9).all()


def test_scales_respect_their_floor() -> None:
    """A filter of zeros, and one whose bias needs room, take the smallest scale that is allowed."""
    weights = np.stack([np.zeros(9), np.full(9, 1e-3)])

    found = best_scales(weights, np.eye(9), np.array([0.5, 0.25]))

    assert found.tolist() == [0.5, 0.25]


def test_ranges_clip_rare_outliers() -> None:
    """The range of a tensor with one outlier is much smaller than the outlier, and its squared error is lower."""
    values = np.append(np.random.default_rng(2).standard_normal(1_000_000), 30.0).astype(np.float32)

    scale = best_scale(values, np.ones(len(values)))

    extremes = scale_of_range(float(values.min()), float(values.max()))
    error, worse = (np.square(dequantize(quantize(values, s), s) - values).mean() for s in (scale, extremes))
    assert scale.scale < 0.6 * extremes.scale
    assert error < worse


RESIDUAL = """
convolutional filters=8 size=3 pad=1 activation=leaky batch_normalize=1
convolutional filters=6 size=1 activation=linear
convolutional filters=12 size=1 activation=relu
convolutional filters=12 groups=12 size=3 pad=1 activation=relu
convolutional filters=6 size=1 activation=linear batch_normalize=1
shortcut from=-4 activation=leaky
route layers=-1,0
maxpool size=2 stride=2
convolutional filters=5 size=1 activation=logistic
"""


def test_scaled_channels_leave_the_function_as_it_is() -> None:
    """Powers of two on all classes that may be scaled change no bit of the output."""
    net = network(RESIDUAL)
    classes = channel_classes(net)
    exponents = np.random.default_rng(3).integers(-3, 4, len(classes.fixed))
    factors = np.where(classes.fixed, 1.0, 2.0**exponents)
    x = image(net)

    found, expected = scaled(net, classes, factors).forward(x), net.forward(x)

    np.testing.assert_allclose(found[-1], expected[-1], rtol=2e-6)
    assert not np.allclose(found[1], expected[1])
    np.testing.assert_allclose(found[5] * factors[classes.of[5]][:, None, None], expected[5], rtol=1e-4, atol=1e-5)


def test_sums_join_channels_and_images_are_fixed() -> None:
    """The channels of a shortcut's inputs are one class; the image and the input of a logistic layer stay as they are."""
    net = network(RESIDUAL)

    classes = channel_classes(net)

    assert (classes.of[1] == classes.of[4]).all()
    assert (classes.of[1] == classes.of[5]).all()
    assert (classes.of[6] == np.concatenate([classes.of[5], classes.of[0]])).all()
    assert classes.fixed[classes.of[-1]].all()
    assert classes.fixed[classes.of[8]].all()
    assert not classes.fixed[classes.of[5]].any()


@pytest.mark.parametrize("line", ["avgpool", "softmax", "reorg stride=2", "convolutional filters=4 size=1 activation=swish"])
def test_layers_that_are_not_understood_fix_their_channels(line: str) -> None:
    """Only layers that are homogeneous channel by channel leave their channels free."""
    net = network(f"convolutional filters=8 size=3 pad=1 activation=leaky\n{line}")

    classes = channel_classes(net)

    fixed = line.startswith("convolutional")
    assert classes.fixed[classes.of[0]].all() != fixed
    assert classes.fixed[classes.of[1]].all()


def test_compensated_weights_are_least_squares_on_rounded_patches() -> None:
    """Two equal channels, one of them rounded coarsely: the weight moves to the exact one, and the outputs come nearer."""
    random = np.random.default_rng(4)
    exact = random.standard_normal((1, 5000, 1)) * np.ones(2) + 0.1 * random.standard_normal((1, 5000, 2))
    coarse = np.stack([exact[0, :, 0], np.rint(exact[0, :, 1])], axis=1)
    sums = _Sums(1, 2)
    sums.add(exact[0].astype(np.float32), coarse.astype(np.float32))
    filters = np.array([[[0.5, 0.5]]])

    (found,) = compensated(filters, sums.moments())

    centred = coarse - coarse.mean(axis=0)
    best = np.linalg.lstsq(centred, (exact[0] - exact[0].mean(axis=0)) @ filters[0, 0], rcond=None)[0]
    np.testing.assert_allclose(found[0], best, atol=0.01)
    assert found[0, 0] > 0.8
    assert found[0, 1] < 0.2


@pytest.mark.parametrize("compensate", [False, True])
def test_the_bias_keeps_the_mean_of_every_output(compensate: bool) -> None:
    """Also where rounding shifts the mean of the input: small values all become 0."""
    net = network("convolutional filters=6 size=3 pad=0 activation=linear", height=24, width=24)
    x = np.random.default_rng(5).exponential(0.08, net.input_shape).astype(np.float32)
    scales = {INPUT_INDEX: TensorScale(0.25, 0)}
    moments = patch_moments(net, x[None].repeat(40, axis=0), [0], scales, threads=1, seed=0)

    quantized = rounded_weights(net, moments, scales, threads=1, compensate=compensate)

    exact, rounded = net.forward(x)[0], quantized_forward(net, quantized, x)[0]
    assert dequantize(quantize(x, scales[INPUT_INDEX]), scales[INPUT_INDEX]).mean() < 0.8 * x.mean()
    shift, spread = (rounded - exact).mean(axis=(1, 2)), exact.std(axis=(1, 2))
    assert (np.abs(shift) < 0.1 * spread).all()
