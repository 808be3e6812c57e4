"""Shortcuts of layers with different numbers of channels: the common ones are added, in blocks where they fill whole blocks."""

import numpy as np
import pytest

from tests.networks import image, network
from yolodsc.engine.plan.placement import placed
from yolodsc.engine.plan.planner import planned
from yolodsc.engine.runtime.fused_runner import FusedRunner
from yolodsc.engine.selection import select_backend

LAYERS = """convolutional filters={added} size=3 pad=1 stride=2 batch_normalize=1 activation=leaky
convolutional filters={previous} size=1 batch_normalize=1 activation=linear
shortcut from=-2 activation={activation}
convolutional filters=24 size=3 pad=1 activation=leaky
shortcut from=-3 activation={activation}
convolutional filters=5 size=1 activation=linear
"""


@pytest.mark.parametrize("activation", ["linear", "leaky"])
@pytest.mark.parametrize(("added", "previous"), [(32, 64), (64, 32), (20, 64), (64, 20), (48, 48)])
def test_common_channels_are_added_as_in_the_reference(added: int, previous: int, activation: str) -> None:
    """Every layer equals the reference: wider and narrower sources, and counts that end within a block."""
    net = network(LAYERS.format(added=added, previous=previous, activation=activation), height=20, width=28)
    x = image(net)
    expected = net.forward(x)

    for threads in (1, 3):
        with FusedRunner(net, threads=threads, outputs=range(len(net.layers)), isa=select_backend(None).isa) as runner:
            found = runner(x)
            for index, output in enumerate(expected):
                np.testing.assert_allclose(found[index], output, rtol=1e-5, atol=1e-5)


def test_whole_blocks_are_never_stored_as_planes() -> None:
    """Only the output is converted: a shortcut of 32 and 64 channels runs on blocks."""
    isa = select_backend(None).isa
    if isa is None:
        pytest.skip("no kernels on this machine")
    net = network(LAYERS.format(added=32, previous=64, activation="leaky"), height=20, width=28)
    operations = placed(planned(net, [net.output], isa, "f32", None), file="test").plan.operations

    assert [type(operation).__name__ for operation in operations if 2 in operation.layers] == ["Elementwise", "Elementwise"]
