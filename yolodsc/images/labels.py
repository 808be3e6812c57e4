"""Labels of boxes as small images: text on a filled plate, rendered once and reused by all frames of a video."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from yolodsc.images.fonts import Font, readable

_SMALLEST = 6.0
"""Minimum size of text in pixels."""

Colour = tuple[int, int, int]


@lru_cache(maxsize=512)
def label_image(text: str, *, colour: Colour, size: float, width: int) -> NDArray[np.uint8]:
    """Text on a plate as a read-only array (H, W, 3), in black or white, whichever is easier to read.

    Scripts that no font of the system has are transliterated.

    Parameters
    ----------
    colour
        Colour of the plate.
    size
        Size of the font in pixels; reduced, but not below 6 pixels, to fit the plate into ``width`` pixels.
    """
    text, font = readable(text, size)
    wide = _plate_size(text, font)[0]
    if wide > width:
        text, font = readable(text, max(_SMALLEST, size * width / wide))
    columns, rows, padding, corner = *_plate_size(text, font), _padding(text, font), _bounds(text, font)
    plate = Image.new("RGB", (columns, rows), colour)
    luminance = 0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2]
    ink = (0, 0, 0) if luminance > 120 else (255, 255, 255)
    ImageDraw.Draw(plate).text((round(padding - corner[0]), round(padding - corner[1])), text, fill=ink, font=font)
    return np.asarray(plate)


def _bounds(text: str, font: Font) -> tuple[float, float, float, float]:
    left, top, right, bottom = font.getbbox(text)
    return left, top, right, bottom


def _padding(text: str, font: Font) -> float:
    _, top, _, bottom = _bounds(text, font)
    return max(1.0, (bottom - top) / 5)


def _plate_size(text: str, font: Font) -> tuple[int, int]:
    """Width and height of a label with its padding."""
    left, top, right, bottom = _bounds(text, font)
    padding = _padding(text, font)
    return max(1, round(right - left + 2 * padding)), max(1, round(bottom - top + 2 * padding))
