"""Training in int8: the rounded forward pass beside the exact reference, gradients, start and result."""

import numpy as np
import pytest

from tests.networks import image, network
from yolodsc.arrays import Array
from yolodsc.errors import YolodscError
from yolodsc.network.network import Network
from yolodsc.precision import Quantization, TensorScale, dequantize, minmax_quantization, quantized_forward
from yolodsc.training.model.model import TrainingModel
from yolodsc.training.quantization.learned import LearnedQuantization, calibrated_start
from yolodsc.training.quantization.rounding import round_backward, round_tensor
from yolodsc.training.quantization.tensors import TENSOR_SCALE
from yolodsc.training.quantization.weights import WEIGHT_SCALE

LAYERS = """
convolutional filters=8 size=3 pad=1 stride=2 activation=leaky batch_normalize=1
convolutional filters=24 size=1 activation=relu
convolutional filters=24 groups=24 size=3 pad=1 activation=relu
convolutional filters=8 size=1 activation=linear batch_normalize=1
shortcut from=-4 activation=linear
maxpool size=2 stride=1
route layers=-1,-2
upsample stride=2
convolutional filters=6 size=3 pad=1 activation=linear
"""
"""A residual block with a depthwise layer, and all layers that move bytes."""

OUTPUTS = range(9)


@pytest.fixture(scope="module")
def net() -> Network:
    """For images of 12 x 12."""
    return network(LAYERS, height=12, width=12)


@pytest.fixture(scope="module")
def images(net: Network) -> Array:
    """Six images, more than a micro-batch."""
    return np.stack([image(net, seed=seed) for seed in range(6)])


@pytest.fixture(scope="module")
def start(net: Network, images: Array) -> Quantization:
    """Ranges a little too narrow, so that values are clipped at both ends."""
    found = minmax_quantization(net, images)
    narrow = {i: TensorScale(float(np.float32(0.8 * s.scale)), s.zero_point) for i, s in found.scales.items()}
    return Quantization(found.layers, narrow, found.weights)


def learned(model: TrainingModel) -> dict[tuple[int, str], Array]:
    """Values of the parameters of a model."""
    return {(p.layer, p.name): p.value for p in model.parameters}


def test_the_forward_pass_equals_the_exact_reference_of_the_resulting_quantization(
    net: Network, start: Quantization, images: Array
) -> None:
    """Bytes are the same but for single levels in one of a thousand; float32 tensors differ by 1e-5 of their largest element.

    The scales are moved away from their start first.
    """
    state = LearnedQuantization(net, start)
    with TrainingModel(calibrated_start(net, start), outputs=OUTPUTS, quantization=state) as model:
        rng = np.random.default_rng(0)
        for p in model.parameters:
            p.value += (0.02 * rng.standard_normal(p.value.shape)).astype(np.float32)
        found = model.forward(images)
        trained, quantization = model.network(), state.quantization(model.network(), learned(model), {})

    for n, x in enumerate(images):
        for index, stored in enumerate(quantized_forward(trained, quantization, x)):
            scale = quantization.scales.get(index)
            real = stored if scale is None else dequantize(stored, scale)
            difference = np.abs(found[index][n] - real)
            bound = 1e-5 * np.abs(real).max()
            assert difference.max() <= (bound if scale is None else 1.01 * scale.scale)
            assert (difference > bound).mean() < 1e-3


def test_products_by_winograd_transforms_read_the_rounded_kernel(images: Array) -> None:
    """A 3x3 layer of 16 channels: bytes differ from the exact reference by at most a level, in less than a hundredth of them."""
    net = network(
        "convolutional filters=16 size=1 activation=relu\n" + 2 * "convolutional filters=16 size=3 pad=1 activation=leaky\n"
    )
    small = images[:, :, :8, :8]
    start = minmax_quantization(net, small)
    state = LearnedQuantization(net, start)
    with TrainingModel(calibrated_start(net, start), outputs=[1, 2], quantization=state) as model:
        found = model.forward(small)
        trained, quantization = model.network(), state.quantization(model.network(), learned(model), {})

    scale = quantization.scales[1]
    for n, x in enumerate(small):
        expected = quantized_forward(trained, quantization, x)
        levels = np.abs(found[1][n] - dequantize(expected[1], scale)) / scale.scale
        assert levels.max() < 1.01
        assert (levels > 0.5).mean() < 0.01
        assert np.abs(found[2][n] - expected[2]).max() < 0.01 * np.abs(expected[2]).max()


def test_training_starts_from_the_integers_and_biases_of_the_calibration(net: Network, start: Quantization) -> None:
    """Also where calibration has rounded away from the nearest integer, and clipped."""
    rng = np.random.default_rng(1)
    moved = {
        i: type(w)(np.clip(w.weights + rng.integers(-1, 2, w.weights.shape), -127, 127).astype(np.int8), w.scale, w.bias + 0.1)
        for i, w in start.weights.items()
    }
    chosen = Quantization(start.layers, start.scales, moved)
    state = LearnedQuantization(net, chosen)

    with TrainingModel(calibrated_start(net, chosen), outputs=[8], quantization=state) as model:
        found = state.quantization(model.network(), learned(model), {})

    assert found.scales.keys() == chosen.scales.keys()
    for index, weights in chosen.weights.items():
        assert np.array_equal(found.weights[index].weights, weights.weights)
        np.testing.assert_allclose(found.weights[index].scale, weights.scale, rtol=1e-6)
        np.testing.assert_allclose(found.weights[index].bias, weights.bias, atol=1e-5)


def test_rounding_stops_gradients_outside_the_range_and_passes_them_on_inside() -> None:
    """The derivative by the logarithm of the scale is a finite difference of the clipped values, and the rounding error inside."""
    scale = TensorScale(0.5, 100)
    x = np.array([-80.0, -50.1, -3.2, 0.0, 0.2, 10.3, 77.4, 200.0], np.float32)
    out, gradient = np.empty_like(x), np.arange(1, 9, dtype=np.float32)

    round_tensor(x, scale, out)
    derivative = round_backward(gradient, x, scale)

    np.testing.assert_array_equal(out, dequantize(np.clip(np.rint(x / 0.5) + 100, 0, 255).astype(np.uint8), scale))
    np.testing.assert_array_equal(gradient, [0, 2, 3, 4, 5, 6, 7, 0])
    inside = sum(g * (o - v) for g, o, v in zip(range(2, 8), out[1:7].tolist(), x[1:7].tolist(), strict=True))
    assert derivative == pytest.approx(inside + 1 * out[0] + 8 * out[7], rel=1e-6)


def test_gradients_of_kernels_and_scales_follow_the_straight_through_estimator(images: Array) -> None:
    """One layer in float64: weights get the gradient of the rounded weights unless they are clipped, scales that of Esser et al."""
    net = network("convolutional filters=4 size=1 activation=linear", height=12, width=12)
    quantization = minmax_quantization(net, images)
    state = LearnedQuantization(net, quantization)
    rng = np.random.default_rng(2)
    with TrainingModel(net, outputs=[0], quantization=state) as model:
        by_name = {p.name: p for p in model.parameters}
        by_name[WEIGHT_SCALE].value -= np.float32(0.2)  # the greatest weights are clipped
        out = model.forward(images)[0]
        gradient = rng.standard_normal(out.shape).astype(np.float32)
        model.backward({0: gradient})

        scale = np.exp(by_name[WEIGHT_SCALE].value.astype(np.float64))[:, None]
        exact = by_name["weights"].value[:, :, 0, 0] / scale
        x = np.stack([dequantize(quantized_input(quantization, image), quantization.scales[-1]) for image in images])
        by_weight = np.einsum("nfyx,ncyx->fc", gradient.astype(np.float64), x.astype(np.float64))
        clipped = np.abs(exact) > 127.5
        levels = np.clip(np.rint(exact), -127, 127)
        by_scale = (by_weight * (levels - np.where(clipped, 0, exact))).sum(axis=1) * scale[:, 0] / np.sqrt(3 * 127)

        assert clipped.any() and not clipped.all()
        expected = np.where(clipped, 0, by_weight)
        np.testing.assert_allclose(by_name["weights"].gradient[:, :, 0, 0], expected, atol=1e-4 * np.abs(by_weight).max())
        np.testing.assert_allclose(by_name[WEIGHT_SCALE].gradient, by_scale, atol=1e-4 * np.abs(by_scale).max())


def quantized_input(quantization: Quantization, x: Array) -> "np.ndarray[tuple[int, ...], np.dtype[np.uint8]]":
    """Bytes of an image."""
    scale = quantization.scales[-1]
    return np.clip(np.rint(x * scale.inverse) + scale.zero_point, 0, 255).astype(np.uint8)


def test_a_clipped_range_grows(net: Network, start: Quantization, images: Array) -> None:
    """Steps along the gradient of the scale reduce the distance to the outputs in float32 of a tensor that is clipped hard."""
    narrow = {i: TensorScale(float(np.float32((0.1 if i == 2 else 1) * s.scale)), s.zero_point) for i, s in start.scales.items()}
    state = LearnedQuantization(net, Quantization(start.layers, narrow, start.weights))
    expected = np.stack([net.forward(x)[3] for x in images])
    losses = []
    with TrainingModel(calibrated_start(net, start), outputs=[3], quantization=state) as model:
        (parameter,) = (p for p in model.parameters if (p.layer, p.name) == (2, TENSOR_SCALE))
        before = parameter.value.copy()
        for _ in range(20):
            difference = model.forward(images)[3] - expected
            losses.append(float(np.square(difference).mean()))
            model.backward({3: difference})
            parameter.value -= np.float32(0.1) * np.sign(parameter.gradient)

    assert parameter.value > before + 0.5
    assert losses[-1] < 0.5 * losses[0]


@pytest.mark.parametrize("threads", [2, 3])
def test_gradients_do_not_depend_on_threads(net: Network, start: Quantization, images: Array, threads: int) -> None:
    """All gradients are the same to the bit."""
    found = []
    for count in (1, threads):
        state = LearnedQuantization(net, start)
        with TrainingModel(calibrated_start(net, start), outputs=[8], quantization=state, threads=count) as model:
            out = model.forward(images)[8]
            model.backward({8: np.cos(out)})
            found.append([p.gradient.copy() for p in model.parameters])

    assert all(np.array_equal(a, b) for a, b in zip(*found, strict=True))
    assert sum(float(np.abs(a).sum()) for a in found[0]) > 0


def test_kernels_of_bf16_layers_are_rounded(net: Network, images: Array) -> None:
    """Their layers have no scales to learn."""
    mixed = minmax_quantization(net, images, int8=[0, 1, 3])
    chosen = Quantization({**mixed.layers, 8: "bf16"}, mixed.scales, mixed.weights)
    state = LearnedQuantization(net, chosen)
    with TrainingModel(calibrated_start(net, chosen), outputs=[8], quantization=state) as model:
        found = model.forward(images)[8]
        trained, quantization = model.network(), state.quantization(model.network(), learned(model), {})

    assert (8, WEIGHT_SCALE) not in learned(model)
    assert quantization.precision(8) == "bf16"
    for n, x in enumerate(images):
        expected = quantized_forward(trained, quantization, x)[8]
        assert np.abs(found[n] - expected).max() < 0.01 * np.abs(expected).max()
        assert not np.array_equal(found[n], net.forward(x)[8])


def test_shared_weights_are_refused() -> None:
    """One kernel would need the scales of two layers."""
    layers = "convolutional filters=3 size=1 activation=leaky\nconvolutional share_index=0 filters=3 size=1 activation=linear"
    net = network(layers)
    quantization = minmax_quantization(net, [image(net)])

    with pytest.raises(YolodscError, match="share_index cannot be trained in int8"):
        LearnedQuantization(net, quantization)
