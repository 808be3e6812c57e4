"""The compiled functions of the metrics, with arrays for their results."""

import numpy as np
from numpy.typing import NDArray

from yolodsc.arrays import Ints
from yolodsc.evaluation.metrics.tables import Doubles, Flags
from yolodsc.jit import Kernel

_HERE = "yolodsc.evaluation.metrics"
_best_overlap = Kernel(f"{_HERE}.overlap:best_overlap", "f8[2] i8[1] i8[1] f8[2] f8[1] f8[1] i8[1]")
_reaching = Kernel(f"{_HERE}.overlap:reaching", "f8[2] i8[1] i8[1] i8[1] f8[2] b1[1] f8[1] b1[1]")
_GREEDY = "f8[2] i8[1] i8[1] i8[1] f8[2] b1[1] b1[2] b1[2] f8[1] f8[2] f8[1] b1[1] u1[3]"
_greedy_outcomes = Kernel(f"{_HERE}.greedy:greedy_outcomes", _GREEDY)
_positions = Kernel(f"{_HERE}.interpolation:positions", "i8[1] i8[1] f8[1] f8[2] i8[1] i8[1] i8[2] i8[1]")
_PRECISION = "u1[3] b1[2] i8[1] i8[1] i8[2] i8[1] f8[1] f8[1] f8[3]"
_precision_at = Kernel(f"{_HERE}.interpolation:precision_at", _PRECISION)
_right_by_rank = Kernel(f"{_HERE}.interpolation:right_by_rank", "u1[2] i8[1] i8[1] i8[1] i8[3]")
_radix_order = Kernel(f"{_HERE}.radix:radix_order", "u8[1] u8[1] i8[1] i8[1] i8[2]")
_rank_in_group = Kernel(f"{_HERE}.radix:rank_in_group", "i8[1] i8[1]")

DIGITS, DIGIT_VALUES = 6, 2**11
"""Digits of a key of `radix_order`, and values of a digit."""


def best_overlap(boxes: Doubles, first: Ints, last: Ints, objects: Doubles, offset: float) -> tuple[Doubles, Ints]:
    """Greatest IoU of each box with ``objects[first:last]``, and which object it is (the first of equals; -1: none).

    Shapes: boxes (N, 4), first and last (N,), objects (M, 4), all corners; ``offset`` is added to widths and heights.
    """
    overlap, index = np.empty(len(boxes)), np.empty(len(boxes), np.int64)
    _best_overlap(boxes, first, last, objects, np.array([offset], np.float64), overlap, index)
    return overlap, index


def reaching(
    boxes: Doubles, rows: Ints, first: Ints, last: Ints, objects: Doubles, crowd: Flags, threshold: float
) -> NDArray[np.bool_]:
    """Which of the detections ``rows`` (n,) overlap one of ``objects[first:last]`` by the threshold: (n,) bool.

    Shapes: boxes (N, 4), first and last (n,), objects (M, 4), crowd (M,).
    """
    found = np.empty(len(rows), bool)
    _reaching(boxes, rows, first, last, objects, crowd, np.array([threshold], np.float64), found)
    return found


def greedy_outcomes(
    boxes: Doubles,
    bounds: Ints,
    *,
    first: Ints,
    last: Ints,
    objects: Doubles,
    crowd: Flags,
    ignored: Flags,
    outside: Flags,
    thresholds: Doubles,
) -> NDArray[np.uint8]:
    """Outcome of every detection for every area range and overlap, (A, T, N); the parameters are those of the kernel."""
    detections, count = int(np.diff(bounds).max(initial=0)), int((last - first).max(initial=0))
    scratch = np.empty((detections, count)), np.empty(detections), np.empty(count, bool)
    outcomes = np.zeros((len(ignored), len(thresholds), len(boxes)), np.uint8)
    _greedy_outcomes(boxes, bounds, first, last, objects, crowd, ignored, outside, thresholds, *scratch, outcomes)
    return outcomes


def positions(order: Ints, candidate: Ints, area: Doubles, ranges: Doubles) -> tuple[Ints, Ints, Ints]:
    """Candidates in the order of a ranking, their positions in it, and how many of the ranking lie outside of each area range.

    Shapes: order (n,) rows of one class, best score first; candidate (N,) index of a row among the candidates, -1 for the others;
    area (N,); ranges (A, 2) low and high. Returns the indices (m,), positions (m,) and counts (m, A), the candidate included.
    """
    found, at = np.empty(len(order), np.int64), np.empty(len(order), np.int64)
    counts = np.empty((len(order), len(ranges)), np.int64)
    m = _positions(order, candidate, area, ranges, found, at, counts, np.empty(len(ranges), np.int64))
    return found[:m], at[:m], counts[:m]


def precision_at(
    outcomes: NDArray[np.uint8], outside: Flags, found: Ints, at: Ints, counts: Ints, positives: Ints, recalls: Doubles
) -> Doubles:
    """Best precision at each recall or beyond it: (A, T, R) float64; 0 where the recall is not reached.

    Shapes: outcomes (A, T, M) and outside (A, M) of all candidates; found, at and counts of one class, from `positions`;
    positives (A,); recalls (R,) rising.
    """
    precision = np.zeros((*outcomes.shape[:2], len(recalls)))
    _precision_at(outcomes, outside, found, at, counts, positives, recalls, np.empty(len(found)), precision)
    return precision


def right_by_rank(outcomes: NDArray[np.uint8], class_id: Ints, rank: Ints, limits: Ints, classes: int) -> Ints:
    """Right candidates of each class among the first ``limits`` (L,) detections of an image: (L, K, C).

    Shapes: outcomes (K, M), class_id and rank (M,).
    """
    counts = np.zeros((len(limits), len(outcomes), classes), np.int64)
    _right_by_rank(outcomes, class_id, rank, limits, counts)
    return counts


def radix_order(keys: NDArray[np.uint64]) -> Ints:
    """Stable order of the keys (N,), least first: (N,)."""
    n = len(keys)
    order, spare = np.arange(n), np.empty(n, np.int64)
    swapped = _radix_order(keys.copy(), np.empty(n, np.uint64), order, spare, np.zeros((DIGITS, DIGIT_VALUES), np.int64))
    return spare if swapped else order


def rank_in_group(groups: Ints) -> Ints:
    """How many elements of the same group come before each element; equal ``groups`` (N,) are neighbours: (N,)."""
    rank = np.empty(len(groups), np.int64)
    _rank_in_group(groups, rank)
    return rank
