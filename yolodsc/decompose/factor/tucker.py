"""Pointwise, a smaller k x k convolution, pointwise: Tucker-2 decomposition in the metric of the data, by variable projection.

Kalle et al. 2025 (arXiv 2511.04494) alternate over the factors in the metric of the inputs' second moments. Here only the first
factor A (C, R) is searched: for fixed A, the k x k core and the last factor together are a reduced-rank regression on the
projected moments, whose global optimum is known. L-BFGS searches A; the gradient is that of the fixed optimum.
"""

import numpy as np
import scipy.optimize

from yolodsc.decompose.factor.dense_forms import Squeezed, Tucker
from yolodsc.decompose.factor.gram import Gram, Matrix
from yolodsc.decompose.factor.rrr import reduced_rank

RIDGE = 1e-7


def fit(gram: Gram, *, inner: int, outer: int, iterations: int = 25, start: Matrix | None = None) -> Tucker | Squeezed:
    """Chain with ``inner`` channels before and ``outer`` after the k x k convolution.

    Parameters
    ----------
    inner, outer
        R and M. With M = F there is no last factor.
    start : (C, R)
        First A; by default that of a higher-order singular value decomposition.

    An iteration costs O((C K K)^2 R + (R K K)^3).
    """
    c, taps = gram.channels, gram.taps
    whitening, leading = _start(gram, inner)
    first = leading if start is None else np.linalg.solve(whitening, start)
    tensor = gram.G.reshape(c, taps, c, taps)

    def objective(z: Matrix) -> tuple[float, Matrix]:
        A = whitening @ z.reshape(c, inner)
        W, core, last = _projected(gram, tensor, A, outer)
        residual = gram.G @ W - gram.T  # (C K K, F), half the gradient at the dense weights
        value = gram.yy + float(np.sum((residual - gram.T) * W))
        inside = (core @ last).reshape(inner, taps, -1)
        dA = np.einsum("ckf,akf->ca", residual.reshape(c, taps, -1), inside, optimize=True)
        return value / gram.yy, (whitening @ (2 * dA)).ravel() / gram.yy

    options = {"maxiter": iterations, "maxcor": 20}
    z = scipy.optimize.minimize(objective, first.ravel(), jac=True, method="L-BFGS-B", options=options).x  # type: ignore[call-overload]
    A = whitening @ z.reshape(c, inner)
    _, core, last = _projected(gram, tensor, A, outer)
    if outer == gram.filters:
        return Squeezed(A, core @ last).balanced()
    return Tucker(A, core, last).balanced()


def _start(gram: Gram, inner: int) -> tuple[Matrix, Matrix]:
    """Square root of the inverse covariance of the channels (C, C), and the first A in its coordinates (C, R).

    The columns are the leading directions of the input channels in the output, as in a higher-order singular value decomposition.
    """
    c, taps = gram.channels, gram.taps
    covariance = np.einsum("ckdk->cd", gram.G.reshape(c, taps, c, taps)) / taps
    values, vectors = np.linalg.eigh(covariance)
    values = np.maximum(values, 1e-6 * values[-1] + 1e-30)
    whitening = (vectors / np.sqrt(values)) @ vectors.T
    unfolded = whitening @ gram.T.reshape(c, -1)  # (C, K K F)
    return whitening, np.linalg.svd(unfolded, full_matrices=False)[0][:, :inner]


def _projected(gram: Gram, tensor: Matrix, A: Matrix, outer: int) -> tuple[Matrix, Matrix, Matrix]:
    """Dense weights (C K K, F), the best core (R K K, M) and last factor (M, F) for A."""
    c, taps = gram.channels, gram.taps
    inner = A.shape[1]
    half = np.tensordot(tensor, A, axes=(2, 0))  # (C, K K, K K, R)
    G = np.tensordot(A, half, axes=(0, 0)).transpose(0, 1, 3, 2).reshape(inner * taps, inner * taps)
    T = np.tensordot(A, gram.T.reshape(c, taps, -1), axes=(0, 0)).reshape(inner * taps, -1)
    core, last = reduced_rank((G + G.T) / 2, T, rank=outer, ridge=RIDGE)
    W = np.tensordot(A, (core @ last).reshape(inner, taps, -1), axes=(1, 0)).reshape(c * taps, -1)
    return W, core, last
