"""Boxes and labels on images, readable at any size."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from yolodsc.arrays import Array, Ints
from yolodsc.images.labels import Colour, label_image

_PALETTE = """
e6194b 3cb44b ffe119 4363d8 f58231 911eb4 42d4f4 f032e6 bfef45 8c564b
469990 dcbeff aa6e28 fffac8 b02020 7fffb0 808000 ffb07c 2040a0 ff6fae
""".split()
"""Twenty colours that differ in hue or in lightness; one for each class of VOC."""

_Box = tuple[int, int, int, int]
"""First column and row, last column and row."""

_Plate = tuple[int, int, int, int]
"""Left, top, right, bottom in pixels; right and bottom are outside."""


def annotated(image: NDArray[np.uint8], boxes_xyxy: Array, *, labels: Sequence[str], class_ids: Ints) -> NDArray[np.uint8]:
    """A copy of (H, W, 1 or 3) with a frame and a label for each box, as (H, W, 3); see `draw_boxes`."""
    canvas = np.array(np.broadcast_to(image, (*image.shape[:2], 3)))
    draw_boxes(canvas, boxes_xyxy, labels=labels, class_ids=class_ids)
    return canvas


def draw_boxes(canvas: NDArray[np.uint8], boxes_xyxy: Array, *, labels: Sequence[str], class_ids: Ints) -> None:
    """Draw a frame and a label for each box on an image in place.

    Parameters
    ----------
    canvas : (H, W, 3)
        RGB with any strides: a view of a BGR image with its channels reversed is possible.
    boxes_xyxy : (N, 4)
        Pixels, best first; the best is drawn last, on top.
    labels
        One line of text a box.
    class_ids : (N,)
        Choose the colours: the same for a class in every image.
    """
    height, width = canvas.shape[:2]
    longest = max(width, height)
    size = min(max(11.0, longest / 42), 64.0)
    line = line_width(canvas)
    drawn = [
        (_clipped(box, width, height), " ".join(label.split()), colour_of(int(class_id)))
        for box, label, class_id in zip(boxes_xyxy, labels, class_ids, strict=True)
        if np.isfinite(box).all()
    ]
    for box, _, colour in reversed(drawn):
        _draw_frame(canvas, box, colour, line)
    plates: list[_Plate] = []
    for box, text, colour in drawn:  # the best first: it has the choice of positions
        plate = label_image(text, colour=colour, size=size, width=width)
        position = _label_plate(plate.shape[:2], box, plates, (width, height))
        plates.append(position)
        part = canvas[position[1] : position[3], position[0] : position[2]]
        part[:] = plate[: part.shape[0], : part.shape[1]]


def colour_of(class_id: int) -> Colour:
    """The colour of a class, the same in every image."""
    red, green, blue = bytes.fromhex(_PALETTE[class_id % len(_PALETTE)])
    return red, green, blue


def line_width(image: NDArray[np.uint8]) -> int:
    """Width of lines on an image (H, W, C) in pixels."""
    return max(1, round(max(image.shape[:2]) / 320))


def _clipped(box: Array, width: int, height: int) -> _Box:
    """The part of a box inside the image, in order even where the box is outside altogether."""
    left, right = (round(min(max(float(x), 0.0), width - 1.0)) for x in (box[0], box[2]))
    top, bottom = (round(min(max(float(y), 0.0), height - 1.0)) for y in (box[1], box[3]))
    return left, top, max(left, right), max(top, bottom)


def _draw_frame(canvas: NDArray[np.uint8], box: _Box, colour: Colour, line: int) -> None:
    """Draw the outline of a box, inwards."""
    left, top, right, bottom = box[0], box[1], box[2] + 1, box[3] + 1
    canvas[top : min(top + line, bottom), left:right] = colour
    canvas[max(bottom - line, top) : bottom, left:right] = colour
    canvas[top:bottom, left : min(left + line, right)] = colour
    canvas[top:bottom, max(right - line, left) : right] = colour


def _label_plate(size: tuple[int, ...], box: _Box, taken: list[_Plate], image: tuple[int, int]) -> _Plate:
    """Return the first free position inside the image: above the box, inside it, below it or at its foot."""
    height, width = size
    left = max(0, min(box[0], image[0] - width))
    candidates = [box[1] - height, box[1], box[3], box[3] - height]
    tops = [top for top in candidates if 0 <= top <= image[1] - height] or [max(0, min(box[1], image[1] - height))]
    plates = [(left, top, left + width, top + height) for top in tops]
    return next((plate for plate in plates if not any(_meet(plate, other) for other in taken)), plates[0])


def _meet(a: _Plate, b: _Plate) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
