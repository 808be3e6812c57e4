"""Statistics of a network's tensors over calibration images: samples for the ranges, moments of patches for the rounding."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from yolodsc import engine
from yolodsc.arrays import Array
from yolodsc.decompose import Matrix, choose_positions, gather_patches
from yolodsc.network import INPUT_INDEX, ConvolutionalLayer, Network
from yolodsc.precision import TensorScale, dequantize, quantize, sources

SAMPLES = 2**19
"""Values of one tensor that are kept for its range."""

MIN_ROWS_PER_COLUMN = 12
"""Patches for each weight of a filter: fewer over-fit the rounding."""

MAX_MOMENT_WORK = 4e10
"""Multiplications for the moments of one layer."""


@dataclass(frozen=True, slots=True, eq=False)
class TensorSample:
    """Values of one tensor over the calibration images.

    Attributes
    ----------
    values : (C, n)
        At random pixels, the same for all channels.
    highest, lowest : (C,)
        Means over the images of the greatest value and of the greatest magnitude below 0 of each channel.
    """

    values: Array
    highest: Array
    lowest: Array

    def divided(self, factors: Matrix) -> "TensorSample":
        """The sample of the tensor whose channels are divided by ``factors`` (C,)."""
        values, highest, lowest = self.values / factors[:, None], self.highest / factors, self.lowest / factors
        return TensorSample(*(array.astype(np.float32) for array in (values, highest, lowest)))

    @property
    def ranges(self) -> Array:
        """Positive range that each channel needs, (C,), if the tensor's ratio of negative to positive range stays as it is."""
        ratio = self.lowest.max() / max(float(self.highest.max()), 1e-30)
        return np.maximum(self.highest, self.lowest / ratio) if ratio > 0 else self.highest


@dataclass(frozen=True, slots=True, eq=False)
class PatchMoments:
    """Moments of the patches x of every group of a convolution, and of x', the same patches rounded to their levels.

    Attributes
    ----------
    mean, exact_mean : (g, K)
        Of x' and of x.
    covariance : (g, K, K)
        Of x'.
    error_covariance : (g, K, K)
        Of x - x' with x': what the rounded patches tell about their rounding.
    """

    mean: Matrix
    exact_mean: Matrix
    covariance: Matrix
    error_covariance: Matrix


def sample_tensors(network: Network, images: Array, tensors: Sequence[int], *, threads: int, seed: int) -> dict[int, TensorSample]:
    """Samples of tensors by index, -1 being the image."""
    rng = np.random.default_rng(seed)
    values: dict[int, list[Array]] = {index: [] for index in tensors}
    extremes: dict[int, list[Array]] = {index: [] for index in tensors}
    outputs = sorted(index for index in tensors if index >= 0) or [network.output]
    with engine.compile(network, threads=threads, outputs=outputs) as runner:
        for image in images:
            found = runner(np.ascontiguousarray(image)) | {INPUT_INDEX: image}
            for index in tensors:
                x = found[index].reshape(len(found[index]), -1)
                count = min(max(SAMPLES // len(images) // len(x), 1), x.shape[1])
                values[index].append(x[:, rng.integers(x.shape[1], size=count)])
                extremes[index].append(np.maximum([x.max(axis=1), -x.min(axis=1)], 0))
    means = {index: np.stack(found).mean(axis=0) for index, found in extremes.items()}  # (2, C)
    return {i: TensorSample(np.concatenate(values[i], axis=1), means[i][0], means[i][1]) for i in tensors}


def patch_moments(
    network: Network, images: Array, layers: Sequence[int], scales: Mapping[int, TensorScale], *, threads: int, seed: int
) -> dict[int, PatchMoments]:
    """PatchMoments of the input patches of convolutions; inputs without a scale are not rounded."""
    convolutions = {i: layer for i in layers if isinstance(layer := network.layers[i], ConvolutionalLayer)}
    read = {i: sources(network, i)[0] for i in convolutions}
    drawn = {
        i: choose_positions(network, c, images=len(images), count=_rows(c, len(images)), seed=seed) for i, c in convolutions.items()
    }
    sums = {i: _Sums(c.groups, c.inputs[0].channels // c.groups * c.size**2) for i, c in convolutions.items()}
    outputs = sorted({index for index in read.values() if index >= 0}) or [network.output]
    with engine.compile(network, threads=threads, outputs=outputs) as runner:
        for n, image in enumerate(images):
            found = runner(np.ascontiguousarray(image)) | {INPUT_INDEX: image}
            for i, layer in convolutions.items():
                x = gather_patches(found[read[i]], layer, drawn[i].rows[n], drawn[i].columns[n])
                scale = scales.get(read[i])
                sums[i].add(x, x if scale is None else dequantize(quantize(x, scale), scale))
    return {i: total.moments() for i, total in sums.items()}


def _rows(layer: ConvolutionalLayer, images: int) -> int:
    """Patches of each image."""
    columns = layer.inputs[0].channels // layer.groups * layer.size**2
    minimum = MIN_ROWS_PER_COLUMN * columns / images
    maximum = MAX_MOMENT_WORK / (columns**2 * layer.groups * images)
    return int(max(min(max(minimum, 24), maximum), 4))


class _Sums:
    """Accumulated moments, each image's in float32, their sum in float64."""

    def __init__(self, groups: int, columns: int) -> None:
        self._first, self._errors = np.zeros((2, groups, columns))
        self._second, self._products = np.zeros((2, groups, columns, columns))
        self._rows = 0

    def add(self, exact: Array, rounded: Array) -> None:
        """Add patches (n, g K)."""
        parts, errors = (x.reshape(len(x), len(self._first), -1).transpose(1, 0, 2) for x in (rounded, exact - rounded))
        self._first += parts.sum(axis=1, dtype=np.float64)  # parts, errors: (g, n, K)
        self._errors += errors.sum(axis=1, dtype=np.float64)
        self._second += parts.transpose(0, 2, 1) @ parts
        self._products += errors.transpose(0, 2, 1) @ parts
        self._rows += len(exact)

    def moments(self) -> PatchMoments:
        mean, error = self._first / self._rows, self._errors / self._rows
        covariance = self._second / self._rows - mean[:, :, None] * mean[:, None, :]
        error_covariance = self._products / self._rows - error[:, :, None] * mean[:, None, :]
        return PatchMoments(mean, mean + error, covariance, error_covariance)
