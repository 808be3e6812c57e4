"""Activations of the fused engine for NaN and infinity agree with the reference."""

import numpy as np
import pytest

from tests.engine.test_random_networks import NAMES, instruction_set
from tests.networks import network
from yolodsc import engine
from yolodsc.arrays import Array
from yolodsc.engine.codegen.epilogue import ACTIVATIONS
from yolodsc.engine.runtime.fused_runner import FusedRunner
from yolodsc.network.reference.activations import activate

ODD = np.array([0xFFC0DEAD, 0x7FC00001, 0x7F800001, 0xFFFFFFFF], np.uint32).view(np.float32)
"""NaNs of either sign with bits set everywhere: none may become a number on the way."""

NUMBERS = np.concatenate([ODD, np.array([np.nan, np.inf, -np.inf, 3e38, -3e38, 1e4, -1e4, 100, -100, 0.5, -0.5, 0], np.float32)])


def numbers() -> Array:
    """Return (5, 4, 16) with every number in every channel, next to each of the others."""
    return np.stack([np.resize(np.roll(NUMBERS, shift), (4, 16)) for shift in range(5)])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("activation", sorted(ACTIVATIONS))
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_what_is_no_number_comes_out_as_in_the_reference(activation: str, name: str) -> None:
    """NaN gives NaN, infinity follows the reference, and numbers agree within 1e-5 of the range of float32."""
    made = network(f"activation activation={activation}", channels=5, height=4, width=16)
    x = numbers()
    expected = activate(x, activation)

    with FusedRunner(made, threads=1, outputs=[0], isa=instruction_set(name)) as runner:
        found = runner(x)[0]
        names = {entry.name for entry in runner.entries()}

    assert "activation" in names
    np.testing.assert_array_equal(np.isnan(found), np.isnan(expected))
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("isa", [None, "none"])
@pytest.mark.parametrize("layer", ["size=1", "size=1 groups=16", "size=1 stride=2"])
@pytest.mark.parametrize("activation", sorted(ACTIVATIONS))
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_biases_that_are_no_numbers_go_through_every_executor(activation: str, layer: str, isa: str | None) -> None:
    """Convolutions apply their own activations, FastDSC applies them in separate kernels."""
    made = network(f"convolutional filters=16 {layer} activation={activation}", channels=16, height=3, width=16)
    made = made.with_weights([{"weights": 0 * made.weights[0]["weights"], "biases": NUMBERS}])
    x = np.ones(made.input_shape, np.float32)

    with engine.compile(made, isa=isa) as runner:
        found = runner(x)[0]

    np.testing.assert_allclose(found, made.forward(x)[0], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("isa", [None, "none"])
@pytest.mark.parametrize("size", [2, 3, 5])
def test_the_largest_of_nothing_but_minus_infinity(size: int, isa: str | None) -> None:
    """The maximum is minus infinity, not the lowest float."""
    made = network(f"maxpool size={size} stride=1", channels=3, height=6, width=6)

    with engine.compile(made, isa=isa) as runner:
        found = runner(np.full(made.input_shape, -np.inf, np.float32))[0]

    assert (found == -np.inf).all()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("activation", ["linear", "logistic", "relu", "relu6", "leaky", "mish", "swish"])
@pytest.mark.parametrize("layer", ["size=3 pad=1", "size=1", "size=3 pad=1 groups=16"])
def test_biases_that_are_nan_give_nan(layer: str, activation: str, name: str) -> None:
    """A network of broken weights finds nothing instead of objects of score 1."""
    made = network(f"convolutional filters=16 {layer} activation={activation}", channels=16, height=9, width=7)
    weights = {**made.weights[0], "biases": np.full(16, np.nan, np.float32)}
    made = made.with_weights([weights])

    with FusedRunner(made, threads=1, outputs=[0], isa=instruction_set(name)) as runner:
        found = runner(np.ones(made.input_shape, np.float32))[0]

    assert np.isnan(found).all()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "layer",
    [
        "maxpool size=2 stride=2",
        "maxpool size=3 stride=2 padding=2",
        "maxpool size=5 stride=1",
        "avgpool",
        "upsample stride=2",
        "shortcut from=-2 activation=linear",
        "sam from=-2 activation=linear",
        "yolo classes=3 num=2 mask=0,1 anchors=10,12,10,12",
        "local_avgpool size=2 stride=1",
        "scale_channels from=-2 activation=linear",
    ],
)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_layers_hand_on_what_is_no_number(layer: str, value: float, name: str) -> None:
    """A NaN spreads to the layers that read it, in the reference and in the engine."""
    before = "avgpool" if layer.startswith("scale") else "activation activation=linear"
    made = network(f"activation activation=linear\n{before}\n{layer}", channels=16, height=7, width=6)
    x = np.random.default_rng(0).standard_normal(made.input_shape).astype(np.float32)
    x[::3, 2, 3] = x[1::5, 5, 5] = x[2, 0, 0] = value
    expected = made.forward(x)[2]

    with FusedRunner(made, threads=1, outputs=[2], isa=instruction_set(name)) as runner:
        found = runner(x)[2]

    np.testing.assert_array_equal(np.isnan(found), np.isnan(expected))
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
