"""Images as small JPEGs inside of a page."""

from base64 import b64encode
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

MAX_SIDE, QUALITY = 480, 80


def thumbnail_of_file(path: Path, *, exif: bool) -> str | None:
    """A ``data:`` address of the image, turned as EXIF says or as its pixels are stored; None if it cannot be read."""
    from yolodsc.images import open_image, transposed

    try:
        with open_image(path) as image:
            return _encoded((transposed(image) if exif else image).convert("RGB"))
    except Exception:  # decoders raise whatever their authors chose; the page shows the boxes without the image
        return None


def thumbnail_of_array(pixels: NDArray[np.uint8]) -> str:
    """The same of an image (H, W, 1 or 3)."""
    from PIL import Image

    return _encoded(Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels).convert("RGB"))


def _encoded(image: Any) -> str:
    image.thumbnail((MAX_SIDE, MAX_SIDE))
    buffer = BytesIO()
    image.save(buffer, "JPEG", quality=QUALITY)
    return "data:image/jpeg;base64," + b64encode(buffer.getvalue()).decode()
