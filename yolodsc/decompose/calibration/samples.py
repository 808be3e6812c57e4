"""Running networks over the calibration images, and sampling their outputs."""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from yolodsc import engine
from yolodsc.arrays import Array
from yolodsc.convert import first_layers
from yolodsc.decompose.calibration import patches
from yolodsc.decompose.calibration.patches import SamplePositions
from yolodsc.decompose.factor.gram import Accumulator, Gram
from yolodsc.decompose.target import DecompositionTarget
from yolodsc.network import Network

BATCH = 8


@dataclass(frozen=True, slots=True, eq=False)
class OriginalSamples:
    """Samples of the original network's output at one convolution, over the calibration images.

    Attributes
    ----------
    positions
        Where the output was sampled.
    Y : (images M, F)
        Its output there, before the activation.
    """

    positions: SamplePositions
    Y: Array


def run(network: Network, images: Array, outputs: Sequence[int], *, threads: int) -> Iterator[tuple[int, dict[int, Array]]]:
    """Yield the number of each image and the outputs of some layers, (C, H, W) by index; -1 is the image."""
    indices = sorted({index for index in outputs if index >= 0})
    if not indices:
        yield from ((n, {-1: image}) for n, image in enumerate(images))
        return
    first = first_layers(network, indices[-1] + 1)
    with (
        engine.compile(first, threads=1, streams=threads, outputs=indices) as runner,
        ThreadPoolExecutor(runner.streams, "calibration") as pool,
    ):
        for begin in range(0, len(images), BATCH):
            for n, found in enumerate(pool.map(runner, images[begin : begin + BATCH]), start=begin):
                image: dict[int, Array] = {-1: images[n]}
                yield n, image | found


def of_original(
    network: Network, targets: Mapping[int, DecompositionTarget], images: Array, *, count: int, seed: int, threads: int
) -> dict[int, OriginalSamples]:
    """Sample positions and outputs of every target."""
    positions = {
        i: patches.choose_positions(network, t.layer, images=len(images), count=count, seed=seed) for i, t in targets.items()
    }
    parts: dict[int, list[Array]] = {i: [] for i in targets}
    sources = [t.layer.sources[0] for t in targets.values()]
    for n, outputs in run(network, images, sources, threads=threads):
        for i, target in targets.items():
            X = patches.gather_patches(
                outputs[target.layer.sources[0]], target.layer, positions[i].rows[n], positions[i].columns[n]
            )
            parts[i].append(apply(target, X))
    return {i: OriginalSamples(positions[i], np.concatenate(parts[i])) for i in targets}


def apply(target: DecompositionTarget, X: Array) -> Array:
    """The convolution before its activation on patches (N, C K K): (N, F)."""
    width = X.shape[1] // target.layer.groups
    parts = [X[:, g * width : (g + 1) * width].astype(np.float64) @ W for g, W in enumerate(target.matrices())]
    return (np.concatenate(parts, axis=1) + target.biases).astype(np.float32)


def inputs(
    network: Network, target: DecompositionTarget, source: int, positions: SamplePositions, images: Array, *, threads: int
) -> Array:
    """Input patches (images M, C K K) of a convolution, whose input is layer ``source`` of the network."""
    found = run(network, images, [source], threads=threads)
    return np.concatenate(
        [patches.gather_patches(outputs[source], target.layer, positions.rows[n], positions.columns[n]) for n, outputs in found]
    )


def gram(target: DecompositionTarget, X: Array, Y: Array) -> Gram:
    """Moments of patches and targets, gathered 4096 rows at a time."""
    layer = target.layer
    accumulator = Accumulator(channels=layer.inputs[0].channels, taps=layer.size**2, filters=layer.filters)
    for begin in range(0, len(X), 4096):
        accumulator.add(X[begin : begin + 4096], Y[begin : begin + 4096])
    return accumulator.gram()


def outputs_of(network: Network, images: Array, *, threads: int) -> list[Array]:
    """Inputs of the heads, or the output of a network without heads, for all images: (N, C, H, W) each."""
    indices = [head.sources[0] for head in network.heads] or [network.output]
    parts: dict[int, list[Array]] = {i: [] for i in indices}
    for _, outputs in run(network, images, indices, threads=threads):
        for i in indices:
            parts[i].append(outputs[i])
    return [np.stack(parts[i]) for i in indices]


def output_error(reference: Sequence[Array], other: Sequence[Array]) -> float:
    """||O - O'|| / ||O - mean||, with the mean of each channel; root mean square over the heads."""
    squares = []
    for a, b in zip(reference, other, strict=True):
        variance = np.sum(np.square(a - a.mean(axis=(0, 2, 3), keepdims=True), dtype=np.float64))
        squares.append(np.sum(np.square(a - b, dtype=np.float64)) / max(variance, 1e-30))
    return float(np.sqrt(np.mean(squares)))
