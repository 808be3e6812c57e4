"""Refinement of a fitted form on the output after the activation and the max pool that follows it.

The fits use the linear part of the layer only. After a rectifier errors of negative outputs matter less, after a max pool those of
all but the largest value. The loss is the mean squared difference after both, on the patches; L-BFGS updates all factors and the
bias from the fitted values, and the loss never grows. An iteration costs O(N C K^2 F); its rows are split into eight tasks.
"""

import itertools
from dataclasses import dataclass

import numpy as np
import scipy.optimize

from yolodsc.arrays import Array, Ints
from yolodsc.decompose.factor.forms import Form, with_factors
from yolodsc.decompose.factor.gram import Matrix
from yolodsc.decompose.thread_pool import FitThreadPool

PARTS = 8

NEGATIVE_SLOPE = {"leaky": 0.1, "relu": 0.0, "linear": 1.0}
"""Slope below 0 of piecewise-linear activations. Other activations are treated as linear."""


def refined(
    form: Form, biases: Matrix, X: Array, Y: Array, *, activation: str, window: int, iterations: int, pool: FitThreadPool
) -> tuple[Form, Matrix]:
    """The form and its bias (F,) after ``iterations`` of L-BFGS.

    Parameters
    ----------
    X : (N, C K K)
    Y : (N, F)
        Target outputs before the activation.
    window
        Number of consecutive rows in one max-pool window; 1 without a pool.
    """
    slope = NEGATIVE_SLOPE.get(activation, 1.0)
    if slope == 1.0 and window == 1:
        return form, biases
    form = form.balanced()
    targets = _pooled(_rectified(Y, slope), window)[0]
    cuts = np.linspace(0, len(targets), PARTS + 1).astype(int)
    parts = [_Part(X[a * window : b * window], targets[a:b], slope, window) for a, b in itertools.pairwise(cuts)]
    variance = float(np.sum(np.square(targets - targets.mean(axis=0), dtype=np.float64))) + 1e-30
    shapes = [factor.shape for factor in form.factors]
    scales = [np.sqrt(np.mean(factor**2)) + 1e-12 for factor in form.factors]

    def unpacked(z: Matrix) -> tuple[Form, Matrix]:
        cuts = np.cumsum([int(np.prod(shape)) for shape in shapes])
        *factors, last = np.split(z, cuts)
        scaled = tuple(f.reshape(shape) * s for f, shape, s in zip(factors, shapes, scales, strict=True))
        return with_factors(form, scaled), last

    def objective(z: Matrix) -> tuple[float, Matrix]:
        candidate, b = unpacked(z)
        dense, bias = candidate.dense().astype(np.float32), b.astype(np.float32)
        losses = list(pool.map(lambda part: part.loss(dense, bias), parts))
        value, back, back_bias = (sum(terms) for terms in zip(*losses, strict=True))
        gradients = candidate.gradient(back)
        scaled = [(g * s).ravel() for g, s in zip(gradients, scales, strict=True)]
        return value / variance, np.concatenate([*scaled, back_bias]) / variance

    z = np.concatenate([*((f / s).ravel() for f, s in zip(form.factors, scales, strict=True)), biases])
    found = scipy.optimize.minimize(objective, z, jac=True, method="L-BFGS-B", options={"maxiter": iterations, "maxcor": 20})
    return unpacked(found.x)


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """The rows of some windows: patches (n * window, C K K) and target outputs (n, F)."""

    X: Array
    targets: Array
    slope: float
    window: int

    def loss(self, dense: Array, bias: Array) -> tuple[float, Matrix, Matrix]:
        """Sum of squares, and its gradients with respect to the dense weights (C K K, F) and the bias (F,)."""
        out = self.X @ dense + bias
        pooled, maxima = _pooled(_rectified(out, self.slope), self.window)
        difference = pooled - self.targets
        back = _unpooled(2 * difference, maxima, self.window)
        back *= np.where(out > 0, np.float32(1), np.float32(self.slope))
        value = float(np.sum(np.square(difference, dtype=np.float64)))
        return value, (self.X.T @ back).astype(np.float64), back.sum(axis=0, dtype=np.float64)


def _rectified(z: Array, slope: float) -> Array:
    return np.where(z > 0, z, z * np.float32(slope))


def _pooled(out: Array, window: int) -> tuple[Array, Ints | None]:
    """Maximum over the rows of each window (N / window, F), and the index of its row."""
    if window == 1:
        return out, None
    stacked = out.reshape(-1, window, out.shape[1])
    maxima = stacked.argmax(axis=1)
    return np.take_along_axis(stacked, maxima[:, None], axis=1)[:, 0], maxima


def _unpooled(gradient: Array, maxima: Ints | None, window: int) -> Array:
    """The gradient of `_pooled`, which is nonzero at the maxima only."""
    if maxima is None:
        return gradient
    out = np.zeros((len(gradient), window, gradient.shape[1]), np.float32)
    np.put_along_axis(out, maxima[:, None], gradient[:, None], axis=1)
    return out.reshape(-1, gradient.shape[1])
