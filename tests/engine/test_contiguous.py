"""Products on AMX that read the blocks of a pixel side by side, and fused blocks whose rings exceed the cache."""

from typing import Any

import numpy as np
import pytest

from tests.engine import test_bf16, test_int8
from tests.engine.test_short_vectors import kernels
from tests.networks import image, network
from yolodsc.engine.codegen.dtypes import Element
from yolodsc.engine.codegen.kernels.contiguous import ContiguousKernel
from yolodsc.engine.codegen.kernels.depthwise import DepthwiseKernel
from yolodsc.engine.operations import inverted_residual
from yolodsc.engine.operations.layouts.contiguous import ContiguousPixels
from yolodsc.engine.plan.layout import Tensor, whole
from yolodsc.engine.runtime.fused_runner import FusedRunner
from yolodsc.network import Network
from yolodsc.precision import minmax_quantization, quantized_forward

DEEP = """convolutional filters=80 size=3 stride=2 pad=1 batch_normalize=1 activation=leaky
convolutional filters=144 size=1 batch_normalize=1 activation=leaky
convolutional filters=144 groups=144 size=3 pad=1 batch_normalize=1 activation=relu
convolutional filters=75 size=1 batch_normalize=1 activation=linear
route layers=-1,0
convolutional filters=50 size=1 batch_normalize=1 activation=leaky
convolutional filters=40 size=1 activation=linear
"""
"""Pointwise layers over five, nine and ten blocks; the last group of each is incomplete, and the concatenation has gaps."""

WIDE = """convolutional filters=12 size=3 stride=2 pad=1 batch_normalize=1 activation=leaky
convolutional filters=100 size=1 batch_normalize=1 activation=leaky
convolutional filters=100 groups=100 size=3 stride=2 pad=1 batch_normalize=1 activation=relu
convolutional filters=20 size=1 batch_normalize=1 activation=linear
convolutional filters=100 size=1 batch_normalize=1 activation=relu
convolutional filters=100 groups=100 size=5 pad=1 batch_normalize=1 activation=leaky
convolutional filters=20 size=1 batch_normalize=1 activation=linear
shortcut from=-4 activation=linear
convolutional filters=9 size=1 activation=linear
"""
"""Fused blocks with rings of several channel groups, 27 rows of outputs."""

SIZES = {"deep": (DEEP, 28, 20), "wide": (WIDE, 108, 104)}


@pytest.fixture
def made(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Network:
    """Return a network; rings of more than two blocks are divided."""
    monkeypatch.setattr(inverted_residual, "RING", 24 * 1024)
    text, height, width = SIZES[request.param]
    return network(text, height=height, width=width)


@pytest.mark.parametrize("name", test_int8.METHODS)
@pytest.mark.parametrize("made", list(SIZES), indirect=True)
def test_int8_equals_the_reference(made: Network, name: str) -> None:
    """Bit for bit, with any number of threads."""
    isa, x = test_int8.with_method(name), image(made)
    if isa.name == "sse":
        pytest.skip("SSE has no fused multiply-add: depthwise layers are rounded twice")
    quantization = minmax_quantization(made, [x])
    expected = quantized_forward(made, quantization, x)[made.output]

    for threads in (1, 2, 3):
        options: dict[str, Any] = {"outputs": [made.output], "isa": isa, "precision": "int8", "quantization": quantization}
        with FusedRunner(made, threads=threads, **options) as runner:
            np.testing.assert_array_equal(runner(x)[made.output], expected)


@pytest.mark.parametrize("name", test_bf16.METHODS)
@pytest.mark.parametrize("made", list(SIZES), indirect=True)
def test_bf16_is_close_to_float32(made: Network, name: str) -> None:
    """Within the error of rounding; all numbers of threads give the same bits."""
    test_bf16.close_results(made, test_bf16.with_method(name), image(made))


@pytest.mark.parametrize("made", ["deep", "wide"], indirect=True)
def test_amx_reads_whole_groups(made: Network, request: pytest.FixtureRequest) -> None:
    """Inputs are copied side by side where the products are deep; depthwise rows are written so where they are fused."""
    isa = test_int8.with_method("avx512-amx")

    used = kernels(made, isa, "int8", minmax_quantization(made, [image(made)]))

    copies = [kernel for kernel in used if isinstance(kernel, ContiguousKernel)]
    steps = [kernel.step for kernel in used if isinstance(kernel, DepthwiseKernel)]
    if "wide" in request.node.callspec.id:
        assert steps and all(step == 128 for step in steps)
    else:
        assert {(kernel.filled, kernel.parts) for kernel in copies} >= {(3, 3), (2, 3)}
    assert not any(isinstance(k, ContiguousKernel) for k in kernels(made, isa, "f32", None))


@pytest.mark.parametrize(("blocks", "groups", "per_group"), [(1, 1, 1), (4, 1, 4), (5, 2, 3), (9, 3, 3), (18, 5, 4)], ids=str)
def test_groups_are_few_and_equal(blocks: int, groups: int, per_group: int) -> None:
    """A group has at most 64 bytes, and no arrangement has fewer groups."""
    tensor = Tensor(2, 2, 16, blocks, element=Element("u8"))

    pixels = ContiguousPixels.of(whole(tensor, blocks * 16))

    assert (pixels.groups, pixels.per_group) == (groups, per_group)
    assert pixels.group <= 64 and pixels.pixel == groups * per_group * 16
