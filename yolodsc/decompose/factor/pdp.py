"""Pointwise, depthwise, pointwise: CP decomposition of the weights in the metric of the data, by variable projection."""

import numpy as np
import scipy.optimize

from yolodsc.decompose.factor.forms import Pdp
from yolodsc.decompose.factor.gram import Gram, Matrix
from yolodsc.decompose.factor.rrr import scaled_solve

RIDGE = 1e-6


def fit(gram: Gram, *, components: int, iterations: int = 60, seed: int = 0, start: Pdp | None = None) -> Pdp:
    """M components with the least error on ``gram``.

    The last factor is a closed form of the first two (an M x M system), L-BFGS optimizes these; the gradient is that of fixed B
    (variable projection). O((C K^2)^2 M) an iteration.

    Parameters
    ----------
    components
        M.
    seed
        Of the random start.
    start
        A fit with fewer components, which become the initial components, so that the error does not grow with M.
    """
    c, taps, m = gram.channels, gram.taps, components
    scale = np.sqrt(np.maximum(np.diag(gram.G).reshape(c, taps).mean(axis=1), 1e-30))[:, None]  # (C, 1)
    A, S = _start(gram, m, seed, start)

    def objective(z: Matrix) -> tuple[float, Matrix]:
        A, S = z[: c * m].reshape(c, m) / scale, z[c * m :].reshape(m, taps)
        form, GP = _projected(gram, A, S)
        residual = GP @ form.B - gram.T  # (C K K, F), half the gradient at the dense weights
        value = gram.yy + float(np.sum((residual - gram.T) * form.dense()))
        dA, dS, _ = form.gradient(2 * residual)
        return value / gram.yy, np.concatenate([(dA / scale).ravel(), dS.ravel()]) / gram.yy

    z = np.concatenate([(A * scale).ravel(), S.ravel()])
    options = {"maxiter": iterations, "maxcor": 20}
    z = scipy.optimize.minimize(objective, z, jac=True, method="L-BFGS-B", options=options).x  # type: ignore[call-overload]
    found, _ = _projected(gram, z[: c * m].reshape(c, m) / scale, z[c * m :].reshape(m, taps))
    return found.balanced()


def _start(gram: Gram, m: int, seed: int, start: Pdp | None) -> tuple[Matrix, Matrix]:
    """Random A of unit output, S near the centre tap."""
    random = np.random.default_rng(seed)
    c, taps = gram.channels, gram.taps
    scale = np.sqrt(np.maximum(np.diag(gram.G).reshape(c, taps).mean(axis=1), 1e-30))[:, None]
    A = random.standard_normal((c, m)) / scale / np.sqrt(c)
    S = 0.3 * random.standard_normal((m, taps))
    S[:, taps // 2] += 1
    if start is not None:
        k = min(m, start.rank)
        A[:, :k], S[:k] = start.A[:, :k], start.S[:k]
    return A, S


def _projected(gram: Gram, A: Matrix, S: Matrix) -> tuple[Pdp, Matrix]:
    """The form with the best B for A and S, and G times its atoms (C K K, M)."""
    atoms = Pdp(A, S, np.empty((0, 0))).atoms()
    GP = gram.G @ atoms
    B = scaled_solve(atoms.T @ GP, atoms.T @ gram.T, ridge=RIDGE)
    return Pdp(A, S, B), GP
