"""JPEG files to the very bytes that Darknet sees.

Decoders agree on a JPEG only to a few levels of 255, because nobody prescribes how to round: stb_image, which Darknet uses, and
libjpeg, which nearly everybody else uses, differ in one byte out of twenty. That is enough to move the AP of a rare class by a
point. Here is the arithmetic of stb_image.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from yolodsc.jpeg.markers import Component, Frame, Scan, parse

__all__ = ["decode", "read"]


MOST_BYTES = 2**28
"""Longer files are left to another decoder: no JPEG of `markers.MOST_PIXELS` has as many."""

Admit = Callable[[int], None]


def read(path: Path, *, channels: int = 3, admit: Admit | None = None) -> NDArray[np.uint8] | None:
    """`decode` of a file; None where it cannot be read either."""
    try:
        if not path.is_file() or path.stat().st_size > MOST_BYTES:
            return None
        return decode(path.read_bytes(), channels=channels, admit=admit)
    except OSError:
        return None


def decode(content: bytes, *, channels: int = 3, admit: Admit | None = None) -> NDArray[np.uint8] | None:
    """The picture (H, W, channels), RGB or (``channels=1``) luma; None for files that another decoder has to judge.

    ``admit`` is called with the bytes of the picture before they are decoded; it may wait.

    Those are files that are no JPEG, damaged or cut off, with four components, with arithmetic coding or with more than 8 bits.
    """
    frame = parse(content)
    if frame is None or channels not in (1, 3) or (channels == 1 and frame.rgb):
        return None
    if admit:
        admit(frame.width * frame.height * channels)
    from yolodsc.jpeg.pixels import planes

    data = np.frombuffer(content, np.uint8)
    coefficients = np.zeros((frame.blocks, 64), np.int16)
    if not all(_read(scan, frame, data, coefficients) for scan in frame.scans):
        return None
    used = frame.components[:1] if channels == 1 else frame.components
    layout = np.array([(c.offset, c.blocks_x, c.blocks_y) for c in used], np.int64)
    tables = np.stack([frame.quantisation[c.table] for c in used])
    samples = planes(coefficients, tables, layout)  # all planes one after another, in rows of 8 * blocks_x
    return _coloured(samples, used, frame, channels)


def _read(scan: Scan, frame: Frame, data: NDArray[np.uint8], coefficients: NDArray[np.int16]) -> bool:
    """Add what one scan tells of the coefficients; False where its data are damaged."""
    from yolodsc.jpeg.entropy import lookup, progressive, sequential

    parts = [frame.components[i] for i in scan.components]
    alone = len(parts) == 1
    layout = np.array(
        [
            (*((1, 1) if alone else (c.h, c.v)), c.offset, c.blocks_x, dc, ac)
            for c, (dc, ac) in zip(parts, scan.tables, strict=True)
        ],
        np.int64,
    )
    units = (-(-parts[0].width // 8), -(-parts[0].height // 8)) if alone else (frame.units_x, frame.units_y)
    codes = lookup(scan.counts, scan.symbols)
    place = (data, scan.start, scan.stop, coefficients, layout, units, scan.restart, *codes)
    return bool(progressive(*place, scan.band, scan.bits) if frame.progressive else sequential(*place))


def _coloured(samples: NDArray[np.uint8], used: tuple[Component, ...], frame: Frame, channels: int) -> NDArray[np.uint8]:
    from yolodsc.jpeg.colour import joined

    if len(used) == 1:
        plane: NDArray[np.uint8] = samples.reshape(-1, 8 * used[0].blocks_x)[: frame.height, : frame.width]
        return np.repeat(plane[..., None], channels, axis=2)
    layout = np.array([(64 * (c.offset - used[0].offset), 8 * c.blocks_x, c.height, frame.h // c.h, frame.v // c.v) for c in used])
    picture: NDArray[np.uint8] = joined(samples, layout, frame.width, frame.height, frame.rgb)
    return picture
