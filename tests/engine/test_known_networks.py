"""The fused engine compared with the reference on micro networks and real networks."""

from functools import cache
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import GOLDEN, SHARED
from tests.engine.test_random_networks import NAMES, instruction_set
from tests.networks import image
from yolodsc.arrays import Array
from yolodsc.engine.runtime.fused_runner import FusedRunner
from yolodsc.jit.isa import available_isas
from yolodsc.network.network import Network

MICRO = sorted(path.stem for path in (GOLDEN / "micro").glob("*.cfg"))
REAL = sorted(path.parent.name for path in (SHARED / "data/models").glob("*/*.weights") if path.parent.name != "_odd")
TOLERANCE = 1e-5


@cache
def referred(stem: Path) -> tuple[Network, Array, list[Array]]:
    """Return a network, an image and the reference's outputs, computed once for all tests."""
    made = Network.load(f"{stem}.cfg", f"{stem}.weights")
    x = np.abs(image(made)) / 4 if stem.is_relative_to(SHARED) else image(made)
    with np.errstate(all="ignore"):
        return made, x, made.forward(x)


def error(output: Array, expected: Array) -> float:
    """Return the largest difference relative to the largest number."""
    return float(np.abs(output - expected).max() / np.abs(expected).max())


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("micro", MICRO)
def test_every_layer_of_a_micro_network_equals_the_reference(micro: str, name: str) -> None:
    """Every layer is an output; a batch of two, all instruction sets and numbers of threads."""
    isa = instruction_set(name)
    made, x, expected = referred(GOLDEN / "micro" / micro)
    outputs = range(len(made.layers))

    for threads in (1, 2, 3, 4):
        with FusedRunner(made, threads=threads, outputs=outputs, isa=isa) as runner:
            found = runner(np.stack([x[:, ::-1], x]))

        worst = max(error(found[index][1], expected[index]) for index in outputs)
        assert worst < TOLERANCE, threads


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("micro", MICRO)
def test_the_last_layer_of_a_micro_network_equals_the_reference(micro: str, name: str) -> None:
    """All layers before it may be fused."""
    isa = instruction_set(name)
    made, x, expected = referred(GOLDEN / "micro" / micro)
    last = made.output

    with FusedRunner(made, threads=2, outputs=[last], isa=isa) as runner:
        found = runner(x)

    assert error(found[last], expected[last]) < TOLERANCE


@pytest.mark.slow
@pytest.mark.usefixtures("shared")
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("real", REAL or ["no real networks here"])
def test_the_heads_of_a_real_network_equal_the_reference(real: str, name: str) -> None:
    """All instruction sets, numbers of threads and fusions; with four threads some inner layers, too."""
    isa = instruction_set(name)
    made, x, expected = referred(SHARED / "data/models" / real / next((SHARED / "data/models" / real).glob("*.weights")).stem)
    heads = [head.index for head in made.heads] or [made.output]
    inner = range(2, len(made.layers), 9)

    for threads in (1, 2, 3, 4):
        outputs = sorted({*heads, *(inner if threads == 4 else ())})
        with FusedRunner(made, threads=threads, outputs=outputs, isa=isa) as runner:
            found = runner(x)

        worst = {index: error(found[index], expected[index]) for index in outputs}
        assert max(worst.values()) < TOLERANCE, (threads, worst)


@pytest.mark.usefixtures("shared")
@pytest.mark.skipif(not REAL, reason="no real networks here")
def test_every_layer_of_a_real_network_equals_the_reference() -> None:
    """Nothing is fused, since all layers are outputs."""
    made, x, expected = referred(SHARED / "data/models/yoloface-500k-v1/yoloface-500k-v1")
    outputs = range(len(made.layers))

    with FusedRunner(made, threads=3, outputs=outputs, isa=next(iter(available_isas().values()))) as runner:
        found = runner(x)

    assert max(error(found[index], expected[index]) for index in outputs) < TOLERANCE
