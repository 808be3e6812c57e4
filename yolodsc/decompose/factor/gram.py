"""Second moments of a layer's patches, from which all fits but one are computed.

With X (N, C K K) the input patches of the new layer and Y (N, F) its target outputs before the activation, both centred,
a dense candidate W has the squared error ``yy - 2 <T, W> + <W, G W>`` with ``G = X'X / N``, ``T = X'Y / N``, ``yy = ||Y||^2 / N``.
Gathering costs O(N (C K K)^2) once; no fit needs an N x F singular value decomposition.
"""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.blas import dsyrk

from yolodsc.arrays import Floats

Matrix = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Gram:
    """Centred moments of patches X and targets Y.

    Attributes
    ----------
    G : (C K K, C K K)
    T : (C K K, F)
    yy : float
        Mean squared length of the centred targets.
    mean_x : (C K K,)
    mean_y : (F,)
    channels, taps
        C and K K.
    samples
        N.
    """

    G: Matrix
    T: Matrix
    yy: float
    mean_x: Matrix
    mean_y: Matrix
    channels: int
    taps: int
    samples: int

    @classmethod
    def white(cls, weights: Matrix, *, channels: int) -> Self:
        """Moments of inputs of unit variance without correlation: fits on them are data-free."""
        rows, filters = weights.shape
        yy = float(np.sum(weights**2))
        return cls(np.eye(rows), weights.copy(), yy, np.zeros(rows), np.zeros(filters), channels, rows // channels, samples=0)

    @property
    def filters(self) -> int:
        """F."""
        return int(self.T.shape[1])

    def block(self, channel: int) -> slice:
        """Rows of one input channel."""
        return slice(channel * self.taps, (channel + 1) * self.taps)

    def error(self, weights: Matrix) -> float:
        """||Y - X W|| / ||Y|| of dense weights (C K K, F), after the best bias."""
        square = self.yy - 2 * np.sum(self.T * weights) + np.sum(weights * (self.G @ weights))
        return float(np.sqrt(max(square, 0.0) / max(self.yy, 1e-300)))

    def bias(self, weights: Matrix) -> Matrix:
        """Bias that gives the output the mean of the targets: (F,)."""
        return self.mean_y - self.mean_x @ weights

    def towards(self, T: Matrix, yy: float, mean_y: Matrix) -> Self:
        """The same patches with other targets."""
        return replace(self, T=T, yy=yy, mean_y=mean_y)


class Accumulator:
    """Moments accumulated over batches of patches, in float64."""

    def __init__(self, *, channels: int, taps: int, filters: int) -> None:
        rows = channels * taps
        self._channels, self._taps, self._samples = channels, taps, 0
        self._xx = np.zeros((rows, rows), order="F")  # upper triangle
        self._xy = np.zeros((rows, filters))
        self._x, self._y, self._yy = np.zeros(rows), np.zeros(filters), 0.0

    def add(self, X: Floats, Y: Floats) -> None:
        """Add patches (n, C K K) and targets (n, F)."""
        x, y = np.ascontiguousarray(X, np.float64), np.ascontiguousarray(Y, np.float64)
        self._xx = dsyrk(1.0, x.T, beta=1.0, c=self._xx, overwrite_c=True)
        self._xy += x.T @ y
        self._x += x.sum(axis=0)
        self._y += y.sum(axis=0)
        self._yy += float(np.sum(y * y))
        self._samples += len(x)

    def gram(self) -> Gram:
        """The centred moments so far; at least one sample must have been added."""
        n = self._samples
        mean_x, mean_y = self._x / n, self._y / n
        full = np.triu(self._xx) + np.triu(self._xx, 1).T
        G = full / n - np.outer(mean_x, mean_x)
        T = self._xy / n - np.outer(mean_x, mean_y)
        yy = self._yy / n - float(mean_y @ mean_y)
        return Gram(G, T, yy, mean_x, mean_y, self._channels, self._taps, n)


def moments(X: Floats, Y: Floats, *, channels: int, centre: str = "mean") -> Gram:
    """Moments of one batch; ``centre="none"`` leaves the means in, as the paper does, which has no bias term."""
    taps = X.shape[1] // channels
    if centre == "mean":
        accumulator = Accumulator(channels=channels, taps=taps, filters=Y.shape[1])
        accumulator.add(X, Y)
        return accumulator.gram()
    x, y = np.asarray(X, np.float64), np.asarray(Y, np.float64)
    n, zeros_x, zeros_y = len(x), np.zeros(x.shape[1]), np.zeros(y.shape[1])
    return Gram(x.T @ x / n, x.T @ y / n, float(np.sum(y * y)) / n, zeros_x, zeros_y, channels, taps, n)
