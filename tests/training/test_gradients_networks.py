"""Gradients of whole networks: finite differences, PyTorch, threads, memory."""

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.networks import network
from yolodsc.darknet.cfg import Cfg
from yolodsc.errors import YolodscError
from yolodsc.network.network import Network
from yolodsc.training.model.model import FROZEN, LIVE, Statistics, TrainingModel

pytestmark = pytest.mark.slow

REAL = {
    "mobilenetv2-yolov3-nano-voc": 64,
    "yololite-voc-trial3-bn": 64,
    "yololite-voc-trial3-nobn": 64,
    "mobilenetv2-yolo-fastest-voc-v1": 64,
    "yolo-fastest-1.1-coco": 64,
    "yoloface-500k-v1": 64,
    "yolov3-tiny-aix2022": 64,
    "yolov4-tiny-aix2023": 64,
    "yolo-s-relu-person-gray160": 64,
}
"""Network and side of the images."""

MIXED = """
    convolutional filters=8 size=3 stride=2 pad=1 activation=leaky batch_normalize=1
    convolutional filters=8 groups=8 size=3 pad=1 activation=relu6 batch_normalize=1
    convolutional filters=12 activation=mish batch_normalize=1
    maxpool size=2 stride=2
    convolutional filters=12 groups=12 size=5 pad=1 activation=leaky batch_normalize=1
    shortcut from=-2 activation=linear
    convolutional filters=6 groups=2 size=3 pad=1 activation=swish
    upsample stride=2
    route layers=-1,2
    convolutional filters=10 size=3 pad=1 activation=leaky batch_normalize=1
    convolutional filters=5 activation=linear
"""
"""A little of everything; the last two layers are 9 and 10."""


@st.composite
def smooth_networks(draw: st.DrawFn) -> str:
    """Up to eight layers on one grid, without kinks, which would spoil differences."""
    channels, lines = [4], ["convolutional filters=4 activation=linear"]
    for _ in range(draw(st.integers(1, 7))):
        activation = draw(st.sampled_from("linear logistic tanh swish mish gelu".split()))
        back = draw(st.integers(1, min(len(lines), 4)))
        kind = draw(st.sampled_from("pointwise depthwise regular grouped route half shortcut sam".split()))
        norm = draw(st.sampled_from(["", " batch_normalize=1"]))
        filters, end = draw(st.sampled_from([2, 4, 6])), f"activation={activation}"
        now = channels[-1]
        line, count = {
            "pointwise": (f"convolutional filters={filters} {end}{norm}", filters),
            "depthwise": (f"convolutional filters={2 * now} groups={now} size=3 pad=1 {end}{norm}", 2 * now),
            "regular": (f"convolutional filters={filters} size=3 pad=1 {end}{norm}", filters),
            "grouped": (f"convolutional filters={filters} groups=2 size=3 pad=1 {end}{norm}", filters),
            "route": (f"route layers=-1,-{back}", now + channels[-back]),
            "half": ("route layers=-1 groups=2 group_id=1", now // 2),
            "shortcut": (f"shortcut from=-{back} {end}", now),
            "sam": (f"sam from=-{back} {end}", now),
        }[kind]
        if count % 2 or count > 16 or (kind == "sam" and channels[-back] != now):
            continue
        lines.append(line)
        channels.append(count)
    return "\n".join([*lines, "convolutional filters=2 activation=linear"])


@given(smooth_networks(), st.integers(1, 6), st.sampled_from([FROZEN, LIVE]))
@settings(max_examples=25)
def test_gradients_are_the_limits_of_differences(text: str, count: int, statistics: Statistics) -> None:
    """Along its own gradient, a loss rises by the gradient's length, for every array of any network."""
    built = network(text, height=4, width=5)
    rng = np.random.default_rng(0)
    images = rng.standard_normal((count, *built.input_shape)).astype(np.float32)
    last = len(built.layers) - 1
    with TrainingModel(built, outputs=[last], statistics=statistics) as model:
        gradient = rng.standard_normal(model.forward(images)[last].shape).astype(np.float32)
        model.backward({last: gradient})
        lengths = [float(np.linalg.norm(p.gradient.astype(np.float64))) for p in model.parameters]

        for p, length in zip(model.parameters, lengths, strict=True):
            if length < 1e-3 * max(lengths):
                continue
            value, direction = p.value.copy(), p.gradient.copy() / np.float32(length)
            step = np.float32(4e-3)
            losses = []
            for side in (step, -step):
                p.value[:] = value + side * direction
                losses.append(float(np.vdot(model.forward(images)[last].astype(np.float64), gradient)))
            p.value[:] = value

            assert (losses[0] - losses[1]) / (2 * float(step)) == pytest.approx(length, rel=0.02, abs=2e-3 * max(lengths))


@given(smooth_networks())
@settings(max_examples=15)
def test_the_forward_pass_equals_the_reference(text: str) -> None:
    """Of any network, image by image."""
    built = network(text, height=4, width=5)
    images = np.random.default_rng(0).standard_normal((5, *built.input_shape)).astype(np.float32)
    last = len(built.layers) - 1

    with TrainingModel(built, outputs=[last]) as model:
        found = model.forward(images)[last]

    for image, out in zip(images, found, strict=True):
        expected = built.forward(image)[last]
        np.testing.assert_allclose(out, expected, atol=1e-4 * np.abs(expected).max())


@pytest.mark.parametrize("threads", [2, 3, 4])
def test_gradients_do_not_depend_on_the_number_of_threads(threads: int) -> None:
    """Bit for bit, of 13 images in micro-batches."""
    built = network(MIXED, height=20, width=24)
    images = np.random.default_rng(0).standard_normal((13, *built.input_shape)).astype(np.float32)

    def trained(count: int) -> list[bytes]:
        with TrainingModel(built, outputs=[9, 10], threads=count) as model:
            outputs = model.forward(images)
            model.backward(outputs)
            return [*(out.tobytes() for out in outputs.values()), *(p.gradient.tobytes() for p in model.parameters)]

    assert trained(threads) == trained(1)


@pytest.mark.parametrize("statistics", [FROZEN, LIVE])
def test_steps_need_no_more_memory_as_they_go_on(statistics: Statistics) -> None:
    """What Python and NumPy hold after thirty steps is what they held after three."""
    built = network(MIXED, height=20, width=24)
    images = np.random.default_rng(0).standard_normal((9, *built.input_shape)).astype(np.float32)
    with TrainingModel(built, outputs=[10], threads=2, statistics=statistics) as model:

        def steps(count: int) -> None:
            for _ in range(count):
                model.backward(model.forward(images))

        steps(3)
        tracemalloc.start()
        try:
            steps(3)
            before = tracemalloc.get_traced_memory()[0]
            steps(27)
            grown = tracemalloc.get_traced_memory()[0] - before
        finally:
            tracemalloc.stop()

    assert grown < 20_000


def test_images_of_another_shape_make_a_new_plan() -> None:
    """Larger, fewer, and back again: the same gradients as a model that never saw others."""
    built = network(MIXED, height=20, width=24)
    rng = np.random.default_rng(0)
    first, second = (rng.standard_normal(shape).astype(np.float32) for shape in ((9, 3, 20, 24), (2, 3, 36, 28)))

    def gradients(model: TrainingModel, images: np.ndarray) -> list[bytes]:
        model.backward(model.forward(images))
        return [p.gradient.tobytes() for p in model.parameters]

    with TrainingModel(built, outputs=[10]) as model, TrainingModel(built, outputs=[10]) as other:
        seen = [gradients(model, images) for images in (first, second, first)]

        assert seen[2] == seen[0]
        assert gradients(other, second) == seen[1]


def test_gradients_that_are_not_given_count_as_nothing() -> None:
    """Of two outputs only one, whose later layers then have no gradient."""
    built = network(MIXED, height=20, width=24)
    images = np.random.default_rng(0).standard_normal((3, *built.input_shape)).astype(np.float32)
    with TrainingModel(built, outputs=[9, 10]) as model:
        outputs = model.forward(images)
        model.backward({9: outputs[9]})
        both = {(p.layer, p.name): p.gradient.copy() for p in model.parameters}

        assert not both.pop((10, "weights")).any()
        assert not both.pop((10, "biases")).any()
    with TrainingModel(built, outputs=[9]) as model:
        model.forward(images)
        model.backward({9: outputs[9]})
        for p in model.parameters:
            np.testing.assert_array_equal(p.gradient, both[p.layer, p.name])


def test_images_of_other_channels_are_refused() -> None:
    """With what was found and what was expected."""
    built = network(MIXED, height=20, width=24)

    with (
        TrainingModel(built, outputs=[10]) as model,
        pytest.raises(YolodscError, match=r"\(2, 1, 20, 24\); expected \(N, 3, H, W\)"),
    ):
        model.forward(np.zeros((2, 1, 20, 24), np.float32))


@pytest.mark.parametrize(("name", "side"), REAL.items(), ids=REAL.keys())
def test_gradients_of_a_real_network_equal_autograd(shared: Path, name: str, side: int) -> None:
    """Of every array, on images smaller than the cfg's."""
    pytest.importorskip("torch", reason="needs PyTorch as the oracle of gradients")
    from tests.training.peer import outcome

    built = Network.load(shared / f"data/models/{name}/{name}.cfg", shared / f"data/models/{name}/{name}.weights")
    net = built.cfg.net.replaced(height=side, width=side)
    small = Network.build(Cfg((net, *built.cfg.sections[1:]), built.cfg.file), profile=built.profile).with_weights(
        list(built.weights)
    )
    rng = np.random.default_rng(
        1
    )  # seed 0 puts an element 2e-6 before a relu of yolo-s, and its gradient is one side's or the other's
    images = rng.random((5, *small.input_shape), np.float32)
    heads = [head.index for head in built.heads]
    with TrainingModel(built, outputs=heads) as model:
        found = model.forward(images)
        gradients = {index: rng.standard_normal(out.shape).astype(np.float32) for index, out in found.items()}
        model.backward(gradients)
        expected, expected_gradients = outcome(small, images, gradients)

        for index in heads:
            np.testing.assert_allclose(found[index], expected[index], atol=1e-4 * np.abs(expected[index]).max())
        for p in model.parameters:
            expected_gradient = expected_gradients[p.layer, p.name]
            tolerance = 1e-4 * np.abs(expected_gradient).max()
            np.testing.assert_allclose(p.gradient, expected_gradient, atol=tolerance, err_msg=f"{p.layer} {p.name}")
