"""Images: files to bytes, bytes to the network's input, with Darknet's own resize and letterbox.

An image is (H, W, C) uint8, RGB or grey, until `fit` makes the planar float32 (C, H, W) in 0..1 that networks read.
"""

from collections.abc import Callable
from concurrent.futures import CancelledError
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from yolodsc.arrays import Array, Shape
from yolodsc.darknet import Profile
from yolodsc.errors import ImageError
from yolodsc.files import replacing
from yolodsc.images import preprocess
from yolodsc.images.conversion import ImageArray, from_pillow, transposed
from yolodsc.images.jpeg import KERNELS, decode_jpeg, jpeg_content
from yolodsc.images.limits import image_name, open_image
from yolodsc.images.preprocess import planar, reference, resized
from yolodsc.images.turbo import decode_turbo
from yolodsc.values import Value

if TYPE_CHECKING:
    from PIL import Image

Geometry = Literal["stretch", "letterbox"]

resize = reference.resize

READING_KERNELS = (*KERNELS, *preprocess.KERNELS)
"""Kernels that the first image would otherwise wait for."""

GREY = np.float32(0.5)
"""What letterboxing leaves around the image (``image.c: letterbox_image``)."""


class Placement(Value):
    """Position of the image in the network's input, as `undo` needs it.

    Attributes
    ----------
    scale : (x, y)
        Size of the resized image relative to the input.
    offset : (x, y)
        Upper left corner relative to the input. It is half of the border and may be fractional; the pixels are pasted at the
        integer part.
    """

    scale: tuple[float, float] = (1.0, 1.0)
    offset: tuple[float, float] = (0.0, 0.0)

    def undo(self, boxes_xywh: Array) -> Array:
        """Convert boxes (N, 4) from relative to the input to relative to the image (``yolo_layer.c: correct_yolo_boxes``)."""
        scale = np.array([*self.scale, *self.scale], np.float32)
        offset = np.array([*self.offset, 0, 0], np.float32)
        return (boxes_xywh - offset) / scale


Decoder = Literal["darknet", "fast"]
DECODERS: tuple[Decoder, ...] = ("darknet", "fast")
"""JPEG decoders: ``darknet`` gives the pixels of stb_image, which Darknet uses; ``fast`` is libjpeg-turbo."""


def read_image(
    source: str | Path | bytes,
    *,
    name: str | None = None,
    channels: int = 3,
    exif: bool = False,
    decoder: Decoder = "fast",
    admit: Callable[[int], None] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> ImageArray:
    """Decode a file, or the content of one, to RGB (``channels=3``) or grey (1).

    Alpha is dropped, 16 bits are cut to 8, and an animation gives its first frame. The grey of a JPEG is its luma plane as in
    stb_image, that of other files a weighted sum of RGB. Errors name the image by ``name``, by default its path.

    Parameters
    ----------
    source
        A path, or the bytes of a file.
    exif
        Turn the image as its EXIF orientation says. Darknet does not.
    decoder
        Which decoder reads a JPEG. ``fast`` reads those that ``darknet`` does not support.
    admit
        Called with the bytes of the image before they are decoded; may wait.
    progress
        Called with the number of compiled kernels and their total while the ``darknet`` decoder is compiled.

    Raises
    ------
    ImageError
        The file is missing, no image, damaged, or beyond the limits of `images.limits`.
    """
    name = image_name(source, name)
    pixels = _jpeg(source, stb=decoder == "darknet" or channels == 1, channels=channels, admit=admit, progress=progress)
    if pixels is not None and not exif:
        return pixels
    try:
        with open_image(source, name=name) as image:
            if pixels is not None:
                return _turned(pixels, image)
            if admit:
                admit(image.width * image.height * channels)
            return from_pillow(transposed(image) if exif else image, channels=channels)
    except (ImageError, MemoryError, CancelledError):
        raise
    except Exception as error:  # decoders raise errors of any class
        raise ImageError(f"{name}: {_reason(error)}") from None


def _jpeg(
    source: str | Path | bytes,
    *,
    stb: bool,
    channels: int,
    admit: Callable[[int], None] | None,
    progress: Callable[[int, int], None] | None,
) -> ImageArray | None:
    """What a JPEG decoder, that of stb_image or libjpeg-turbo, makes of a file or of its content."""
    content = source if isinstance(source, bytes) else jpeg_content(Path(source))
    if content is None:
        return None
    if stb:
        return decode_jpeg(content, channels=channels, admit=admit, progress=progress)
    return decode_turbo(content, admit=admit)


def _reason(error: Exception) -> str:
    """Return the first line of the message of Pillow or the system."""
    if isinstance(error, FileNotFoundError):
        return "no such file"
    from PIL import UnidentifiedImageError

    if isinstance(error, UnidentifiedImageError):
        return "cannot be read as an image: unknown format"
    lines = [getattr(error, "strerror", None), *str(error).splitlines()[:1], type(error).__name__]
    return f"cannot be read as an image: {next(filter(None, lines))}"


def _turned(pixels: ImageArray, image: "Image.Image") -> ImageArray:
    """Return pixels (H, W, C) turned as the EXIF orientation of their file says."""
    from PIL import ExifTags, Image, ImageOps

    exif = image.getexif()
    if exif.get(ExifTags.Base.Orientation, 1) == 1:
        return pixels
    turned = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
    turned.info["exif"] = exif.tobytes()
    ImageOps.exif_transpose(turned, in_place=True)
    return np.asarray(turned).reshape(turned.height, turned.width, -1)


def to_planar(image: ImageArray) -> Array:
    """Convert (H, W, C) bytes to (C, H, W) in 0..1 (``image.c: load_image_stb``)."""
    height, width, channels = image.shape
    out = np.empty((channels, height, width), np.float32)
    planar(image, out)
    return out


def fit(
    image: ImageArray, shape: Shape, *, profile: Profile, geometry: Geometry, out: Array | None = None, bgr: bool = False
) -> tuple[Array, Placement]:
    """Return an image as the network's input of ``shape``, and its placement.

    Parameters
    ----------
    out
        Array for the input: float32 in C order, of ``shape``; a new array by default.
    bgr
        The image (H, W, 3) is in BGR order. The network's input is in RGB order in either case.
    """
    canvas = np.empty(shape, np.float32) if out is None else out
    if canvas.shape != tuple(shape):
        raise ValueError(f"out: array of {canvas.shape}; expected {tuple(shape)}")
    if geometry == "stretch":
        _resized(image, shape.width, shape.height, profile, canvas, bgr=bgr)
        return canvas, Placement()
    width, height = letterboxed(image.shape[1], image.shape[0], shape)
    left, top = (shape.width - width) // 2, (shape.height - height) // 2
    _resized(image, width, height, profile, canvas, left=left, top=top, bgr=bgr)
    canvas[:, :top] = canvas[:, top + height :] = GREY
    canvas[:, top : top + height, :left] = canvas[:, top : top + height, left + width :] = GREY
    scale = (width / shape.width, height / shape.height)
    offset = ((shape.width - width) / 2 / shape.width, (shape.height - height) / 2 / shape.height)
    return canvas, Placement(scale, offset)


def fit_centre(image: ImageArray, shape: Shape, *, profile: Profile) -> Array:
    """Return the centre of an image as the input of a classifier: the shorter side is resized to the input's width.

    Pixels beyond the image repeat its border. Source: ``classifier.c: predict_classifier``, ``image.c: resize_min, crop_image``.
    """
    height, width = image.shape[:2]
    if width < height:
        width, height = shape.width, max(1, height * shape.width // width)
    else:
        width, height = max(1, width * shape.width // height), shape.width
    whole, _ = fit(image, Shape(shape.channels, height, width), profile=profile, geometry="stretch")
    rows = np.clip(np.arange(shape.height) + int((height - shape.height) / 2), 0, height - 1)
    columns = np.clip(np.arange(shape.width) + int((width - shape.width) / 2), 0, width - 1)
    return np.ascontiguousarray(whole[:, rows][:, :, columns])


def letterboxed(width: int, height: int, shape: Shape) -> tuple[int, int]:
    """Return the largest size with the aspect of the image that fits, cut to whole pixels (``image.c: letterbox_image``)."""
    if np.float32(shape.width) / np.float32(width) < np.float32(shape.height) / np.float32(height):
        return shape.width, max(1, height * shape.width // width)
    return max(1, width * shape.height // height), shape.height


def _resized(
    image: ImageArray, width: int, height: int, profile: Profile, out: Array, *, left: int = 0, top: int = 0, bgr: bool
) -> None:
    if profile.resize == "darknet":
        return resized(image, out, width=width, height=height, left=left, top=top, bgr=bgr)
    import cv2

    try:
        pixels = cv2.resize(np.ascontiguousarray(image), (width, height), interpolation=cv2.INTER_LINEAR)
    except cv2.error as error:
        if error.code == cv2.Error.StsNoMem:
            raise MemoryError(f"no memory to resize {image.shape[1]}x{image.shape[0]} pixels") from None
        raise
    small: ImageArray = pixels.reshape(height, width, -1).astype(np.uint8, copy=False)
    return planar(small[..., ::-1] if bgr else small, out, left=left, top=top)


WRITABLE_EXTENSIONS = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".ppm"})
"""Endings that `write` knows."""


def write_image(path: str | Path, image: ImageArray) -> None:
    """Write an image in the format of the extension (JPEG at quality 92); the file is complete or absent."""
    ending = Path(path).suffix.lower()
    if ending not in WRITABLE_EXTENSIONS:
        raise ImageError(f"{path}: unknown ending; expected one of {' '.join(sorted(WRITABLE_EXTENSIONS))}")
    from PIL import Image

    encoder = Image.fromarray(image[..., 0] if image.shape[2] == 1 else np.ascontiguousarray(image))
    form = Image.registered_extensions()[ending]
    options = {"quality": 92} if form in ("JPEG", "WEBP") else {}
    with replacing(path, error=ImageError) as file:
        encoder.save(file, format=form, **options)
