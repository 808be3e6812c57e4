"""Images: files to bytes, bytes to the network's input, with Darknet's own resize and letterbox.

An image is (H, W, C) uint8, RGB or grey, until `fit` makes the planar float32 (C, H, W) in 0..1 that networks read.
"""

from collections.abc import Callable
from concurrent.futures import CancelledError
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from yolodsc.arrays import Array, Shape
from yolodsc.darknet import Profile
from yolodsc.errors import ImageError
from yolodsc.files import replacing
from yolodsc.images import preprocess
from yolodsc.images.jpeg import KERNELS, read_jpeg
from yolodsc.images.limits import open_image
from yolodsc.images.preprocess import grey, planar, reference, resized
from yolodsc.values import Value

if TYPE_CHECKING:
    from PIL import Image

ImageArray = NDArray[np.uint8]
"""(H, W, C) with C = 1 or 3, RGB."""

Geometry = Literal["stretch", "letterbox"]

resize = reference.resize

READING_KERNELS = (*KERNELS, *preprocess.KERNELS)
"""Kernels that the first image would otherwise wait for."""

GREY = np.float32(0.5)
"""What letterboxing leaves around the image (``image.c: letterbox_image``)."""


class Placement(Value):
    """Where the image lies in the network's input, relative to it: what `undo` needs.

    Attributes
    ----------
    scale : (x, y)
        Size of the image's image in the input.
    offset : (x, y)
        Its left upper corner: the fractional half of what is left, though pixels are pasted at the integer half.
    """

    scale: tuple[float, float] = (1.0, 1.0)
    offset: tuple[float, float] = (0.0, 0.0)

    def undo(self, boxes_xywh: Array) -> Array:
        """Boxes (N, 4) relative to the image, from boxes relative to the input (``yolo_layer.c: correct_yolo_boxes``)."""
        scale = np.array([*self.scale, *self.scale], np.float32)
        offset = np.array([*self.offset, 0, 0], np.float32)
        return (boxes_xywh - offset) / scale


Decoder = Literal["darknet", "fast"]
"""JPEG decoders: ``darknet`` gives the pixels of stb_image, which Darknet uses; ``fast`` is libjpeg-turbo, through Pillow."""

DECODERS: tuple[Decoder, ...] = ("darknet", "fast")


def read_image(
    path: str | Path,
    *,
    channels: int = 3,
    exif: bool = False,
    decoder: Decoder = "fast",
    admit: Callable[[int], None] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> ImageArray:
    """Decode a file to RGB (``channels=3``) or grey (1).

    Alpha is dropped, 16 bits are cut to 8, and an animation gives its first frame. The grey of a JPEG is its luma plane, as in
    stb_image; that of other files is a weighted sum of RGB.

    Parameters
    ----------
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
    stb = decoder == "darknet" or channels == 1
    pixels = read_jpeg(Path(path), channels=channels, admit=admit, progress=progress) if stb else None
    if pixels is not None and not exif:
        return pixels
    try:
        with open_image(path) as image:
            if pixels is not None:
                return _turned(pixels, image)
            if admit:
                admit(image.width * image.height * channels)
            return from_pillow(_transposed(image) if exif else image, channels=channels)
    except (ImageError, MemoryError, CancelledError):
        raise
    except Exception as error:  # decoders raise errors of any class
        raise ImageError(f"{path}: {_reason(error)}") from None


def _reason(error: Exception) -> str:
    """The first line of what Pillow or the system reports."""
    if isinstance(error, FileNotFoundError):
        return "no such file"
    from PIL import UnidentifiedImageError

    if isinstance(error, UnidentifiedImageError):
        return "cannot be read as an image: unknown format"
    lines = [getattr(error, "strerror", None), *str(error).splitlines()[:1], type(error).__name__]
    return f"cannot be read as an image: {next(filter(None, lines))}"


def _transposed(image: "Image.Image") -> "Image.Image":
    """An image turned as its EXIF orientation says."""
    from PIL import ImageOps

    return ImageOps.exif_transpose(image)


def _turned(pixels: ImageArray, image: "Image.Image") -> ImageArray:
    """Pixels (H, W, C) turned as the EXIF orientation of their file says."""
    from PIL import ExifTags, Image, ImageOps

    exif = image.getexif()
    if exif.get(ExifTags.Base.Orientation, 1) == 1:
        return pixels
    turned = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
    turned.info["exif"] = exif.tobytes()
    ImageOps.exif_transpose(turned, in_place=True)
    return np.asarray(turned).reshape(turned.height, turned.width, -1)


def from_pillow(image: "Image.Image", *, channels: int = 3) -> ImageArray:
    """A Pillow image of any mode as (H, W, channels) bytes."""
    if channels not in (1, 3):
        raise ImageError(f"the network reads {channels} channels; images give 1 or 3")
    if image.mode in ("I", "F") or image.mode.startswith("I;"):
        pixels = _deep_grey(np.asarray(image))
    elif image.mode in ("1", "L", "LA"):
        pixels = np.asarray(image.convert("L"))
    else:
        return from_array(np.asarray(image if image.mode == "RGB" else image.convert("RGB")), channels=channels)
    return from_array(pixels, channels=channels)


def from_array(pixels: NDArray[Any], *, channels: int = 3) -> ImageArray:
    """Bytes (H, W), (H, W, 1), (H, W, 3) or (H, W, 4) as (H, W, channels); an `ImageError` for anything else."""
    if pixels.dtype != np.uint8 or pixels.ndim not in (2, 3) or not pixels.size:
        raise ImageError(f"array of {pixels.dtype} {pixels.shape}; expected uint8 (height, width, 1, 3 or 4)")
    image: ImageArray = pixels[..., None] if pixels.ndim == 2 else pixels
    if image.shape[2] == 4:
        image = image[..., :3]
    if image.shape[2] not in (1, 3):
        raise ImageError(f"array of {image.shape[2]} channels; expected 1, 3 or 4")
    if image.shape[2] == channels:
        return image
    if channels == 3:
        repeated: ImageArray = np.repeat(image, 3, axis=2)
        return repeated
    return grey(image)


def _deep_grey(pixels: NDArray[Any]) -> ImageArray:
    """Grey of more than 8 bits, or real numbers.

    The upper 8 of 16 bits, as stb_image cuts them, or of as many as the largest value takes beyond that; integers below 256 are
    taken for 8 bits already, real numbers within 0..1 for shares of white.
    """
    top = float(np.nanmax(pixels, initial=0.0))
    if pixels.dtype.kind == "f":
        shares = np.nan_to_num(pixels, nan=0.0) * (255 if top <= 1 else 1)
        return np.clip(np.rint(shares), 0, 255).astype(np.uint8)
    bits = 8 if top < 2**8 else max(16, int(top).bit_length())
    cut: ImageArray = np.clip(pixels.astype(np.int64) >> (bits - 8), 0, 255).astype(np.uint8)
    return cut


def to_planar(image: ImageArray) -> Array:
    """(H, W, C) bytes to (C, H, W) in 0..1 (``image.c: load_image_stb``)."""
    height, width, channels = image.shape
    out = np.empty((channels, height, width), np.float32)
    planar(image, out)
    return out


def fit(
    image: ImageArray, shape: Shape, *, profile: Profile, geometry: Geometry, out: Array | None = None
) -> tuple[Array, Placement]:
    """An image as the network's input of ``shape``, and where it lies there.

    Parameters
    ----------
    out
        Where to write the input: float32 in C order, of ``shape``; a new array unless given.
    """
    canvas = np.empty(shape, np.float32) if out is None else out
    if canvas.shape != tuple(shape):
        raise ValueError(f"out: array of {canvas.shape}; expected {tuple(shape)}")
    if geometry == "stretch":
        _resized(image, shape.width, shape.height, profile, canvas)
        return canvas, Placement()
    width, height = letterboxed(image.shape[1], image.shape[0], shape)
    left, top = (shape.width - width) // 2, (shape.height - height) // 2
    _resized(image, width, height, profile, canvas, left=left, top=top)
    canvas[:, :top] = canvas[:, top + height :] = GREY
    canvas[:, top : top + height, :left] = canvas[:, top : top + height, left + width :] = GREY
    scale = (width / shape.width, height / shape.height)
    offset = ((shape.width - width) / 2 / shape.width, (shape.height - height) / 2 / shape.height)
    return canvas, Placement(scale, offset)


def letterboxed(width: int, height: int, shape: Shape) -> tuple[int, int]:
    """Largest size with the image's aspect that fits, cut to whole pixels (``image.c: letterbox_image``)."""
    if np.float32(shape.width) / np.float32(width) < np.float32(shape.height) / np.float32(height):
        return shape.width, max(1, height * shape.width // width)
    return max(1, width * shape.height // height), shape.height


def _resized(image: ImageArray, width: int, height: int, profile: Profile, out: Array, *, left: int = 0, top: int = 0) -> None:
    if profile.resize == "darknet":
        return resized(image, out, width=width, height=height, left=left, top=top)
    import cv2

    try:
        pixels = cv2.resize(np.ascontiguousarray(image), (width, height), interpolation=cv2.INTER_LINEAR)
    except cv2.error as error:
        if error.code == cv2.Error.StsNoMem:
            raise MemoryError(f"no memory to resize {image.shape[1]}x{image.shape[0]} pixels") from None
        raise
    return planar(pixels.reshape(height, width, -1).astype(np.uint8, copy=False), out, left=left, top=top)


WRITABLE_EXTENSIONS = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".ppm"})
"""Endings that `write` knows."""


def write_image(path: str | Path, image: ImageArray) -> None:
    """Write an image in the format of the file's ending (JPEG at quality 92), whole or not at all."""
    ending = Path(path).suffix.lower()
    if ending not in WRITABLE_EXTENSIONS:
        raise ImageError(f"{path}: unknown ending; expected one of {' '.join(sorted(WRITABLE_EXTENSIONS))}")
    from PIL import Image

    encoder = Image.fromarray(image[..., 0] if image.shape[2] == 1 else np.ascontiguousarray(image))
    form = Image.registered_extensions()[ending]
    options = {"quality": 92} if form in ("JPEG", "WEBP") else {}
    with replacing(path, error=ImageError) as file:
        encoder.save(file, format=form, **options)
