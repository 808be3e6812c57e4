"""Pointwise, then depthwise: each filter is an independent product ``p_f (C) x s_f (K K)``."""

import numpy as np
import scipy.linalg

from yolodsc.decompose.factor.forms import PointwiseDepthwise
from yolodsc.decompose.factor.gram import Gram, Matrix

RIDGE = 1e-6


def fit(W: Matrix, gram: Gram, *, iterations: int = 15) -> PointwiseDepthwise:
    """Bilinear least squares for each filter, from the singular vectors of its weights. O(F (C^2 K^4 + C^3)) an iteration."""
    c, taps = gram.channels, gram.taps
    blocks = gram.G.reshape(c, taps, c, taps)
    by_tap = np.ascontiguousarray(blocks.transpose(1, 3, 0, 2)).reshape(taps * taps, c * c)
    by_channel = np.ascontiguousarray(blocks.transpose(0, 2, 1, 3)).reshape(c * c, taps * taps)
    targets = gram.T.reshape(c, taps, -1)
    P, S = np.zeros((c, W.shape[1])), np.zeros((W.shape[1], taps))
    for f in range(W.shape[1]):
        start = W[:, f].reshape(c, taps)
        P[:, f], S[f] = _filter(by_tap, by_channel, targets[:, :, f], start, iterations)
    return PointwiseDepthwise(P, S)


def _filter(by_tap: Matrix, by_channel: Matrix, target: Matrix, start: Matrix, iterations: int) -> tuple[Matrix, Matrix]:
    """One filter's p (C,) and s (K K,), alternating until the explained part grows by less than 1e-6."""
    c, taps = start.shape
    s = np.linalg.svd(start, full_matrices=False)[2][0]
    p, explained = np.zeros(c), 0.0
    for _ in range(iterations):
        p = _solve((np.outer(s, s).ravel() @ by_tap).reshape(c, c), target @ s)
        s = _solve((np.outer(p, p).ravel() @ by_channel).reshape(taps, taps), p @ target)
        now = float(p @ target @ s)
        norm = np.linalg.norm(s) + 1e-30
        s, p = s / norm, p * norm
        if abs(now - explained) < 1e-6 * abs(now):
            break
        explained = now
    return p, s


def _solve(M: Matrix, b: Matrix) -> Matrix:
    diagonal = RIDGE * np.trace(M) / len(M) + 1e-30
    return scipy.linalg.solve(M + diagonal * np.eye(len(M)), b, assume_a="pos")
