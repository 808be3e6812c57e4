"""Augmentation with Darknet's parameters: ``jitter flip hue saturation exposure`` (``data.c: load_data_detection``).

Each image is resampled once, by one affine transform with Darknet's convention for resizing (corners aligned, bilinear). Without
augmentation the result equals the input of the network in detection.
"""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from yolodsc.arrays import Array, Shape
from yolodsc.images import GREY, Geometry, ImageArray, to_planar
from yolodsc.training.data.labels import VISIBLE, within


@dataclass(frozen=True, slots=True)
class Augmentation:
    """Strength of the augmentation.

    Attributes
    ----------
    flip
        Whether half of the images are mirrored.
    jitter
        Largest fraction of width and height by which each side moves, outwards or inwards.
    hue
        Largest shift of the hue, in turns.
    saturation, exposure
        Largest factor of saturation and value; its inverse is as likely.
    sharpen
        Largest amount of unsharp masking (sigma 1). Darknet samples large images without smoothing, so its networks expect hard
        edges. An amount of about 0.6 compensates for images that were reduced with smoothing.
    mosaic
        Fraction of the samples that are made of four images (`mosaic`).
    """

    flip: bool = True
    jitter: float = 0.2
    hue: float = 0.1
    saturation: float = 1.5
    exposure: float = 1.5
    sharpen: float = 0.0
    mosaic: float = 0.0


@dataclass(frozen=True, slots=True)
class Crop:
    """The part of an image that fills the network's input, in pixels; it may extend beyond the image."""

    left: float
    top: float
    width: float
    height: float
    mirrored: bool


def augmented(
    image: ImageArray, labels: Array, shape: Shape, *, how: Augmentation, geometry: Geometry, random: np.random.Generator
) -> tuple[Array, Array]:
    """Return an augmented image as the network's input (C, H, W), and its objects (M, 5)."""
    height, width = image.shape[:2]
    crop = draw_crop(width, height, shape, how=how, geometry=geometry, random=random)
    colours = draw_colours(how, random)
    pixels = recoloured(cropped(image, crop, shape, geometry=geometry), colours)
    pixels = sharpened(pixels, how.sharpen * random.random())
    return to_planar(pixels), moved(labels, crop, width=width, height=height)


def draw_crop(width: int, height: int, shape: Shape, *, how: Augmentation, geometry: Geometry, random: np.random.Generator) -> Crop:
    """Draw a crop: every side moves independently; a letterbox then grows to the aspect ratio of the input."""
    sides = random.uniform(-how.jitter, how.jitter, 4)
    mirrored = bool(random.random() < 0.5) and how.flip
    left, right = sides[:2] * width
    top, bottom = sides[2:] * height
    crop_width, crop_height = width - left - right, height - top - bottom
    if geometry == "letterbox":
        wide = max(crop_width, crop_height * shape.width / shape.height)
        high = max(crop_height, crop_width * shape.height / shape.width)
        left, top = left - (wide - crop_width) / 2, top - (high - crop_height) / 2
        crop_width, crop_height = wide, high
    return Crop(left, top, crop_width, crop_height, mirrored)


def draw_colours(how: Augmentation, random: np.random.Generator) -> tuple[float, float, float]:
    """Draw a shift of the hue, and factors of saturation and value (``utils.c: rand_scale``)."""
    hue = random.uniform(-how.hue, how.hue)
    factors = [random.uniform(1, max(largest, 1.0)) for largest in (how.saturation, how.exposure)]
    inverse = random.random(2) < 0.5
    saturation, exposure = (1 / factor if inverted else factor for factor, inverted in zip(factors, inverse, strict=True))
    return float(hue), float(saturation), float(exposure)


def cropped(image: ImageArray, crop: Crop, shape: Shape, *, geometry: Geometry) -> ImageArray:
    """Return the crop resized to the input; outside the image it has the mean colour, or grey in a letterbox."""
    step_x = (crop.width - 1) / max(shape.width - 1, 1)
    step_y = (crop.height - 1) / max(shape.height - 1, 1)
    first = crop.left + (crop.width - 1 if crop.mirrored else 0)
    steps = np.array([[-step_x if crop.mirrored else step_x, 0, first], [0, step_y, crop.top]], np.float64)
    grey = [255 * float(GREY)] * image.shape[2]
    border: Any = grey if geometry == "letterbox" else cv2.mean(image)[: image.shape[2]]
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    out = cv2.warpAffine(
        np.ascontiguousarray(image),
        steps,
        (shape.width, shape.height),
        flags=flags,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=border,
    )
    return out.reshape(shape.height, shape.width, -1).astype(np.uint8, copy=False)


def recoloured(image: ImageArray, colours: tuple[float, float, float]) -> ImageArray:
    """Change hue, saturation and value; of grey images only the value. The hue wraps around; Darknet with OpenCV saturates it."""
    hue, saturation, exposure = colours
    if colours == (0.0, 1.0, 1.0):
        return image
    if image.shape[2] != 3:
        return _table(np.arange(256) * exposure)[image]
    hsv = cv2.cvtColor(image, cv2.COLOR_RGB2HSV)
    levels = np.arange(256)
    turned = ((levels + round(180 * hue)) % 180).astype(np.uint8)
    tables = np.stack([turned, _table(levels * saturation), _table(levels * exposure)], axis=-1)
    return cv2.cvtColor(cv2.LUT(hsv, tables[None]), cv2.COLOR_HSV2RGB).astype(np.uint8, copy=False)


def sharpened(image: ImageArray, amount: float) -> ImageArray:
    """Add ``amount`` times the difference of the image from its blurred copy (sigma 1)."""
    if not amount:
        return image
    blurred = cv2.GaussianBlur(image, (0, 0), 1).reshape(image.shape)
    return cv2.addWeighted(image, 1 + amount, blurred, -amount, 0).reshape(image.shape).astype(np.uint8, copy=False)


def moved(labels: Array, crop: Crop, *, width: int, height: int) -> Array:
    """Return objects (M, 5) relative to the crop, cut at its border, without those of which too little is left."""
    origin = np.array([crop.left / width, crop.top / height])
    size = np.array([crop.width / width, crop.height / height])
    centre = (labels[:, 1:3] - origin) / size  # (M, 2)
    if crop.mirrored:
        centre[:, 0] = 1 - centre[:, 0]
    return within(np.concatenate([labels[:, :1], centre, labels[:, 3:] / size], axis=1), visible=VISIBLE).astype(np.float32)


def _table(values: NDArray[Any]) -> NDArray[np.uint8]:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)
