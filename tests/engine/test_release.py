"""Weights of the plan are released once they are packed."""

import gc
import weakref
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
import pytest

from tests.engine.test_random_networks import BLOCKS
from tests.networks import network
from yolodsc.engine.plan.placement import placed
from yolodsc.engine.plan.planner import planned
from yolodsc.engine.runtime import compiled as compiling
from yolodsc.jit import Isa

ISA = Isa("test", "", "", 32, ((8, 1.0),))

NESTED = """\
convolutional filters=16 size=1 activation=relu6 batch_normalize=1
convolutional filters=96 size=1 activation=relu6 batch_normalize=1
convolutional filters=96 groups=96 size=3 pad=1 activation=relu6 batch_normalize=1
convolutional filters=16 size=1 activation=linear batch_normalize=1
"""
"""An inverted residual, whose operation holds its weights in parts."""


def arrays(value: Any) -> Iterator[weakref.ref[Any]]:
    """Return all arrays in a value and its parts."""
    if isinstance(value, np.ndarray):
        yield weakref.ref(value)
    elif is_dataclass(value):
        for field in fields(value):
            yield from arrays(getattr(value, field.name))


@pytest.mark.slow
def test_each_operation_releases_its_weights_before_the_next_is_lowered() -> None:
    """The parts of fused operations release theirs, too."""
    made = network(BLOCKS.rstrip() + "\n" + NESTED, height=48, width=40)
    pending = list(placed(planned(made, [len(made.layers) - 1], ISA), file="test.cfg").plan.operations)
    network_arrays = {id(array) for weights in made.weights for array in weights.values()}
    held = [[ref for ref in arrays(operation) if id(ref()) not in network_arrays] for operation in pending]
    assert max(map(len, held)) >= 6  # the inverted residual: three kernels, three biases

    for number, _ in enumerate(compiling._lowered(pending, ISA, 1)):
        gc.collect()

        assert not [ref for refs in held[:number] for ref in refs if ref() is not None]
        assert all(ref() is not None for refs in held[number + 1 :] for ref in refs)
