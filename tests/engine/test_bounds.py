"""Calls of a linked program stay inside their buffers, for windows far outside the input and for wrong plans."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.engine.guards import CANARY, ZONE, Guards
from tests.engine.random_networks import far_networks
from tests.engine.test_random_networks import BLOCKS, NAMES, error, instruction_set, tame
from tests.networks import image, network
from yolodsc.arrays import Array
from yolodsc.engine.plan import placement
from yolodsc.engine.plan.layout import CONSTANTS, MAX_BYTES, tagged_address
from yolodsc.engine.runtime import compiled as compiling
from yolodsc.engine.runtime import fused_runner as fused
from yolodsc.engine.runtime.bounds import Regions, check
from yolodsc.engine.runtime.compiled import compiled
from yolodsc.engine.runtime.fused_runner import FusedRunner
from yolodsc.engine.runtime.program import Program
from yolodsc.errors import EngineError
from yolodsc.jit.isa import select_isa
from yolodsc.network.network import Network

EVERYTHING = f"""{BLOCKS.strip()}
route layers=6
maxpool size=2 stride=2
maxpool size=3 stride=2 padding=2
upsample stride=2
convolutional filters=64 size=3 pad=1 activation=leaky
convolutional filters=64 size=3 pad=1 activation=leaky
avgpool
convolutional filters=64 size=1 activation=logistic
scale_channels from=-3 activation=linear
convolutional filters=64 groups=64 size=5 pad=1 dilation=2
activation activation=mish
"""
"""A network whose program calls every kernel there is."""


def between_zones(x: Array) -> tuple[Array, NDArray[np.uint32]]:
    """Return a copy of an image between zones of canaries, and that memory."""
    memory = np.full(x.size + 2 * ZONE, CANARY, np.uint32)
    inside = memory[ZONE : ZONE + x.size].view(np.float32).reshape(x.shape)
    inside[:] = x
    return inside, memory


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("threads", [1, 2])
@settings(max_examples=60)
@given(made=far_networks())
def test_windows_far_outside_the_input_stay_inside_the_buffers(name: str, threads: int, made: Network) -> None:
    """With padding of twenty rows and long strides the results equal the reference, and no guard zone is written."""
    isa = instruction_set(name)
    x, memory = between_zones(image(made))
    before = memory.copy()
    with np.errstate(all="ignore"):
        expected = made.forward(x)

    with pytest.MonkeyPatch.context() as patch:
        guards = Guards(patch)
        with FusedRunner(made, threads=threads, outputs=range(len(made.layers)), isa=isa) as runner:
            guards.watch(runner)
            found = runner(x)

    for index, layer in enumerate(made.layers):
        if tame(expected[: index + 1]):
            assert error(made, index, found[index], expected) < 1e-5, layer.type
    assert guards.broken() == 0
    np.testing.assert_array_equal(memory, before)


@pytest.mark.parametrize(
    ("layer", "height", "width"),
    [
        ("convolutional filters=8 size=3 stride=1 padding=40", 416, 416),
        ("convolutional filters=8 size=3 stride=1 padding=14", 32, 32),
        ("convolutional filters=8 size=1 stride=17 padding=2", 3, 32),
    ],
)
@pytest.mark.parametrize("threads", [1, 2])
def test_a_strip_of_the_first_convolution_may_lie_in_the_padding(layer: str, height: int, width: int, threads: int) -> None:
    """Such strips read zeros and nothing of the image."""
    made = network(f"{layer} activation=leaky", height=height, width=width)
    x = image(made)

    with pytest.MonkeyPatch.context() as patch:
        guards = Guards(patch)
        with FusedRunner(made, threads=threads, outputs=[0], isa=select_isa() or pytest.skip("no kernels")) as runner:
            found = guards.watch(runner) and runner(x)[0]

    assert error(made, 0, found, made.forward(x)) < 1e-5
    assert guards.broken() == 0


Linked = tuple[Program, dict[int, Any], list[Regions], NDArray[np.uint8]]


@pytest.fixture(scope="module")
def linked() -> Linked:
    """Return what the linker checks of a network that uses every kernel."""
    seen: list[Linked] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compiling, "check", lambda *arguments: seen.append(arguments))
        made = network(EVERYTHING, height=48, width=40)
        compiled(made, threads=2, outputs=[9, len(made.layers) - 1], isa=select_isa() or pytest.skip("no kernels"))
    return seen[0]


WRONG = {
    "AverageKernel": "x y blocks rows pixels",
    "ClearKernel": "y blocks rows vectors",
    "ConvKernel": "x weights biases y residual table segments groups rows tile_last",
    "DepthwiseKernel": "x0 x1 x2 weights biases y blocks rows tile_last",
    "TransposeKernel": "x y rows pixels",
    "MaxpoolKernel": "x y blocks rows tile_last",
    "PairKernel": "x r y blocks rows pixels",
    "AffineKernel": "x y channels rows floats",
    "UpsampleKernel": "x y blocks rows pixels",
    "WindowKernel": "x y blocks rows first_row columns first_column height",
    "WinogradInput": "x v blocks tile_rows tiles",
    "WinogradOutput": "m biases y blocks tile_rows tiles",
}
"""Arguments of every kernel that decide how far a call reaches."""


def changed(linked: Linked, kernel: str, argument: str, change: int) -> Program:
    """Return the program with ``change`` added to one argument of all calls of a kernel that use it."""
    program, kernels = linked[:2]
    words = program.words.copy()
    for start in program.calls:
        one = kernels[int(words[start])]
        if type(one).__name__ == kernel and not (argument == "residual" and not one.residual):
            words[start + 2 + one.arguments.index(argument)] += change
    assert not np.array_equal(words, program.words)
    return replace(program, words=words)


def test_a_right_program_passes(linked: Linked) -> None:
    """The network of these tests calls every kernel."""
    check(*linked)

    assert {type(kernel).__name__ for kernel in linked[1].values()} >= set(WRONG)


@pytest.mark.parametrize(("kernel", "argument"), [(k, a) for k, arguments in WRONG.items() for a in arguments.split()])
def test_a_call_that_leaves_its_buffers_is_refused(linked: Linked, kernel: str, argument: str) -> None:
    """Any address or count may be wrong; the error names the layer and the kernel."""
    with pytest.raises(EngineError, match=rf"test\.cfg:\d+: \[\w+\] {kernel} would "):
        check(changed(linked, kernel, argument, 10**7), *linked[1:])


@pytest.mark.parametrize("kernel", sorted(WRONG))
def test_a_call_that_writes_one_vector_too_early_is_refused(linked: Linked, kernel: str) -> None:
    """The check uses the bounds of each tensor, not only those of the arena."""
    written = {"WinogradInput": "v"}.get(kernel, "y")

    with pytest.raises(EngineError, match=rf"{kernel} would write"):
        for distance in range(4, 60_000, 4096):
            check(changed(linked, kernel, written, -distance), *linked[1:])


@pytest.mark.parametrize("argument", ["blocks", "rows", "pixels"])
def test_a_loop_of_no_turns_is_refused(linked: Linked, argument: str) -> None:
    """Kernels run every loop at least once."""
    program, kernels = linked[:2]
    words = program.words.copy()
    for start in program.calls:
        one = kernels[int(words[start])]
        if type(one).__name__ == "PairKernel":
            words[start + 2 + one.arguments.index(argument)] = 0

    with pytest.raises(EngineError, match="PairKernel"):
        check(replace(program, words=words), *linked[1:])


@pytest.mark.parametrize(("entry", "value"), [(0, 10**7), (0, -(10**7)), (1, 10**6), (1, 0)])
def test_a_table_that_leads_outside_is_refused(linked: Linked, entry: int, value: int) -> None:
    """Offsets and lengths of segments are checked like addresses."""
    program, kernels, _, constants = linked
    one = next(start for start in program.calls if type(kernels[int(program.words[start])]).__name__ == "ConvKernel")
    table = program.words[one + 2 + kernels[int(program.words[one])].arguments.index("table")] // 8
    wrong = constants.copy()
    wrong.view(np.int64)[table + entry] = value

    with pytest.raises(EngineError):
        check(program, kernels, linked[2], wrong)


@pytest.mark.parametrize("offset", [-64, MAX_BYTES])
def test_an_offset_that_does_not_fit_an_address_is_refused(offset: int) -> None:
    """A negative offset would otherwise name another base."""
    with pytest.raises(EngineError, match="has no address"):
        tagged_address(CONSTANTS, offset)


def test_an_arena_that_no_address_can_reach_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error is one line and precedes any allocation; the test lowers the limit, since cfg limits apply earlier."""
    made = network("convolutional filters=8 size=3 pad=1 activation=linear", height=64, width=64)
    monkeypatch.setattr(placement, "MAX_BYTES", 64 * 64 * 8 * 4)

    with pytest.raises(EngineError, match=r"^test\.cfg: tensors and their padding take \d+ bytes; expected less than 131072$"):
        FusedRunner(made, threads=1, outputs=[0], isa=select_isa() or pytest.skip("no kernels"))


def test_tensors_for_which_there_is_no_memory_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error is an `EngineError` of one line."""

    def full(_: int) -> NDArray[np.uint8]:
        raise MemoryError

    made, isa = network("convolutional filters=8 size=1"), select_isa() or pytest.skip("no kernels")
    shared = compiled(made, threads=1, outputs=[0], isa=isa)
    monkeypatch.setattr(fused, "aligned", full)

    with pytest.raises(EngineError, match=r"^test\.cfg: no memory for tensors of 0\.0 GB$"):
        FusedRunner(made, threads=1, outputs=[0], isa=isa, shared=shared)


@settings(max_examples=200)
@given(argument=st.integers(0, 18), value=st.integers(-(2**63), 2**63 - 1))
def test_no_number_overflows_the_check(linked: Linked, argument: int, value: int) -> None:
    """For any value of any argument of a convolution the check passes or raises an `EngineError`."""
    program, kernels = linked[:2]
    one = next(start for start in program.calls if type(kernels[int(program.words[start])]).__name__ == "ConvKernel")
    words = program.words.copy()
    words[one + 2 + argument] = value

    try:
        check(replace(program, words=words), *linked[1:])
    except EngineError:
        return
    harmless = kernels[int(words[one])].arguments[argument]
    assert (
        abs(value) < 2**50
        or "residual" in harmless
        or harmless in ("row_x", "row_y", "group_y", "group_weights", "block_y", "tiles")
    )
