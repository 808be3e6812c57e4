"""The engine in bf16 against a rounding model: rounded factors, float32 sums, outputs within two units of bf16."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.conftest import GOLDEN, SHARED
from tests.engine.guards import Guards
from tests.engine.random_networks import networks
from tests.engine.test_known_networks import MICRO, REAL, referred
from tests.engine.test_random_networks import BLOCKS, tame
from tests.networks import image, network
from yolodsc.arrays import Array
from yolodsc.engine.plan.graph import is_convolution, is_depthwise
from yolodsc.engine.plan.planner import planned
from yolodsc.engine.runtime.fused_runner import FusedRunner
from yolodsc.jit import permitted
from yolodsc.jit.isa import Isa, available_isas
from yolodsc.network import ConvolutionalLayer, Network
from yolodsc.precision import bf16_convolution, round_bf16

METHODS = ("avx512-amx", "avx512-vdpbf16ps", "neon-bfdot")
UNIT = 2.0**-8
"""Distance of 1 from the next number of bf16, halved: a rounding changes a number by at most this part of it."""


def with_method(name: str) -> Isa:
    """An instruction set that multiplies bf16 with one instruction; the test is skipped where it is missing."""
    isa, method = name.split("-")
    found = available_isas().get(isa)
    if found is None or method not in permitted(found).bf16:
        pytest.skip(f"this processor has no {name}")
    return replace(found, bf16=(method, *(["vdpbf16ps"] if method == "amx" else [])))


def assert_convolutions_agree(made: Network, isa: Isa, x: Array, found: Sequence[Array]) -> None:
    """Every convolution's output is that of the model for the engine's own input."""
    for layer in made.layers:
        if not isinstance(layer, ConvolutionalLayer) or not is_convolution(layer) or is_depthwise(layer):
            continue
        source = layer.sources[0]
        inputs = x if source < 0 else found[source]
        with np.errstate(all="ignore"):
            expected = bf16_convolution(made, layer, inputs)
            exact = layer.forward([inputs], made.weights[layer.index])
        largest = max(float(np.abs(expected).max()), float(np.abs(inputs).max()), 1e-6)
        near = np.abs(found[layer.index] - expected) <= 4 * UNIT * np.abs(expected) + 1e-4 * largest
        through_winograd = np.abs(found[layer.index] - exact) <= 4 * UNIT * np.abs(exact) + 1e-4 * largest
        assert (near | through_winograd).all(), f"{layer.index} {isa.bf16}"


@pytest.mark.slow
@pytest.mark.parametrize("name", METHODS)
@settings(max_examples=25)
@given(made=networks(), threads=st.integers(1, 3))
def test_convolutions_of_any_network_agree_with_the_rounding_model(name: str, made: Network, threads: int) -> None:
    """Two units of bf16 for each layer given its input; nothing is read or written outside its buffers."""
    isa, x = with_method(name), image(made)
    outputs = range(len(made.layers))
    with np.errstate(all="ignore"):
        if not tame(made.forward(x)):
            return

    with pytest.MonkeyPatch.context() as patch:
        guards = Guards(patch)
        with FusedRunner(made, threads=threads, outputs=outputs, isa=isa, precision="bf16") as runner:
            guards.watch(runner)
            found = runner(x)

    assert guards.broken() == 0
    assert_convolutions_agree(made, isa, x, [found[index] for index in outputs])


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("micro", MICRO)
def test_micro_networks_agree_with_the_rounding_model(micro: str, name: str) -> None:
    """Every layer is an output."""
    isa = with_method(name)
    made, x, _ = referred(GOLDEN / "micro" / micro)
    outputs = range(len(made.layers))

    with FusedRunner(made, threads=2, outputs=outputs, isa=isa, precision="bf16") as runner:
        found = runner(x)

    assert_convolutions_agree(made, isa, x, [found[index] for index in outputs])


def close_results(made: Network, isa: Isa, x: Array) -> tuple[Array, Array]:
    """Outputs in bf16 and float32: see that the error is that of rounding, and that all numbers of threads give the same bits."""
    with FusedRunner(made, threads=1, outputs=[made.output], isa=isa) as runner:
        expected = runner(x)[made.output]

    results = []
    for threads in (1, 2, 3):
        with FusedRunner(made, threads=threads, outputs=[made.output], isa=isa, precision="bf16") as runner:
            results.append(runner(x)[made.output])

    assert np.sqrt(((results[0] - expected) ** 2).mean() / (expected**2).mean()) < 0.03
    for other in results[1:]:
        np.testing.assert_array_equal(other, results[0])
    return results[0], expected


@pytest.mark.parametrize("name", METHODS)
def test_fused_blocks_in_bf16_are_close_to_float32(name: str) -> None:
    """Residuals, pools, concatenations: the error is that of rounding, a few units of bf16; all numbers of threads agree."""
    isa = with_method(name)
    made = network(BLOCKS, height=48, width=52)

    found, expected = close_results(made, isa, image(made))

    assert not np.array_equal(found, expected)


@pytest.mark.slow
@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("real", REAL)
def test_real_networks_in_bf16_are_close_to_float32(real: str, name: str) -> None:
    """The inputs of all heads within a few percent of float32."""
    isa = with_method(name)
    made, x, expected = referred(SHARED / "data/models" / real / real)
    outputs = [layer.sources[0] for layer in made.heads] or [made.output]

    with FusedRunner(made, threads=2, outputs=outputs, isa=isa, precision="bf16") as runner:
        found = runner(x)

    for index in outputs:
        assert np.sqrt(((found[index] - expected[index]) ** 2).mean() / (expected[index] ** 2).mean()) < 0.06


def test_bf16_without_instructions_is_float32() -> None:
    """Where no instruction multiplies bf16 the plan is that of float32, tensors included."""
    isa = replace(next(iter(available_isas().values())), bf16=())
    made = network(BLOCKS, height=32, width=36)

    plans = [planned(made, [made.output], isa, precision) for precision in ("f32", "bf16")]

    names = [[(operation.name, operation.precision) for operation in plan.operations] for plan in plans]
    assert names[0] == names[1]


def test_the_model_rounds_to_the_nearest_bf16() -> None:
    """Half of a unit goes to the even neighbour."""
    numbers = np.array([1.0, 1.0 + UNIT, 1.0 + 3 * UNIT, -1.0 - UNIT * 1.01], np.float32)

    np.testing.assert_array_equal(round_bf16(numbers), np.array([1.0, 1.0, 1.0 + 4 * UNIT, -1.0 - 2 * UNIT], np.float32))
