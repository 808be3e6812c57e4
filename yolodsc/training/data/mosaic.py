"""Mosaics: four augmented images in one, as with Darknet's ``mosaic=1`` (``data.c: blend_truth_mosaic``)."""

from collections.abc import Sequence

import numpy as np

from yolodsc.arrays import Array, Shape
from yolodsc.training.data.labels import VISIBLE, within

NEAREST = 0.2
"""Smallest distance of the point where the images meet from the border, as a fraction of the side (``min_offset``)."""

Sample = tuple[Array, Array]
"""An image (C, H, W) and its objects (M, 5)."""


def mosaic(samples: Sequence[Sample], shape: Shape, random: np.random.Generator) -> Sample:
    """Return an image of four quadrants that meet at a random point, each with a random part of one of four samples.

    Objects keep their sizes. They are cut at the border of their quadrant.
    """
    out = np.empty(shape, np.float32)
    x, y = (round(side * random.uniform(NEAREST, 1 - NEAREST)) for side in (shape.width, shape.height))
    quadrants = [(0, 0, x, y), (x, 0, shape.width, y), (0, y, x, shape.height), (x, y, shape.width, shape.height)]
    objects = []
    for (image, labels), (left, top, right, bottom) in zip(samples, quadrants, strict=True):
        u = int(random.integers(shape.width - (right - left) + 1))
        v = int(random.integers(shape.height - (bottom - top) + 1))
        out[:, top:bottom, left:right] = image[:, v : v + bottom - top, u : u + right - left]
        corners = np.array([u, v, u + right - left, v + bottom - top]) / np.tile((shape.width, shape.height), 2)
        shift = np.array([left - u, top - v]) / (shape.width, shape.height)
        objects.append(_shown(labels, corners, shift))
    return out, np.concatenate(objects).astype(np.float32)


def _shown(labels: Array, window: np.ndarray, shift: np.ndarray) -> Array:
    """Return the objects (M, 5) cut at a window (left, top, right, bottom), moved by ``shift``."""
    half = labels[:, 3:] / 2
    low = np.maximum(labels[:, 1:3] - half, window[:2])
    high = np.minimum(labels[:, 1:3] + half, window[2:])  # (M, 2)
    sides = np.maximum(high - low, 0)
    kept = sides.prod(axis=1) >= VISIBLE * labels[:, 3:].prod(axis=1)
    return within(np.concatenate([labels[:, :1], (low + high) / 2 + shift, sides], axis=1)[kept])
