"""Distillation losses of a student against its teacher: on the logits of heads, and on intermediate feature maps.

The teacher's objectness weights each cell of a head, as in Mehta & Ozturk 2018; targets are soft, as in Hinton et al. 2015. The
loss of objectness and of logistic classes is the KL divergence of two Bernoulli distributions, that of softmax classes the KL
divergence of two distributions, and that of boxes the squared error of offsets and of log sizes.
"""

import numpy as np

from yolodsc.arrays import Array
from yolodsc.training.loss.grid import Grid, cross_entropy, log_softmax, logistic

BACKGROUND = 0.25
"""Weight of the objectness of a cell where the teacher's objectness is 0; the weight is 1 where it is 1."""
OFFSET = 2.0
"""Weight of the offsets relative to log sizes: offsets lie in 0..1."""
MINIMUM_VARIANCE = 0.01
"""Smallest variance of a feature map in the loss, as a fraction of its mean square: one pixel has no variance."""


def head_loss(grid: Grid, logits: Array, teacher_logits: Array) -> tuple[float, Array]:
    """Return the loss of one head, a mean over the teacher's objects, and its gradient with respect to the student's logits."""
    student, teacher = grid.entries(logits), grid.entries(teacher_logits)  # (N, A, 5 + classes, H, W)
    gradient = np.empty_like(student)
    objectness = logistic(teacher[:, :, 4])
    weight = (objectness / (objectness.sum(dtype=np.float64) + 1)).astype(np.float32)  # (N, A, H, W)
    cells = (BACKGROUND + (1 - BACKGROUND) * objectness) / np.float32(objectness.sum(dtype=np.float64) + 1)
    gradient[:, :, 4] = cells * (logistic(student[:, :, 4]) - objectness)
    value = float((cells * cross_entropy(student[:, :, 4], objectness)).sum())
    value += _classes(grid, student[:, :, 5:], teacher[:, :, 5:], weight[:, :, None], gradient[:, :, 5:])
    value += _offsets(student[:, :, :2], teacher[:, :, :2], weight[:, :, None], gradient[:, :, :2])
    difference = student[:, :, 2:4] - teacher[:, :, 2:4]
    gradient[:, :, 2:4] = weight[:, :, None] * difference
    value += float((0.5 * weight[:, :, None] * difference.astype(np.float64) ** 2).sum())
    return value, gradient.reshape(logits.shape)


def _classes(grid: Grid, student: Array, teacher: Array, weight: Array, gradient: Array) -> float:
    if not grid.softmax:
        targets = logistic(teacher)
        gradient[...] = weight * (logistic(student) - targets)
        return float((weight * cross_entropy(student, targets)).sum())
    log_student, log_teacher = log_softmax(student, axis=2), log_softmax(teacher, axis=2)
    probability = np.exp(log_teacher)
    gradient[...] = weight * (np.exp(log_student) - probability)
    return float((weight * probability * (log_teacher - log_student).astype(np.float64)).sum())


def _offsets(student: Array, teacher: Array, weight: Array, gradient: Array) -> float:
    offset = logistic(student)
    difference = offset - logistic(teacher)
    gradient[...] = OFFSET * weight * difference * offset * (1 - offset)
    return float((0.5 * OFFSET * weight * difference.astype(np.float64) ** 2).sum())


def hint_loss(student: Array, teacher: Array) -> tuple[float, Array]:
    """Return the squared distance of feature maps (N, C, H, W), relative to the teacher's variance, and its gradient (FitNets)."""
    difference = student - teacher
    variance, mean = (of(axis=(0, 2, 3), dtype=np.float64) for of in (teacher.var, teacher.mean))
    minimum = MINIMUM_VARIANCE * float((variance + mean**2).sum())
    scale = max(float(variance.sum()), minimum) * (difference.size // difference.shape[1]) + 1e-9
    value = float(np.vdot(difference, difference)) / scale
    return value, difference * np.float32(2 / scale)
