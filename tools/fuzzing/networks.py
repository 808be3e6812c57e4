"""Target: networks of any layers with random weights, through the engine and through the reference.

A case is a cfg. What is not in it follows from its checksum: weights, images, threads, outputs. Every instruction set runs it.
"""

import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import pytest

from tests.engine.guards import Guards
from tools.fuzzing import scratch
from tools.fuzzing.cfg_text import TOKENS, mutated_cfg
from tools.fuzzing.target import Target
from yolodsc import engine
from yolodsc.arrays import Array
from yolodsc.darknet.cfg import read_cfg
from yolodsc.errors import CfgError, WeightsError
from yolodsc.jit.isa import available_isas
from yolodsc.network.network import Network

MAX_MULTIPLICATIONS, MAX_NUMBERS = 3_000_000, 200_000
"""Of one layer: the reference should not take long."""

MAX_LAYERS = 24
TOLERANCE = 1e-4
"""Of the largest number of a layer and of what it reads."""

TAME = 1e4
"""Layers with larger numbers, and what follows them, are not compared: differences of such have few digits left."""

_JUMPY = frozenset({"stair"})
"""Activations that turn the last bit of their input into a whole step."""


def run_network(data: bytes) -> None:
    """Equal outputs of all layers that can be compared, from engine and reference."""
    network = _built(data)
    if network is None:
        return
    rng = np.random.default_rng(zlib.crc32(data))
    network = network.with_weights([{name: _random(rng, name, a) for name, a in own.items()} for own in network.weights])
    images = rng.standard_normal((int(rng.integers(1, 3)), *network.input_shape)).astype(np.float32)
    with np.errstate(all="ignore"):
        expected = [network.forward(x) for x in images]
    layers, threads = len(network.layers), int(rng.integers(1, 4))
    outputs = list(range(layers)) if rng.integers(2) else [layers - 1]
    for isa in (*available_isas(), "none"):
        found = _executed(network, images, isa, threads, outputs)
        for number, reference in enumerate(expected):
            _compare(network, {index: found[index][number] for index in outputs}, reference, isa)


def _executed(network: Network, images: Array, isa: str, threads: int, outputs: list[int]) -> dict[int, Array]:
    """The engine's outputs for some images (N, C, H, W); nothing may be written outside of its buffers."""
    with _guarded(isa) as guards, engine.compile(network, threads, outputs, isa=isa) as runner:
        if guards is not None:
            guards.watch(runner)  # type: ignore[arg-type]
        with np.errstate(all="ignore"):
            found = runner(images)
        if guards is not None and guards.broken():
            raise AssertionError(f"{isa}: {guards.broken()} words written outside of their buffers")
    return found


def _built(data: bytes) -> Network | None:
    """The network of a cfg, None where it is refused or too large to try."""
    text = data.decode("utf-8", "surrogateescape")
    if text.count("[") > MAX_LAYERS or "tree=" in text or "map=" in text:
        return None
    path = scratch.file("fuzz.cfg", data)
    try:  # refuses what cannot be built before any array is made
        Network.load(path, scratch.file("empty.weights", bytes(20)))
    except WeightsError as error:
        if _count(str(error)) > MAX_NUMBERS:
            return None
    except CfgError:
        return None
    network = Network.build(read_cfg(path))
    small = all(layer.multiply_adds() <= MAX_MULTIPLICATIONS and layer.shape.size <= MAX_NUMBERS for layer in network.layers)
    return network if small and network.input_shape.size <= MAX_NUMBERS else None


def _count(message: str) -> int:
    """How many weights a message says are missing."""
    words = message.split()
    return int(words[words.index("numbers") - 1]) if "numbers" in words else 0


@contextmanager
def _guarded(isa: str) -> Iterator[Guards | None]:
    """Guard zones around the buffers of the fused engine."""
    if isa == "none":
        yield None
        return
    with pytest.MonkeyPatch.context() as patch:
        yield Guards(patch)


def _compare(network: Network, found: dict[int, Array], expected: Sequence[Array], isa: str) -> None:
    for layer in network.layers:
        jumpy = getattr(layer, "activation", "") in _JUMPY or getattr(layer, "xnor", False)
        if jumpy or not bool((np.abs(expected[layer.index]) < TAME).all()):
            return  # whatever follows depends on it
        if layer.index not in found:
            continue
        largest = max(float(np.abs(expected[i]).max()) for i in (layer.index, *(s for s in layer.sources if s >= 0)))
        error = float(np.abs(found[layer.index] - expected[layer.index]).max()) / max(largest, 1e-6)
        if not error < TOLERANCE:
            raise AssertionError(f"{isa}: layer {layer.index} [{layer.type}] differs by {error:.2g}")


def _random(rng: np.random.Generator, name: str, array: Array) -> Array:
    if name == "rolling_variance":
        return rng.uniform(0.3, 2, array.shape).astype(np.float32)
    scale = 1.0 if array.ndim < 2 else max(array[0].size, 1) ** -0.5
    return (scale * rng.standard_normal(array.shape)).astype(np.float32)


TARGETS = (Target(name="network", one=run_network, mutate=mutated_cfg, tokens=TOKENS),)
