"""What a student loses against its teacher: on the heads' logits, and on maps along the way.

Heads: the teacher's objectness says how much a cell matters. Objectness and logistic classes lose the divergence of two coins,
competing classes that of two distributions, boxes squared errors of offsets and of log sizes. (Mehta & Ozturk 2018 weigh by the
teacher's objectness in the same way; Hinton et al. 2015 for soft targets.)
"""

import numpy as np

from yolodsc.arrays import Array
from yolodsc.training.loss.grid import Grid, cross_entropy, log_softmax, logistic

BACKGROUND = 0.25
"""Weight of the objectness of a cell in which the teacher sees nothing; 1 where it is sure."""
OFFSET = 2.0
"""Weight of the offsets against log sizes: they move within 0..1."""
FLAT = 0.01
"""Least variance that a map counts with, as a share of its mean square: a map of one pixel has none of its own."""


def head_loss(grid: Grid, logits: Array, teacher: Array) -> tuple[float, Array]:
    """Loss of one head, a mean over what the teacher sees in the batch, and its gradient by the student's logits."""
    own, wanted = grid.entries(logits), grid.entries(teacher)  # (N, A, 5 + classes, H, W)
    gradient = np.empty_like(own)
    sure = logistic(wanted[:, :, 4])
    weight = (sure / (sure.sum(dtype=np.float64) + 1)).astype(np.float32)  # (N, A, H, W)
    cells = (BACKGROUND + (1 - BACKGROUND) * sure) / np.float32(sure.sum(dtype=np.float64) + 1)
    gradient[:, :, 4] = cells * (logistic(own[:, :, 4]) - sure)
    value = float((cells * cross_entropy(own[:, :, 4], sure)).sum())
    value += _classes(grid, own[:, :, 5:], wanted[:, :, 5:], weight[:, :, None], gradient[:, :, 5:])
    value += _offsets(own[:, :, :2], wanted[:, :, :2], weight[:, :, None], gradient[:, :, :2])
    apart = own[:, :, 2:4] - wanted[:, :, 2:4]
    gradient[:, :, 2:4] = weight[:, :, None] * apart
    value += float((0.5 * weight[:, :, None] * apart.astype(np.float64) ** 2).sum())
    return value, gradient.reshape(logits.shape)


def _classes(grid: Grid, own: Array, wanted: Array, weight: Array, gradient: Array) -> float:
    if not grid.softmax:
        targets = logistic(wanted)
        gradient[...] = weight * (logistic(own) - targets)
        return float((weight * cross_entropy(own, targets)).sum())
    student, teacher = log_softmax(own, axis=2), log_softmax(wanted, axis=2)
    share = np.exp(teacher)
    gradient[...] = weight * (np.exp(student) - share)
    return float((weight * share * (teacher - student).astype(np.float64)).sum())


def _offsets(own: Array, wanted: Array, weight: Array, gradient: Array) -> float:
    place = logistic(own)
    apart = place - logistic(wanted)
    gradient[...] = OFFSET * weight * apart * place * (1 - place)
    return float((0.5 * OFFSET * weight * apart.astype(np.float64) ** 2).sum())


def map_loss(own: Array, teacher: Array) -> tuple[float, Array]:
    """Squared distance of two maps (N, C, H, W) as a share of the teacher's variance, and its gradient (FitNets)."""
    apart = own - teacher
    variance, mean = (of(axis=(0, 2, 3), dtype=np.float64) for of in (teacher.var, teacher.mean))
    least = FLAT * float((variance + mean**2).sum())
    spread = max(float(variance.sum()), least) * (apart.size // apart.shape[1]) + 1e-9
    value = float(np.vdot(apart, apart)) / spread
    return value, apart * np.float32(2 / spread)
