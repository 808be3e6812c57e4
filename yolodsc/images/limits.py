"""Image files, opened and checked before anything is decoded: what a small file may ask for is bounded."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from yolodsc.errors import ImageError
from yolodsc.files import regular_size
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
def open_image(path: str | Path) -> Iterator["Image.Image"]:
    """An image whose header was read and whose pixels were not.

    Raises
    ------
    ImageError
        The file is a device or pipe, longer than `MAX_BYTES`, or its header says more than the limits above. Pillow's own errors
        pass.
    """
    regular_size(path, max_bytes=MAX_BYTES, error=ImageError)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with _recognised(path) as image:
            width, height = image.size
            if width * height > MAX_PIXELS or max(width, height) > MAX_SIDE:
                raise ImageError(f"{path}: {width}x{height} pixels; at most {MAX_PIXELS} are read, {MAX_SIDE} a side")
            if image.format in ("JPEG", "MPO") and (scans := _scans(path)) > (allowed := scans_allowed(width * height)):
                raise ImageError(f"{path}: a JPEG of {scans} scans; at most {allowed} are read at {width}x{height} pixels")
            yield image


def _recognised(path: str | Path) -> "Image.Image":
    from PIL import Image, UnidentifiedImageError

    Image.preinit()  # the common formats; the others take longer to import, and only where none of these fits
    try:
        return Image.open(path, formats=FORMATS)
    except KeyError:  # a Pillow that does not know AVIF, the last of them
        raise UnidentifiedImageError from None


def _scans(path: str | Path) -> int:
    """How many start-of-scan markers a JPEG has: entropy-coded data have none, so thumbnails are all that may be counted too."""
    count, before = 0, b""
    with Path(path).open("rb") as file:
        while part := file.read(_CHUNK):
            count += (before + part).count(b"\xff\xda")
            before = part[-1:] if part[-1:] == b"\xff" else b""
    return count
