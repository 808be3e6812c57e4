"""Reduced-rank regression, which is equivalent to the paper's GSVD (Takane & Hwang 2007), and regularized solves."""

import numpy as np
import scipy.linalg

from yolodsc.decompose.factor.gram import Matrix

RIDGE = 1e-8
"""Share of the mean diagonal that is added where a Gram matrix is inverted by Cholesky."""


def cholesky(G: Matrix, *, ridge: float = RIDGE) -> Matrix:
    """Lower factor of G plus a ridge; channels that are all zero get a tiny diagonal."""
    diagonal = ridge * np.trace(G) / len(G) + 1e-30
    return np.linalg.cholesky(G + diagonal * np.eye(len(G)))


def reduced_rank(G: Matrix, T: Matrix, *, rank: int, ridge: float = RIDGE) -> tuple[Matrix, Matrix]:
    """Best ``U V`` with ``min ||A - X U V||``, U (P, rank), V (rank, F), from ``G = X'X`` and ``T = X'A``.

    He 2019 eq. 9 with ``D_i = U``: singular vectors of ``inv(L) T`` for ``G = L L'``. O(P^2 F).
    """
    L = cholesky(G, ridge=ridge)
    left, values, right = np.linalg.svd(scipy.linalg.solve_triangular(L, T, lower=True), full_matrices=False)
    rank = min(rank, len(values))
    U = scipy.linalg.solve_triangular(L, left[:, :rank], lower=True, trans="T")
    return U, values[:rank, None] * right[:rank]


def scaled_solve(M: Matrix, b: Matrix, *, ridge: float) -> Matrix:
    """Solution of ``M x = b`` for M symmetric, positive semi-definite, scaled to a unit diagonal before the ridge is added."""
    scale = 1 / np.sqrt(np.maximum(np.diag(M), 1e-30))
    scaled = M * scale[:, None] * scale
    scaled[np.diag_indices(len(M))] += ridge
    column = scale.reshape((-1,) + (1,) * (b.ndim - 1))
    return column * scipy.linalg.solve(scaled, column * b, assume_a="pos")
