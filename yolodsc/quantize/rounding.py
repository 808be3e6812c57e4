"""Rounding of weights that minimizes the error of a layer's output (Nagel et al. 2020, AdaRound), by coordinate descent.

The squared error of one filter over the calibration patches is ``(s q - w)' G (s q - w)`` with the integers q, the scale s and the
covariance G of the patches. AdaRound relaxes the choice between the two neighbours of each weight. Here every weight in turn takes
the integer that is best given all others (Behdin et al. 2023, QuantEase), in O(K) for each change, until none improves.
"""

import numpy as np

from yolodsc.arrays import Array
from yolodsc.decompose import Matrix
from yolodsc.jit import njit
from yolodsc.precision import MAX_WEIGHT

CLIPS = np.linspace(0.55, 1.0, 19)
"""Scales that are tried, as shares of the one that represents the greatest weight."""

SWEEPS = 20


def rounded_filters(weights: Matrix, G: Matrix, *, floor: Matrix) -> tuple[np.ndarray, Array]:
    """Integers (F, K) and scales (F,) of filters (F, K) with patches of covariance ``G`` (K, K).

    Parameters
    ----------
    floor
        Smallest scale of each filter, (F,).
    """
    damped = damped_covariance(G)
    scales = best_scales(weights, damped, floor)
    levels = np.clip(np.rint(weights / scales[:, None].astype(np.float64)), -MAX_WEIGHT, MAX_WEIGHT)
    descend(weights, damped, scales.astype(np.float64), levels)
    return levels.astype(np.int8), scales


def damped_covariance(G: Matrix) -> Matrix:
    """``G`` with a small multiple of the unit matrix: patches do not determine every direction."""
    return G + np.eye(len(G)) * max(float(np.trace(G)) / len(G), 1e-30) * 1e-4


def best_scales(weights: Matrix, G: Matrix, floor: Matrix) -> Array:
    """Scale of each filter with the least squared error of nearest rounding, (F,) float32."""
    full = np.abs(weights).max(axis=1) / MAX_WEIGHT
    errors, scales = [], []
    for clip in CLIPS:
        scale = np.maximum(clip * full, floor).astype(np.float32).astype(np.float64)[:, None]
        difference = np.clip(np.rint(weights / scale), -MAX_WEIGHT, MAX_WEIGHT) * scale - weights
        errors.append(np.sum((difference @ G) * difference, axis=1))
        scales.append(scale[:, 0])
    best = np.argmin(errors, axis=0)
    return np.array(scales)[best, np.arange(len(weights))].astype(np.float32)


@njit(inline="always")
def _sweep(G: Matrix, s: float, levels: Matrix, gradient: Matrix) -> bool:
    """Set every integer of one filter (K,) to the best one given the others; returns whether any changed."""
    changed = False
    for i in range(len(levels)):
        level = min(max(np.rint(levels[i] - gradient[i] / (G[i, i] * s)), -127.0), 127.0)
        step = level - levels[i]
        if step != 0 and (2 * gradient[i] + step * s * G[i, i]) * step < -1e-12 * s * G[i, i]:
            levels[i] = level
            gradient += (step * s) * G[i]
            changed = True
    return changed


@njit(cache=True, nogil=True, error_model="numpy")
def descend(weights: Matrix, G: Matrix, scales: Matrix, levels: Matrix) -> None:
    """Improve integers ``levels`` (F, K) in place, one weight at a time."""
    for f in range(len(weights)):
        s = scales[f]
        gradient = G @ (levels[f] * s - weights[f])  # half of the derivative of the error
        for _ in range(SWEEPS):
            if not _sweep(G, s, levels[f], gradient):
                break
