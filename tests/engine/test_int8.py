"""The engine in int8 equals the NumPy reference of the quantized network, bit for bit."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from numpy.typing import NDArray

from tests.conftest import GOLDEN, SHARED
from tests.engine.guards import Guards
from tests.engine.random_networks import networks
from tests.engine.test_known_networks import MICRO, REAL, referred
from tests.engine.test_random_networks import BLOCKS, tame
from tests.networks import image, network
from yolodsc.arrays import Array
from yolodsc.engine.runtime.fused_runner import FusedRunner
from yolodsc.jit import permitted
from yolodsc.jit.isa import Isa, available_isas
from yolodsc.network import INPUT_INDEX, ConvolutionalLayer, Layer, Network, ShortcutLayer
from yolodsc.precision import (
    Quantization,
    byte_tensors,
    dequantize,
    is_quantizable,
    minmax_quantization,
    passes_bytes,
    quantize,
    quantized_forward,
    quantized_layer,
)
from yolodsc.precision.tensors import is_alias, origin

METHODS = ("avx512-amx", "avx512-vpdpbusd", "avx512-pmaddwd", "avx2-vpdpbusd", "avx2-pmaddwd", "sse-pmaddwd", "neon-sdot")
PIECEWISE_LINEAR = {"linear", "relu", "relu6", "leaky", "revleaky", "relie", "ramp", "hardtan"}


def with_method(name: str) -> Isa:
    """An instruction set that multiplies bytes with one instruction; the test is skipped where it is missing."""
    isa, method = name.split("-")
    found = available_isas().get(isa)
    if found is None or method not in permitted(found).int8:
        pytest.skip(f"this processor has no {name}")
    return replace(found, int8=(method, *(["vpdpbusd"] if method == "amx" else [])))


def is_exact(layer: Layer, quantization: Quantization, isa: Isa) -> bool:
    """Whether every operation of a layer is rounded as in NumPy; SSE has no fused multiply-add."""
    if passes_bytes(layer):
        return True
    if getattr(layer, "activation", "linear") not in PIECEWISE_LINEAR:
        return False
    if isinstance(layer, ConvolutionalLayer):
        by_itself = layer.ordinary and layer.depthwise and layer.size <= 9
        fused = isa.name != "sse"
        return (quantization.precision(layer.index) == "int8" or (by_itself and fused)) and (fused or layer.activation != "ramp")
    plain = isinstance(layer, ShortcutLayer) and layer.weights_type == "none" and layer.alpha == layer.beta == 1
    return plain and all(shape == layer.shape for shape in layer.inputs)


def assert_layers_equal(made: Network, quantization: Quantization, isa: Isa, x: Array, found: Sequence[Array]) -> None:
    """Every layer's output is what the reference makes of the engine's own inputs."""
    tensors: dict[int, NDArray[np.generic]] = {INPUT_INDEX: x}
    tensors |= dict(enumerate(found))
    for index, scale in quantization.scales.items():
        tensors[index] = quantize(np.asarray(tensors[index], np.float32), scale)
    for layer in made.layers:
        if is_alias(layer):
            continue
        inputs = [tensors[origin(made, source)] for source in layer.sources]
        with np.errstate(all="ignore"):
            expected, output = quantized_layer(made, quantization, layer.index, inputs), tensors[layer.index]
        if is_exact(layer, quantization, isa):
            np.testing.assert_array_equal(output, expected, err_msg=f"{layer.index} {layer.type}")
        elif expected.dtype == np.uint8:
            assert np.abs(output.astype(int) - expected.astype(int)).max() <= 1, layer.type
        else:
            largest = max(np.abs(expected).max(), *(np.abs(np.asarray(i, np.float32)).max() for i in inputs), 1e-6)
            assert np.abs(output - expected).max() <= 2e-5 * largest, layer.type


class Case:
    """A network, its quantization, an image; shown as its cfg."""

    def __init__(self, net: Network, quantization: Quantization, x: Array) -> None:
        self.net, self.quantization, self.x = net, quantization, x

    def __repr__(self) -> str:
        layers = [f"[{layer.type}] {[f'{o.key}={o.value}' for o in layer.section.options]}" for layer in self.net.layers]
        return f"{self.net.input_shape} {layers} int8={sorted(self.quantization.weights)}"


@st.composite
def quantized(draw: st.DrawFn) -> Case:
    """Draw a network, a quantization of some of its layers, and an image."""
    made = draw(networks())
    x = image(made)
    with np.errstate(all="ignore"):
        outputs = made.forward(x)
    candidates = [layer.index for layer in made.layers if is_quantizable(layer)]
    chosen = [index for index in candidates if draw(st.sampled_from([True, True, True, False]))]
    stored = {index for group in byte_tensors(made, chosen) for index in group if index >= 0}
    if not all(np.isfinite(outputs[index]).all() and np.abs(outputs[index]).max() < 1e6 for index in stored):
        chosen = []
    with np.errstate(all="ignore"):
        return Case(made, minmax_quantization(made, [x], int8=chosen), x)


@pytest.mark.slow
@pytest.mark.parametrize("name", METHODS)
@settings(max_examples=25)
@given(made=quantized(), threads=st.integers(1, 3))
def test_every_layer_of_any_quantized_network_equals_the_reference(name: str, made: Case, threads: int) -> None:
    """Layers that round as NumPy does agree bit for bit, others within a step; nothing is read or written outside its buffers."""
    isa = with_method(name)
    net, quantization, x = made.net, made.quantization, made.x
    with np.errstate(all="ignore"):
        if not tame(net.forward(x)):
            return

    with pytest.MonkeyPatch.context() as patch:
        guards = Guards(patch)
        outputs = range(len(net.layers))
        with FusedRunner(net, threads=threads, outputs=outputs, isa=isa, precision="int8", quantization=quantization) as runner:
            guards.watch(runner)
            found = runner(x)

    assert guards.broken() == 0
    assert_layers_equal(net, quantization, isa, x, [found[index] for index in outputs])


@pytest.mark.slow
@pytest.mark.parametrize("name", METHODS)
@settings(max_examples=25)
@given(made=quantized(), threads=st.integers(1, 3))
def test_fusion_does_not_change_the_bits(name: str, made: Case, threads: int) -> None:
    """The last layer's output is the same whether all layers are stored or blocks are fused."""
    isa = with_method(name)
    net, quantization, x = made.net, made.quantization, made.x
    last = len(net.layers) - 1
    results = []
    for outputs in (range(last + 1), [last]):
        with FusedRunner(net, threads=threads, outputs=outputs, isa=isa, precision="int8", quantization=quantization) as runner:
            results.append(runner(x)[last])

    np.testing.assert_array_equal(results[0], results[1])


@pytest.mark.slow
@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("micro", MICRO)
def test_micro_networks_in_int8_equal_the_reference(micro: str, name: str) -> None:
    """All quantizable layers in int8, depthwise ones included."""
    isa = with_method(name)
    made, x, _ = referred(GOLDEN / "micro" / micro)
    chosen = [layer.index for layer in made.layers if is_quantizable(layer)]
    quantization = minmax_quantization(made, [x], int8=chosen)
    outputs = range(len(made.layers))

    with FusedRunner(made, threads=2, outputs=outputs, isa=isa, precision="int8", quantization=quantization) as runner:
        found = runner(x)

    assert_layers_equal(made, quantization, isa, x, [found[index] for index in outputs])


@pytest.mark.slow
@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("real", REAL)
def test_heads_of_real_networks_in_int8_equal_the_reference(real: str, name: str) -> None:
    """Fused, with any number of threads; the inputs of heads agree bit for bit."""
    isa = with_method(name)
    if isa.name == "sse":
        pytest.skip("SSE has no fused multiply-add: depthwise layers are rounded twice")
    made, x, _ = referred(SHARED / "data/models" / real / real)
    outputs = sorted({origin(made, layer.sources[0]) for layer in made.heads}) or [made.output]
    quantization = minmax_quantization(made, [x])
    expected = quantized_forward(made, quantization, x)

    for threads in (1, 2):
        with FusedRunner(made, threads=threads, outputs=outputs, isa=isa, precision="int8", quantization=quantization) as runner:
            found = runner(x)
        for index in outputs:
            scale = quantization.scales.get(index)
            values = expected[index] if scale is None else dequantize(expected[index], scale)
            np.testing.assert_array_equal(found[index], values)


def test_a_program_of_bytes_uses_the_instruction_that_the_processor_has() -> None:
    """The plan names int8 for every product, and f32 for what has no integers."""
    isa = next(iter(available_isas().values()))
    made = network(BLOCKS, height=32, width=36)
    quantization = minmax_quantization(made, [image(made)])

    with FusedRunner(made, threads=1, outputs=[made.output], isa=isa, precision="int8", quantization=quantization) as runner:
        named = {entry.name: entry.precision for entry in runner.entries()}

    assert all(precision == "int8" for name, precision in named.items() if name.startswith(("conv", "first", "expand")))
    assert "int8" in named.values()
