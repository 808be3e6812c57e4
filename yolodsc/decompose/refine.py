"""Refining a fitted form on what counts: the output behind the activation, and behind the max pool that follows it.

The fits see the layer's linear part alone. A rectifier forgives errors of negative outputs, a max pool those of the smaller
three of four. The loss here is the mean squared difference after both, on the patches themselves; L-BFGS moves all factors and
the bias from the fitted values, so the loss only falls. O(N C K^2 F) an iteration, its rows dealt out in eight parts.
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
"""Activations with a kink at 0 (or none), by their slope below it. Other activations are fitted as if they were linear."""


def refined(
    form: Form, biases: Matrix, X: Array, Y: Array, *, activation: str, window: int, iterations: int, pool: FitThreadPool
) -> tuple[Form, Matrix]:
    """The form and its bias (F,) after ``iterations`` of L-BFGS.

    Parameters
    ----------
    X : (N, C K K)
    Y : (N, F)
        Expected outputs before the activation.
    window
        How many consecutive rows one max-pool window takes in; 1 without a pool.
    """
    slope = NEGATIVE_SLOPE.get(activation, 1.0)
    if slope == 1.0 and window == 1:
        return form, biases
    form = form.balanced()
    expected = _pooled(_rectified(Y, slope), window)[0]
    cuts = np.linspace(0, len(expected), PARTS + 1).astype(int)
    parts = [_Part(X[a * window : b * window], expected[a:b], slope, window) for a, b in itertools.pairwise(cuts)]
    spread = float(np.sum(np.square(expected - expected.mean(axis=0), dtype=np.float64))) + 1e-30
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
        return value / spread, np.concatenate([*scaled, back_bias]) / spread

    z = np.concatenate([*((f / s).ravel() for f, s in zip(form.factors, scales, strict=True)), biases])
    found = scipy.optimize.minimize(objective, z, jac=True, method="L-BFGS-B", options={"maxiter": iterations, "maxcor": 20})
    return unpacked(found.x)


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """Some windows' rows: patches (n * window, C K K) and expected outputs (n, F)."""

    X: Array
    expected: Array
    slope: float
    window: int

    def loss(self, dense: Array, bias: Array) -> tuple[float, Matrix, Matrix]:
        """Sum of squares; its gradients by the dense weights (C K K, F) and the bias (F,)."""
        out = self.X @ dense + bias
        pooled, winners = _pooled(_rectified(out, self.slope), self.window)
        difference = pooled - self.expected
        back = _spread(2 * difference, winners, self.window)
        back *= np.where(out > 0, np.float32(1), np.float32(self.slope))
        value = float(np.sum(np.square(difference, dtype=np.float64)))
        return value, (self.X.T @ back).astype(np.float64), back.sum(axis=0, dtype=np.float64)


def _rectified(z: Array, slope: float) -> Array:
    return np.where(z > 0, z, z * np.float32(slope))


def _pooled(out: Array, window: int) -> tuple[Array, Ints | None]:
    """Greatest of each window's rows (N / window, F), and which row that is."""
    if window == 1:
        return out, None
    stacked = out.reshape(-1, window, out.shape[1])
    winners = stacked.argmax(axis=1)
    return np.take_along_axis(stacked, winners[:, None], axis=1)[:, 0], winners


def _spread(gradient: Array, winners: Ints | None, window: int) -> Array:
    """The gradient of `_pooled`: everything goes to the winners."""
    if winners is None:
        return gradient
    out = np.zeros((len(gradient), window, gradient.shape[1]), np.float32)
    np.put_along_axis(out, winners[:, None], gradient[:, None], axis=1)
    return out.reshape(-1, gradient.shape[1])
