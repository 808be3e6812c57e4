"""The fused engine compared with the reference on random networks, between guard zones."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.engine.guards import Guards
from tests.engine.random_networks import networks
from tests.networks import image, network
from yolodsc.arrays import Array
from yolodsc.engine.runtime.fused_runner import FusedRunner
from yolodsc.jit.isa import Isa, available_isas
from yolodsc.network.network import Network

NAMES = ("avx512", "avx2", "sse", "neon")


def instruction_set(name: str) -> Isa:
    """Return an instruction set of this machine; skip the test for others."""
    if name not in available_isas():
        pytest.skip(f"this processor has no {name}")
    return available_isas()[name]


def error(network: Network, index: int, output: Array, expected: Sequence[Array]) -> float:
    """Return the largest difference relative to the largest number of the layer and its inputs."""
    layer = network.layers[index]
    largest = max(float(np.abs(expected[i]).max()) for i in (index, *(s for s in layer.sources if s >= 0)))
    return float(np.abs(output - expected[index]).max()) / max(largest, 1e-6)


def tame(outputs: Sequence[Array]) -> bool:
    """Return whether all numbers are far from the limits: empty pool windows are -3e38, and sums of these depend on their order."""
    return all(bool((np.abs(output) < 1e30).all()) for output in outputs)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=120)
@given(made=networks(), threads=st.integers(1, 4), everything=st.booleans(), batch=st.integers(1, 3))
def test_any_network_equals_the_reference(name: str, made: Network, threads: int, everything: bool, batch: int) -> None:
    """Every output agrees within 1e-5; nothing is read before it is written, or written outside its tensor."""
    isa = instruction_set(name)
    outputs = range(len(made.layers)) if everything else [len(made.layers) - 1]
    images = np.stack([image(made, seed=number) for number in range(batch)])
    with np.errstate(all="ignore"):
        expected = [made.forward(x) for x in images]

    with pytest.MonkeyPatch.context() as patch:
        guards = Guards(patch)
        with FusedRunner(made, threads=threads, outputs=outputs, isa=isa) as runner:
            guards.watch(runner)
            found = runner(images)

    for number, reference in enumerate(expected):
        for index in outputs:
            if tame(reference[: index + 1]):
                assert error(made, index, found[index][number], reference) < 1e-5, made.layers[index].type
    assert guards.broken() == 0


BLOCKS = """
convolutional filters=13 size=3 stride=2 pad=1 activation=leaky batch_normalize=1
convolutional filters=40 size=1 activation=relu6 batch_normalize=1
convolutional filters=40 groups=40 size=3 pad=1 activation=relu6 batch_normalize=1
convolutional filters=13 size=1 activation=linear batch_normalize=1
shortcut from=-4 activation=linear
maxpool size=5 stride=1
route layers=-1,-2
convolutional filters=33 size=3 pad=1 activation=mish batch_normalize=1
convolutional filters=24 size=1 activation=linear
yolo classes=3 num=3 mask=0,1,2 anchors=10,12,10,12,10,12
"""


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 67), (61, 2), (37, 41), (96, 100)])
def test_blocks_of_any_size_equal_the_reference(height: int, width: int, name: str) -> None:
    """Fused blocks, pools, concatenations and Winograd run on tensors of one pixel, of prime sides, and larger than a strip."""
    isa = instruction_set(name)
    made = network(BLOCKS, height=height, width=width)
    x = image(made)
    expected = made.forward(x)

    with FusedRunner(made, threads=3, outputs=[len(expected) - 1], isa=isa) as runner:
        found = runner(x)

    assert error(made, len(expected) - 1, found[len(expected) - 1], expected) < 1e-5


@pytest.mark.parametrize(("channels", "filters", "groups"), [(64, 128, 32), (64, 64, 32), (48, 72, 3), (24, 24, 8), (36, 66, 6)])
def test_groups_that_do_not_fill_blocks_have_kernels_too(channels: int, filters: int, groups: int) -> None:
    """A block of lanes may hold many groups or a part of one; ResNeXt has 32 groups of 4."""
    text = f"""
convolutional filters={channels} size=1 activation=leaky
convolutional filters={filters} size=3 stride=2 pad=1 groups={groups} activation=mish batch_normalize=1
"""
    made = network(text, height=17, width=15)
    x = image(made)
    expected = made.forward(x)

    for isa in available_isas().values():
        with FusedRunner(made, threads=2, outputs=[1], isa=isa) as runner:
            entries, found = runner.entries(), runner(x)

        assert error(made, 1, found[1], expected) < 1e-5
        assert "convolutional" not in {entry.name for entry in entries}
        assert sum(entry.macs for entry in entries) == sum(layer.multiply_adds() for layer in made.layers)
