"""Depthwise, then pointwise, all channels at once: alternating least squares on the moments."""

import numpy as np

from yolodsc.decompose.factor import paper
from yolodsc.decompose.factor.forms import DepthwisePointwise
from yolodsc.decompose.factor.gram import Gram, Matrix
from yolodsc.decompose.factor.rrr import scaled_solve

RIDGE = 1e-6
TOLERANCE = 1e-4


def fit(W: Matrix, gram: Gram, *, rank: int = 1, iterations: int = 30) -> DepthwisePointwise:
    """The best of ALS from Algorithm 2 at this rank; the start's factors are those of `paper.compensated`."""
    return alternate(gram, paper.compensated(W, gram, rank=rank), iterations=iterations)


def alternate(gram: Gram, start: DepthwisePointwise, *, iterations: int = 30) -> DepthwisePointwise:
    """Lower the error of ``start`` by solving for P given D and D given P until it falls by less than 1e-4 of itself.

    Each half step is a linear least-squares problem over all channels, so the error never grows, beyond the ridge of 1e-6; the
    result is never worse than ``start``. O((C R)^3 + (C R K^2)^3) a step.
    """
    best, best_error = start, gram.error(start.dense())
    D = start.D
    for _ in range(iterations):
        P = _pointwise(gram, D)
        D = _depthwise(gram, P)
        norm = np.linalg.norm(D, axis=2, keepdims=True) + 1e-30
        D = D / norm
        candidate = DepthwisePointwise(D, P * norm)
        error = gram.error(candidate.dense())
        gain = best_error - error
        if error < best_error:
            best, best_error = candidate, error
        if gain < TOLERANCE * best_error:
            break
    return best


def _pointwise(gram: Gram, D: Matrix) -> Matrix:
    """P (C, R, F) for fixed D: normal equations of X blkdiag(D)."""
    c, r, taps = D.shape
    half = np.matmul(D, gram.G.reshape(c, taps, c * taps)).reshape(c * r, c, taps)  # (C R, C, K K)
    M = np.einsum("ajl,jsl->ajs", half, D, optimize=True).reshape(c * r, c * r)
    b = np.matmul(D, gram.T.reshape(c, taps, -1)).reshape(c * r, -1)
    return scaled_solve(M, b, ridge=RIDGE).reshape(c, r, -1)


def _depthwise(gram: Gram, P: Matrix) -> Matrix:
    """D (C, R, K K) for fixed P: ``(G o (PP' (x) 1)) vec D = vec(T P')``."""
    c, r, filters = P.shape
    taps = gram.taps
    flat = P.reshape(c * r, filters)
    products = (flat @ flat.T).reshape(c, r, c, r)
    H = gram.G.reshape(c, 1, taps, c, 1, taps) * products[:, :, None, :, :, None]
    b = np.matmul(P, gram.T.reshape(c, taps, filters).transpose(0, 2, 1))  # (C, R, K K)
    size = c * r * taps
    return scaled_solve(H.reshape(size, size), b.reshape(size), ridge=RIDGE).reshape(c, r, taps)
