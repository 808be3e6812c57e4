"""Reasons to doubt a calibration: images that are few, copies, of one colour, or without objects."""

import hashlib

import numpy as np

from yolodsc.arrays import Array
from yolodsc.quantize.settings import QuantizedNetwork

FEW_IMAGES = 32
"""Fewer images determine neither ranges nor rounding well."""

FLAT = 0.02
"""Standard deviation of an image of nearly one colour; pixels are 0 to 1."""


def image_doubts(images: Array) -> list[str]:
    """What is odd about calibration images (N, C, H, W), each in a few words."""
    count = len(images)
    copies = count - len({hashlib.sha256(np.ascontiguousarray(image).data).digest() for image in images})
    flat = sum(float(image.std()) < FLAT for image in images)
    found = [f"{count} images are few, 300 are better"] if count < FEW_IMAGES else []
    found += [f"{copies} of {count} images are copies of others"] if copies else []
    return found + ([f"{flat} of {count} images have nearly one colour"] if flat else [])


def result_doubts(result: QuantizedNetwork) -> list[str]:
    """What is odd about a result: agreement without detections means nothing."""
    if result.agreement is None or result.detections:
        return []
    return ["the network detects nothing in these images, so the agreement means nothing"]
