"""Images in memory, of Pillow, NumPy and PyTorch, as (H, W, C) bytes."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from yolodsc.errors import ImageError
from yolodsc.images.preprocess import grey

if TYPE_CHECKING:
    from PIL import Image

EXIF_ORIENTATION = 0x0112
"""The tag of the orientation; values from 5 to 8 exchange the sides."""

ImageArray = NDArray[np.uint8]
"""(H, W, C) with C = 1 or 3, RGB."""


def transposed(image: "Image.Image") -> "Image.Image":
    """Turn an image as its EXIF orientation says."""
    from PIL import ImageOps

    return ImageOps.exif_transpose(image)


def transposes(image: "Image.Image") -> bool:
    """Whether the EXIF orientation of an image exchanges width and height."""
    orientation = image.getexif().get(EXIF_ORIENTATION)
    return isinstance(orientation, int) and 5 <= orientation <= 8


def from_pillow(image: "Image.Image", *, channels: int = 3) -> ImageArray:
    """Return a Pillow image of any mode as (H, W, channels) bytes."""
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
    """Return bytes (H, W), (H, W, 1), (H, W, 3) or (H, W, 4) as (H, W, channels); raise an `ImageError` for other arrays."""
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


def from_tensor(values: NDArray[Any], *, channels: int = 3) -> ImageArray:
    """Return planar values (C, H, W) or (H, W), as torchvision makes them, as (H, W, channels) bytes.

    Bytes are kept; real numbers are shares of white, 0 to 1.
    """
    planes = values[None] if values.ndim == 2 else values
    if planes.ndim != 3 or planes.shape[0] not in (1, 3, 4) or not planes.size:
        raise ImageError(f"tensor of shape {values.shape}; expected (1, 3 or 4, height, width)")
    if planes.dtype.kind == "f":
        planes = np.rint(np.clip(np.nan_to_num(planes, nan=0.0), 0, 1) * 255).astype(np.uint8)
    return from_array(np.ascontiguousarray(planes.transpose(1, 2, 0)), channels=channels)


def _deep_grey(pixels: NDArray[Any]) -> ImageArray:
    """Convert grey of more than 8 bits, or real numbers, to bytes.

    Of 16 bits the upper 8 remain, as in stb_image; of larger integers the upper 8 bits of the largest value. Integers below 256
    are not changed. Real numbers within 0..1 are multiplied by 255.
    """
    top = float(np.nanmax(pixels, initial=0.0))
    if pixels.dtype.kind == "f":
        shares = np.nan_to_num(pixels, nan=0.0) * (255 if top <= 1 else 1)
        return np.clip(np.rint(shares), 0, 255).astype(np.uint8)
    bits = 8 if top < 2**8 else max(16, int(top).bit_length())
    cut: ImageArray = np.clip(pixels.astype(np.int64) >> (bits - 8), 0, 255).astype(np.uint8)
    return cut
