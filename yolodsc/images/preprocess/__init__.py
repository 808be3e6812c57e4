"""Images to the network's input: bytes to planar float32 in 0..1, resized as in Darknet."""

import numpy as np
from numpy.typing import NDArray

from yolodsc.arrays import Array
from yolodsc.images.preprocess import reference
from yolodsc.jit import Kernel

__all__ = ["KERNELS", "exchanged", "grey", "planar", "resized"]

RESIZED = "u1[1] int int int int int i8[1] f4[1] i8[1] f4[2] f4[1] int int int int"
_planar = Kernel("yolodsc.images.preprocess.conversion:planar", "u1[1] int int int f4[1] int int int")
_resized = Kernel("yolodsc.images.preprocess.resize:resized", RESIZED)
_grey = Kernel("yolodsc.images.preprocess.conversion:grey", "u1[1] u1[1]")
_exchange = Kernel("yolodsc.images.preprocess.conversion:exchange", "u1[1] u1[1]")
KERNELS = (_planar, _resized, _grey, _exchange)
"""All that a first image would otherwise wait for."""
_SPARE = 32
_PATIENCE = 50
"""Images that go through NumPy, at 1.5 ms more each, before kernels are compiled that were not kept: it takes about two seconds."""


def planar(image: NDArray[np.uint8], out: Array, *, left: int = 0, top: int = 0) -> None:
    """Write the bytes (H, W, C), divided by 255, into the canvas ``out`` (C, ...), from column ``left`` and row ``top``."""
    height, width, channels = image.shape
    offsets = _within(out, channels, height, width, left, top)
    if not _planar.pays(_PATIENCE):
        out[:, top : top + height, left : left + width] = reference.planar(image)
        return
    pixels = np.ascontiguousarray(image).reshape(-1)
    _planar(pixels, channels, width, height, out.reshape(-1), *offsets)


def resized(
    image: NDArray[np.uint8], out: Array, *, width: int, height: int, left: int = 0, top: int = 0, bgr: bool = False
) -> None:
    """Write the image (H, W, C), resized as in Darknet, into the canvas ``out`` (C, ...), from column ``left`` and row ``top``.

    The result is bit-identical to that of `yolodsc.images.preprocess.reference`. With ``bgr`` the channels of the image are in the
    opposite order.
    """
    rows, columns, channels = image.shape
    if (rows, columns) == (height, width):
        return planar(image[..., ::-1] if bgr else image, out, left=left, top=top)
    offsets = _within(out, channels, height, width, left, top)
    if not _resized.pays(_PATIENCE):
        out[:, top : top + height, left : left + width] = reference.resized(
            image[..., ::-1] if bgr else image, width=width, height=height
        )
        return None
    pixels = np.ascontiguousarray(image).reshape(-1)
    length = width + _SPARE
    scratch = np.empty(length, np.int64), np.empty(length, np.float32), np.empty(length, np.int64)
    parts = np.empty((2, channels * length), np.float32)
    _resized(pixels, channels, columns, rows, width, height, *scratch, parts, out.reshape(-1), *offsets, bgr * (channels - 1))
    return None


def grey(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Convert RGB (H, W, 3) to grey (H, W, 1) with the weights of stb_image (``stbi__compute_y``)."""
    if not _grey.pays(_PATIENCE):
        return reference.grey(image)
    out = np.empty((*image.shape[:2], 1), np.uint8)
    _grey(np.ascontiguousarray(image).reshape(-1), out.reshape(-1))
    return out


def exchanged(image: NDArray[np.uint8], out: NDArray[np.uint8]) -> None:
    """Write an image (H, W, 3) in BGR order to ``out`` in RGB order, or the other way round; both are in C order.

    The conversion of OpenCV wakes threads that then wait for more work at the cost of the network's threads.
    """
    if not (
        image.shape == out.shape and image.ndim == 3 and image.shape[2] == 3 and out.flags.c_contiguous and out.flags.writeable
    ):
        raise ValueError(f"out: {out.dtype} {out.shape}; expected a writable array (H, W, 3) in C order of {image.shape}")
    if not _exchange.pays(_PATIENCE):
        out[...] = image[..., ::-1]
        return
    _exchange(np.ascontiguousarray(image).reshape(-1), out.reshape(-1))


def _within(out: Array, channels: int, height: int, width: int, left: int, top: int) -> tuple[int, int, int]:
    """Return the first offset and the strides of rows and channels in floats; raise a ValueError if the result does not fit."""
    fits = out.ndim == 3 and out.shape[0] == channels and 0 <= top <= out.shape[1] - height and 0 <= left <= out.shape[2] - width
    if not fits or channels not in (1, 3) or out.dtype != np.float32 or not out.flags.c_contiguous or not out.flags.writeable:
        raise ValueError(
            f"out: {out.dtype} {out.shape}; expected a writable float32 array in C order with room for {(channels, height, width)}"
        )
    return top * out.shape[2] + left, out.shape[2], out.shape[1] * out.shape[2]
