"""Boxes and labels on images, readable at any size."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from yolodsc.arrays import Array, Ints

_PALETTE = """
e6194b 3cb44b ffe119 4363d8 f58231 911eb4 42d4f4 f032e6 bfef45 8c564b
469990 dcbeff aa6e28 fffac8 b02020 7fffb0 808000 ffb07c 2040a0 ff6fae
""".split()
"""Twenty colours that differ in hue or in lightness; one for each class of VOC."""

_WIDE_FONTS = ("DejaVuSans.ttf", "NotoSans-Regular.ttf", "arial.ttf", "Arial Unicode.ttf")
"""Fonts of common systems with more than ASCII."""

Colour = tuple[int, int, int]
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont
Plate = tuple[float, float, float, float]
"""Left, top, right, bottom in pixels."""


def annotated(image: NDArray[np.uint8], boxes_xyxy: Array, *, labels: Sequence[str], class_ids: Ints) -> NDArray[np.uint8]:
    """A copy of (H, W, 1 or 3) with a frame and a label for each box, as (H, W, 3).

    Parameters
    ----------
    boxes_xyxy : (N, 4)
        Pixels, best first; the best is drawn last, on top.
    labels
        One line of text a box.
    class_ids : (N,)
        Choose the colours: the same for a class in every image.
    """
    rgb = np.broadcast_to(image, (*image.shape[:2], 3))
    drawing = Image.fromarray(np.ascontiguousarray(rgb))
    canvas = ImageDraw.Draw(drawing)
    longest = max(drawing.size)
    size = min(max(11.0, longest / 42), 64.0)
    line = max(1, round(longest / 320))
    drawn = [
        (_clipped(box, drawing.size), label, colour_of(int(class_id)))
        for box, label, class_id in zip(boxes_xyxy, labels, class_ids, strict=True)
        if np.isfinite(box).all()
    ]
    for box, _, colour in reversed(drawn):
        canvas.rectangle(box, outline=colour, width=line)
    plates: list[Plate] = []
    for box, label, colour in drawn:  # the best first: it has the choice of places
        text = " ".join(label.split())
        font = _fitting(canvas, text, size, width=drawing.size[0])
        plate = _placed(_plate_size(canvas, text, font), box, plates, drawing.size)
        plates.append(plate)
        _draw_label(canvas, plate, text, colour=colour, font=font)
    return np.asarray(drawing)


def colour_of(class_id: int) -> Colour:
    """The colour of a class, the same in every image."""
    red, green, blue = bytes.fromhex(_PALETTE[class_id % len(_PALETTE)])
    return red, green, blue


def _clipped(box: Array, size: tuple[int, int]) -> Plate:
    """The part of a box inside the image, in order even where the box is outside altogether."""
    left, right = (min(max(float(x), 0.0), size[0] - 1.0) for x in (box[0], box[2]))
    top, bottom = (min(max(float(y), 0.0), size[1] - 1.0) for y in (box[1], box[3]))
    return left, top, max(left, right), max(top, bottom)


def _font(text: str, size: float) -> Font:
    """Return Pillow's font for ASCII, or for other text a font of the system if there is one."""
    if not text.isascii():
        for name in _WIDE_FONTS:
            try:
                return ImageFont.truetype(name, size)
            except OSError:  # not on this system
                continue
    return ImageFont.load_default(size=size)


def _fitting(canvas: ImageDraw.ImageDraw, text: str, size: float, *, width: int) -> Font:
    """Return the font at a size, reduced to make the label as wide as the image, but not below 6 pixels."""
    font = _font(text, size)
    wide = _plate_size(canvas, text, font)[0]
    return font if wide <= width else _font(text, max(6.0, size * width / wide))


def _plate_size(canvas: ImageDraw.ImageDraw, text: str, font: Font) -> tuple[float, float]:
    """Width and height of a label with its margins."""
    left, top, right, bottom = canvas.textbbox((0, 0), text, font=font)
    margin = max(1.0, (bottom - top) / 5)
    return right - left + 2 * margin, bottom - top + 2 * margin


def _placed(size: tuple[float, float], box: Plate, taken: list[Plate], image: tuple[int, int]) -> Plate:
    """Return the first free position inside the image: above the box, inside it, below it or at its foot."""
    width, height = size
    left = max(0.0, min(box[0], image[0] - width))
    candidates = [box[1] - height, box[1], box[3], box[3] - height]
    tops = [top for top in candidates if 0 <= top <= image[1] - height] or [max(0.0, min(box[1], image[1] - height))]
    plates = [(left, top, left + width, top + height) for top in tops]
    return next((plate for plate in plates if not any(_meet(plate, other) for other in taken)), plates[0])


def _meet(a: Plate, b: Plate) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _draw_label(canvas: ImageDraw.ImageDraw, plate: Plate, text: str, *, colour: Colour, font: Font) -> None:
    """Text on a filled plate, in black or white, whichever is easier to read."""
    left, top, right, _ = canvas.textbbox((0, 0), text, font=font)
    margin = (plate[2] - plate[0] - (right - left)) / 2
    luminance = 0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2]
    canvas.rectangle(plate, fill=colour)
    ink = (0, 0, 0) if luminance > 120 else (255, 255, 255)
    canvas.text((plate[0] + margin - left, plate[1] + margin - top), text, fill=ink, font=font)
