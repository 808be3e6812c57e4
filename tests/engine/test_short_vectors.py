"""Tensors of few channels, and maxpools that are part of convolutions, in low precision."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.engine import test_bf16, test_int8
from tests.networks import image, network
from yolodsc.engine.operations.operation import LoweringContext
from yolodsc.engine.plan import convolutions
from yolodsc.engine.plan.placement import placed
from yolodsc.engine.plan.planner import planned
from yolodsc.engine.runtime.fused_runner import FusedRunner
from yolodsc.engine.runtime.program import kernels_of
from yolodsc.jit.isa import Isa
from yolodsc.network import Network
from yolodsc.precision import minmax_quantization, quantized_forward

NARROW = """convolutional filters=7 size=3 stride=2 pad=1 batch_normalize=1 activation=relu6
convolutional filters=8 size=1 batch_normalize=1 activation=relu6
convolutional filters=8 groups=8 size=3 pad=1 batch_normalize=1 activation=relu6
convolutional filters=4 size=1 batch_normalize=1 activation=linear
convolutional filters=6 size=1 batch_normalize=1 activation=leaky
convolutional filters=6 groups=6 size=5 pad=1 batch_normalize=1 activation=relu
convolutional filters=4 size=1 batch_normalize=1 activation=linear
shortcut from=-4 activation=linear
convolutional filters=5 size=1 activation=linear
"""
"""Blocks of 4 to 8 channels, with a residual."""

POOLED = """convolutional filters=8 size=3 pad=1 batch_normalize=1 activation=leaky
maxpool size=2 stride=2
convolutional filters=20 size=3 pad=1 batch_normalize=1 activation=relu6
maxpool size=2 stride=2
convolutional filters=32 size=3 pad=1 batch_normalize=1 activation=leaky
maxpool size=2 stride=2
convolutional filters=9 size=3 pad=1 activation=linear
"""

SIDES = {"narrow": (NARROW, 64, 64), "narrow odd": (NARROW, 40, 44), "pooled": (POOLED, 48, 64)}


@pytest.fixture
def made(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Network:
    """Return a network, all of whose maxpools become part of convolutions where they can."""
    monkeypatch.setattr(convolutions, "LARGE", 0)
    text, height, width = SIDES[request.param]
    return network(text, height=height, width=width)


def kernels(made: Network, isa: Isa, precision: Any, quantization: Any) -> list[Any]:
    """Return the kernels of a plan for one thread."""
    plan = placed(planned(made, [made.output], isa, precision, quantization), file="test").plan
    phases = [phase for operation in plan.operations for phase in operation.lower(LoweringContext(isa, 1)).phases]
    return kernels_of(phases)


@pytest.mark.parametrize("name", test_int8.METHODS)
@pytest.mark.parametrize("made", list(SIDES), indirect=True)
def test_they_equal_the_reference_in_int8(made: Network, name: str) -> None:
    """Bit for bit, with any number of threads."""
    isa, x = test_int8.with_method(name), image(made)
    quantization = minmax_quantization(made, [x])
    expected = quantized_forward(made, quantization, x)[made.output]

    for threads in (1, 2, 3):
        options: dict[str, Any] = {"outputs": [made.output], "isa": isa, "precision": "int8", "quantization": quantization}
        with FusedRunner(made, threads=threads, **options) as runner:
            np.testing.assert_array_equal(runner(x)[made.output], expected)


@pytest.mark.parametrize("name", test_bf16.METHODS)
@pytest.mark.parametrize("made", list(SIDES), indirect=True)
def test_they_are_close_to_float32_in_bf16(made: Network, name: str) -> None:
    """Within the error of rounding; all numbers of threads give the same bits."""
    test_bf16.close_results(made, test_bf16.with_method(name), image(made))


@pytest.mark.parametrize("name", ["avx512-vpdpbusd"])
def test_rows_of_few_channels_fill_long_vectors(name: str) -> None:
    """With AVX-512 neither a product nor a depthwise convolution of such a block uses short vectors."""
    isa, small = test_int8.with_method(name), network(NARROW, height=64, width=64)

    used = kernels(small, isa, "int8", minmax_quantization(small, [image(small)]))

    folded = [k for k in used if type(k).__name__ == "DepthwiseKernel"]
    assert folded and all(k.lanes < 16 and k.lanes * k.fold == 16 for k in folded)
    assert all(k.lanes == 16 for k in used if type(k).__name__ == "DotKernel" and k.activation != "linear")


@pytest.mark.parametrize("made", ["pooled"], indirect=True)
def test_a_maxpool_is_part_of_the_convolution(made: Network) -> None:
    """Both of a network's kinds of convolutions take the maxpool behind them; an output between them keeps them apart."""
    isa = test_int8.with_method("avx512-vpdpbusd")
    quantization = minmax_quantization(made, [image(made)])

    names = [operation.name for operation in planned(made, [made.output], isa, "int8", quantization).operations]
    apart = [operation.name for operation in planned(made, [0, made.output], isa, "int8", quantization).operations]

    assert sum("maxpool" in name for name in names) == 3 and "maxpool" not in names
    assert "maxpool" in apart


def test_limits_decide_whether_rounding_is_bounded() -> None:
    """Sums that may be more than 2^30 steps of their output are clipped before they become integers."""
    made = network("convolutional filters=8 size=1 activation=linear\n" * 2, height=16, width=16)
    isa, x = test_int8.with_method("avx512-vpdpbusd"), image(made)
    quantization = minmax_quantization(made, [x])
    scales = {0: replace(quantization.scales[0], scale=1e-12)}
    fine = replace(quantization, scales={**quantization.scales, **scales})

    found = []
    for each in (quantization, fine):
        used = kernels(made, isa, "int8", each)
        found.append({k.bounded for k in used if getattr(k, "y", "") == "u8" and hasattr(k, "bounded")})
        with FusedRunner(made, outputs=[0], isa=isa, precision="int8", quantization=each, threads=1) as runner:
            expected = quantized_forward(made, each, x)[0].astype(np.float32)
            scale = each.scales[0]
            np.testing.assert_array_equal(runner(x)[0], (expected - np.float32(scale.zero_point)) * np.float32(scale.scale))

    assert found == [{True}, {False}]
