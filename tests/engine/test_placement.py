"""Halos and offsets are values: compiling changes neither the plan nor the network."""

from dataclasses import fields

import numpy as np
import pytest

from tests.engine.test_random_networks import BLOCKS
from tests.networks import network
from yolodsc.engine.operations.operation import LoweringContext, Operation
from yolodsc.engine.plan.arena import lay_out
from yolodsc.engine.plan.halos import resolved_halos
from yolodsc.engine.plan.layout import Halo, Tensor, TensorView
from yolodsc.engine.plan.placement import placed
from yolodsc.engine.plan.planner import planned
from yolodsc.jit import Isa
from yolodsc.network import INPUT_INDEX

ISA = Isa("test", "", "", 32, ((8, 1.0),))


class Declares(Operation, eq=False):
    """An operation that only declares halos and strided views."""

    needed: tuple[tuple[Tensor, Halo], ...] = ()
    views: tuple[TensorView, ...] = ()

    def halos(self) -> tuple[tuple[Tensor, Halo], ...]:
        """Return the halos given."""
        return self.needed

    def strided_views(self) -> tuple[TensorView, ...]:
        """Return the views given."""
        return self.views


def tensors(count: int) -> list[Tensor]:
    """Return tensors of the same size."""
    return [Tensor(4, 4, 8, 1) for _ in range(count)]


def view(*members: Tensor) -> TensorView:
    """Return a view of one block of each."""
    return TensorView(tuple((tensor, 0) for tensor in members), tuple(range(8 * len(members))))


def test_a_halo_contains_all_that_operations_declare() -> None:
    """It is the maximum on each side."""
    (x,) = tensors(1)

    halos = resolved_halos([Declares("", (), 0, ((x, Halo(1, 0, 2, 0)),)), Declares("", (), 0, ((x, Halo(0, 3, 1, 0)),))])

    assert halos == {x: Halo(1, 3, 2, 0)}


@pytest.mark.parametrize("declared", range(4))
def test_tensors_that_strided_views_connect_have_one_halo(declared: int) -> None:
    """Any of them may declare it; other tensors have none."""
    *connected, other = tensors(5)
    a, b, c, d = connected
    halo = Halo(1, 2, 3, 4)

    halos = resolved_halos(
        [
            Declares("", (), 0, (), (view(a, b), view(c, d))),
            Declares("", (), 0, ((connected[declared], halo),), (view(d, b), view(other))),
        ]
    )

    assert halos == dict.fromkeys(connected, halo)


def test_offsets_of_buffers_that_live_together_differ() -> None:
    """A later buffer gets the offset of one that is no longer used; the buffers themselves do not change."""
    a, b, c = tensors(3)

    layout = lay_out({a: (0, 1), b: (1, 2), c: (2, 3)})

    assert layout.offsets[a] == layout.offsets[c] != layout.offsets[b]
    assert layout.size >= a.size + b.size
    assert a.offset == b.offset == c.offset == 0


def test_operations_are_frozen() -> None:
    """The test covers every field of every operation and tensor of a plan."""
    made = network(BLOCKS, height=24, width=20)
    plan = placed(planned(made, [len(made.layers) - 1], ISA), file="test.cfg").plan

    for operation in plan.operations:
        for member in (operation, *operation.reads, *operation.writes):
            with pytest.raises(AttributeError, match="immutable"):
                setattr(member, fields(member)[0].name, None)


@pytest.mark.parametrize("threads", [1, 2])
def test_lowering_twice_gives_the_same(threads: int) -> None:
    """Calls, constants and scratch memory are equal: operations keep no state."""
    made = network(BLOCKS, height=24, width=20)
    plan = placed(planned(made, [len(made.layers) - 1], ISA), file="test.cfg").plan
    context = LoweringContext(ISA, threads)

    for operation in plan.operations:
        first, second = operation.lower(context), operation.lower(context)

        assert first.phases == second.phases
        assert (first.scratch, first.tiles, first.constants.size) == (second.scratch, second.tiles, second.constants.size)
        for one, other in zip(first.constants.arrays, second.constants.arrays, strict=True):
            np.testing.assert_array_equal(one, other)


def test_placing_leaves_the_plan_unchanged() -> None:
    """Its tensors have neither halo nor offset afterwards, so that it can be placed again."""
    made = network(BLOCKS, height=24, width=20)
    plan = planned(made, [len(made.layers) - 1], ISA)

    first, second = placed(plan, file="test.cfg"), placed(plan, file="test.cfg")

    buffers = [buffer for operation in plan.operations for buffer in (*operation.reads, *operation.writes)]
    assert not any(buffer.offset or (isinstance(buffer, Tensor) and buffer.halo) for buffer in buffers)
    assert first.arena == second.arena > 0
    assert INPUT_INDEX not in plan.outputs
