"""He et al. 2019, Depth-wise Decomposition, as written, and the two baselines it is compared with."""

import numpy as np

from yolodsc.arrays import Floats
from yolodsc.decompose.factor.dense_forms import Narrow
from yolodsc.decompose.factor.forms import DepthwisePointwise
from yolodsc.decompose.factor.gram import Gram, Matrix
from yolodsc.decompose.factor.rrr import cholesky, reduced_rank


def weight_svd(W: Matrix, *, channels: int, rank: int = 1) -> DepthwisePointwise:
    """Network decoupling (Guo et al. 2018): singular vectors of each channel's weights, without data. O(C K^2 F K^2)."""
    left, values, right = np.linalg.svd(W.reshape(channels, -1, W.shape[1]), full_matrices=False)
    rank = min(rank, values.shape[1])
    D = (left[:, :, :rank] * values[:, None, :rank]).transpose(0, 2, 1)
    return DepthwisePointwise(np.ascontiguousarray(D), np.ascontiguousarray(right[:, :rank]))


def plain(W: Matrix, gram: Gram, *, rank: int = 1) -> DepthwisePointwise:
    """Algorithm 1 (eq. 5 to 7): for each channel the first right singular vectors of Y_i = X_i W_i. O(C K^2 F K^2).

    They are those of ``L' W_i`` with ``G_ii = L L'``: Y_i itself is never formed.
    """
    taps = gram.taps
    rank = min(rank, taps, W.shape[1])
    D = np.zeros((gram.channels, rank, taps))
    P = np.zeros((gram.channels, rank, W.shape[1]))
    for i in range(gram.channels):
        block = gram.block(i)
        L = cholesky(gram.G[block, block], ridge=1e-10)
        P[i] = np.linalg.svd(L.T @ W[block], full_matrices=False)[2][:rank]
        D[i] = (W[block] @ P[i].T).T
    return DepthwisePointwise(D, P)


def compensated(W: Matrix, gram: Gram, *, rank: int = 1) -> DepthwisePointwise:
    """Algorithm 2 (eq. 8, 9) with the signed error: each channel in turn fits its output plus the residual of the previous ones.

    The residual is kept as ``R = X'(Y - X W')``, W' being the weights so far, so each step is one reduced-rank regression and an
    update of R: O((C K^2)^2 F) in all. Where the targets come from another network than the patches (Algorithm 3), R starts with
    their whole difference, not only that of the channels already visited; `multilayer` uses the order of the paper.
    """
    rank = min(rank, gram.taps, W.shape[1])
    current, R = W.copy(), gram.T - gram.G @ W
    D = np.zeros((gram.channels, rank, gram.taps))
    P = np.zeros((gram.channels, rank, W.shape[1]))
    for i in range(gram.channels):
        b = gram.block(i)
        U, P[i] = reduced_rank(gram.G[b, b], R[b] + gram.G[b, b] @ current[b], rank=rank)
        D[i] = U.T
        new = U @ P[i]
        R -= gram.G[:, b] @ (new - current[b])
        current[b] = new
    return DepthwisePointwise(D, P)


def compensated_absolute(W: Matrix, X: Floats, *, channels: int) -> DepthwisePointwise:
    """Algorithm 2 with eq. 8 as printed: the error is accumulated as absolute values. It diverges, and is kept to show this.

    Needs the patches X (N, C K K) themselves. O(N C K^2 F).
    """
    x, taps = np.asarray(X, np.float64), W.shape[0] // channels
    E = np.zeros((len(x), W.shape[1]))
    D, P = np.zeros((channels, 1, taps)), np.zeros((channels, 1, W.shape[1]))
    for i in range(channels):
        b = slice(i * taps, (i + 1) * taps)
        Xi, Yi = x[:, b], x[:, b] @ W[b]
        U, P[i] = reduced_rank(Xi.T @ Xi, Xi.T @ (Yi + E), rank=1)
        D[i] = U.T
        E += np.abs(Yi - Xi @ (U @ P[i]))
    return DepthwisePointwise(D, P)


def multilayer(W: Matrix, gram: Gram, cross: Matrix, *, rank: int = 1) -> DepthwisePointwise:
    """Algorithm 3 (eq. 10): patches X from the decomposed network, targets Y' from the original.

    Errors are added up in the paper's order, channel by channel.

    Parameters
    ----------
    cross : (C K K, C K K)
        ``X' X0 / N`` of the decomposed network's patches X with the original's X0, centred.

    The paper passes the error matrix E of one layer to the next, whose number of columns differs; here it starts at 0. O((C
    K^2)^2 F).
    """
    rank = min(rank, gram.taps, W.shape[1])
    R = np.zeros_like(gram.T)
    D = np.zeros((gram.channels, rank, gram.taps))
    P = np.zeros((gram.channels, rank, W.shape[1]))
    for i in range(gram.channels):
        b = gram.block(i)
        target = cross[:, b] @ W[b]
        U, P[i] = reduced_rank(gram.G[b, b], R[b] + target[b], rank=rank)
        D[i] = U.T
        R += target - gram.G[:, b] @ (U @ P[i])
    return DepthwisePointwise(D, P)


def channel(gram: Gram, *, filters: int) -> Narrow:
    """Channel decomposition (Zhang et al. 2016; eq. 2 to 4): reduced-rank regression of all of Y on all of X. O((C K^2)^3)."""
    W1, W2 = reduced_rank(gram.G, gram.T, rank=filters)
    return Narrow(W1, W2, gram.channels)
