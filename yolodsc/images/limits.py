"""Opening of image files: limits on size and content, checked before anything is decoded."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from yolodsc.errors import ImageError
from yolodsc.files import regular_size
from yolodsc.images.jpeg.header import jpeg_size
from yolodsc.images.jpeg.markers import MAX_PIXELS, scans_allowed

if TYPE_CHECKING:
    from PIL import Image

MAX_SIDE = 2**16 - 1
"""The longest side, that of a JPEG: a strip one pixel wide would take many times its pixels, since every row costs."""

MAX_BYTES = 2**30
"""The longest file: `MAX_PIXELS` of three times 16 bits, uncompressed, fit."""

FORMATS = ("JPEG", "PNG", "PPM", "BMP", "DIB", "GIF", "TIFF", "WEBP", "TGA", "JPEG2000", "ICO", "PCX", "PSD", "SGI", "AVIF")
"""Pillow's formats that are read. The others are rare, or are programs for other programs (EPS) rather than pixels."""

_CHUNK = 2**20


@contextmanager
def open_image(source: str | Path | bytes, *, name: str | None = None) -> Iterator["Image.Image"]:
    """Open an image and read its header; the pixels are not decoded.

    Parameters
    ----------
    source
        A path, or the bytes of a file.
    name
        What errors call the image; by default the path.

    Raises
    ------
    ImageError
        The file is a device or pipe, is longer than `MAX_BYTES`, or exceeds one of the limits above. Errors of Pillow are passed
        on.
    """
    name = image_name(source, name)
    if isinstance(source, bytes):
        if len(source) > MAX_BYTES:
            raise ImageError(f"{name}: {len(source)} bytes; expected at most {MAX_BYTES}")
    else:
        regular_size(source, max_bytes=MAX_BYTES, error=ImageError)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with _recognised(source) as image:
            width, height = image.size
            if width * height > MAX_PIXELS or max(width, height) > MAX_SIDE:
                raise ImageError(f"{name}: {width}x{height} pixels; at most {MAX_PIXELS} are read, {MAX_SIDE} a side")
            if image.format in ("JPEG", "MPO") and (scans := _scans(source)) > (allowed := scans_allowed(width * height)):
                raise ImageError(f"{name}: a JPEG of {scans} scans; at most {allowed} are read at {width}x{height} pixels")
            yield image


def image_size(path: Path) -> tuple[int, int]:
    """Return width and height from the header of an image file, not turned; errors are those of `open_image`."""
    regular_size(path, max_bytes=MAX_BYTES, error=ImageError)
    size = jpeg_size(path)
    if size is not None:
        return size
    with open_image(path) as image:
        return image.size


def image_name(source: str | Path | bytes, name: str | None) -> str:
    """Return what errors call an image: its name, its path, or its length."""
    return name or (f"image of {len(source)} bytes" if isinstance(source, bytes) else str(source))


def _recognised(source: str | Path | bytes) -> "Image.Image":
    from PIL import Image, UnidentifiedImageError

    Image.preinit()  # the common formats; the others take longer to import, and only where none of these fits
    try:
        return Image.open(BytesIO(source) if isinstance(source, bytes) else source, formats=FORMATS)
    except KeyError:  # a Pillow that does not know AVIF, the last of them
        raise UnidentifiedImageError from None


def _scans(source: str | Path | bytes) -> int:
    """Count the start-of-scan markers of a JPEG. Entropy-coded data contain none; those of embedded thumbnails may be counted."""
    count, before = 0, b""
    with BytesIO(source) if isinstance(source, bytes) else Path(source).open("rb") as file:
        while part := file.read(_CHUNK):
            count += (before + part).count(b"\xff\xda")
            before = part[-1:] if part[-1:] == b"\xff" else b""
    return count
