"""Greedy suppression of many boxes of one class, compiled; the result is identical to that of the NumPy loop in `boxes`."""

import numba as nb
import numpy as np
from numpy.typing import NDArray

from yolodsc.arrays import Array

_ZERO = np.float32(0)


@nb.njit("void(f4[:,::1], f4, f8, b1, u1[::1], f4[::1])", cache=True, nogil=True, error_model="numpy")
def _suppress(
    columns: Array, thresh: float, exponent: float, distances: bool, kept: NDArray[np.uint8], ratios: Array
) -> None:  # pragma: no cover
    """Clear ``kept`` (N,) of every box that overlaps a better one that is kept; ``ratios`` (N,) is scratch space.

    No fastmath: a contracted multiply-add rounds differently from NumPy. The first loop has no branches, so that it is
    vectorized; the second runs for the few pairs that overlap.
    """
    near = np.empty(len(kept), np.int64)
    # beyond this distance no overlap exceeds the threshold, and the power is not computed
    farthest = 1.000001 * max(1.000001 - thresh, 0.0) ** (1 / exponent) if exponent > 0 else np.inf
    for i in range(len(kept)):
        if not kept[i]:
            continue
        x0, y0, x1, y1, area, x, y = columns[:, i]
        left, top, right, bottom = columns[0, i + 1 :], columns[1, i + 1 :], columns[2, i + 1 :], columns[3, i + 1 :]
        areas, centre_x, centre_y = columns[4, i + 1 :], columns[5, i + 1 :], columns[6, i + 1 :]
        others, ratio = kept[i + 1 :], ratios[i + 1 :]
        for j in range(len(others)):
            low, high = left[j], right[j]
            width = (high if high < x1 else x1) - (low if low > x0 else x0)
            low, high = top[j], bottom[j]
            height = (high if high < y1 else y1) - (low if low > y0 else y0)
            common = (_ZERO if width <= _ZERO else width) * (_ZERO if height <= _ZERO else height)
            union = area + areas[j] - common
            quotient = common / union
            ratio[j] = quotient if (common != _ZERO) & (union != _ZERO) else _ZERO
        if not distances:
            for j in range(len(others)):
                others[j] &= not ratio[j] > thresh
            continue
        count = 0
        for j in range(len(others)):  # a distance only lowers the overlap, so the other boxes are kept
            near[count] = j
            count += others[j] & (ratio[j] > thresh)
        for j in near[:count]:
            width = max(right[j], x1) - min(left[j], x0)
            height = max(bottom[j], y1) - min(top[j], y0)
            diagonal = width * width + height * height
            offset_x, offset_y = centre_x[j] - x, centre_y[j] - y
            distance = offset_x * offset_x + offset_y * offset_y
            relative = distance / diagonal if diagonal != _ZERO else _ZERO
            if ratio[j] > 1 or relative <= farthest:
                others[j] = not ratio[j] - np.float32(np.float64(relative) ** exponent) > thresh


def kept(boxes_xywh: Array, low: Array, high: Array, *, thresh: float, exponent: float | None) -> NDArray[np.bool_]:
    """Which of (N, 4) boxes, best first, overlap no better one that is kept: (N,).

    Parameters
    ----------
    low, high : (N, 2) float32
        Corners of the boxes.
    exponent
        Of the distance that is subtracted from the overlap (``boxes.diou``); None for the plain overlap.
    """
    defined = ~(np.isnan(low) | np.isnan(high)).any(axis=1)  # overlaps of the others are NaN, which exceeds nothing
    boxes, low, high = boxes_xywh[defined], low[defined], high[defined]
    columns = np.ascontiguousarray(np.concatenate([low, high, boxes[:, 2:3] * boxes[:, 3:], boxes[:, :2]], axis=1).T)  # (7, N)
    marks, ratios = np.ones(len(boxes), np.uint8), np.empty(len(boxes), np.float32)
    _suppress(columns, float(thresh), 1.0 if exponent is None else exponent, exponent is not None, marks, ratios)
    out = np.ones(len(boxes_xywh), bool)
    out[defined] = marks != 0
    return out
