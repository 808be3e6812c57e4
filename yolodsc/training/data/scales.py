"""Sizes of training images that change during the training, as with Darknet's ``random=1`` (``detector.c: train_detector``)."""

import numpy as np

from yolodsc.arrays import Shape

LARGEST = 1.4
"""Largest factor of the sides; its inverse is as likely."""
STRIDE = 32
"""Sides are multiples of this number of pixels."""
STEPS = 10
"""Number of steps with images of one size."""


def shape_at(shape: Shape, step: int, *, seed: int) -> Shape:
    """Return the shape of the images of a step: that of the network's input with both sides times a random factor."""
    random = np.random.default_rng((seed, 1, 4, step // STEPS))
    factor = random.uniform(1, LARGEST)
    factor = 1 / factor if random.random() < 0.5 else factor
    height, width = (max(round(side * factor / STRIDE), 1) * STRIDE for side in (shape.height, shape.width))
    return Shape(shape.channels, height, width)
