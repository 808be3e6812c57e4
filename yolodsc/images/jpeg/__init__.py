"""JPEG decoder that gives the same bytes as stb_image, which Darknet uses.

The standard does not prescribe rounding. stb_image and libjpeg differ in one byte out of twenty by a few levels of 255, which
changes the AP of a rare class by up to a point. This package follows the arithmetic of stb_image under stb_image's public-domain
option.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from yolodsc.files import is_file
from yolodsc.images.jpeg import kernels
from yolodsc.images.jpeg.buffer_sizes import FAST, PADDING, SPARE
from yolodsc.images.jpeg.kernels import KERNELS, Progress
from yolodsc.images.jpeg.markers import Component, Frame, Scan, parse
from yolodsc.jit import Kernel

__all__ = ["KERNELS", "Admit", "decode_jpeg", "jpeg_content", "read_jpeg"]

MAX_BYTES = 2**28
"""Maximum bytes of a file; no JPEG of `markers.MAX_PIXELS` pixels is longer."""

START = b"\xff\xd8"
"""First bytes of every JPEG file."""

Admit = Callable[[int], None]


def read_jpeg(
    path: Path, *, channels: int = 3, admit: Admit | None = None, progress: Progress | None = None
) -> NDArray[np.uint8] | None:
    """Decode a file as `decode_jpeg` does; return None also if the file cannot be read."""
    content = jpeg_content(path)
    return None if content is None else decode_jpeg(content, channels=channels, admit=admit, progress=progress)


def jpeg_content(path: Path) -> bytes | None:
    """Return the content of a JPEG file; None for other files, and for those that cannot be read or are too long."""
    try:
        if not is_file(path) or path.stat().st_size > MAX_BYTES:
            return None
        with path.open("rb") as file:
            if file.read(2) != START:
                return None
            file.seek(0)
            return file.read()
    except OSError:
        return None


def decode_jpeg(
    content: bytes, *, channels: int = 3, admit: Admit | None = None, progress: Progress | None = None
) -> NDArray[np.uint8] | None:
    """Decode a JPEG to the bytes of stb_image.

    Parameters
    ----------
    channels
        3 for RGB, 1 for luma.
    admit
        Called with the size of the decoded image in bytes before it is decoded; may wait.
    progress
        Called with the number of compiled kernels and their total while the decoder is compiled.

    Returns
    -------
    (H, W, channels) uint8, or None
        None if the decoder does not support the content: other formats, damaged or truncated files, four components, arithmetic
        coding, more than 8 bits. Another decoder has to read these files.
    """
    frame = parse(content)
    if frame is None or channels not in (1, 3) or (channels == 1 and frame.rgb):
        return None
    if admit:
        admit(frame.width * frame.height * channels)
    kernels.load(_needed(frame, channels), progress)
    used = frame.components[:1] if channels == 1 else frame.components
    samples = _samples(content, frame, used)
    return None if samples is None else _coloured(samples, used, frame, channels)


def _needed(frame: Frame, channels: int) -> tuple[Kernel, ...]:
    """Return the kernels that a file needs. The slowest to compile is last, so that progress is reported before it."""
    colour = () if channels == 1 else (kernels.joined,)
    if frame.progressive:
        return (*colour, kernels.planes, kernels.progressive)
    return (*colour, *(() if _direct(frame) else (kernels.planes,)), kernels.sequential)


def _direct(frame: Frame) -> bool:
    """Return whether one scan holds all components, so that blocks become samples without being stored."""
    return not frame.progressive and [sorted(scan.components) for scan in frame.scans] == [[*range(len(frame.components))]]


def _samples(content: bytes, frame: Frame, used: tuple[Component, ...]) -> NDArray[np.uint8] | None:
    """Return all used planes one after another, each in rows of 8 * blocks_x; None if the data are damaged."""
    data = np.frombuffer(content, np.uint8)
    tables = np.stack([frame.quantisation[c.table] for c in used])
    samples = np.empty(64 * sum(c.blocks_x * c.blocks_y for c in used) + 3 * (frame.width + SPARE), np.uint8)
    if _direct(frame):
        return samples if _read(frame.scans[0], frame, data, np.zeros((1, 64), np.int16), tables, samples) else None
    coefficients = np.zeros((frame.blocks, 64), np.int16)
    nothing = np.empty(0, np.uint8)
    if not all(_read(scan, frame, data, coefficients, tables, nothing) for scan in frame.scans):
        return None
    layout = np.array([(c.offset, c.blocks_x, c.blocks_y, 64 * c.offset) for c in used], np.int64)
    kernels.planes(coefficients, tables, layout, samples)
    return samples


def _read(
    scan: Scan,
    frame: Frame,
    data: NDArray[np.uint8],
    coefficients: NDArray[np.int16],
    tables: NDArray[np.int32],
    samples: NDArray[np.uint8],
) -> bool:
    """Add the coefficients of one scan, or write ``samples`` unless it is empty; return False if the data are damaged."""
    parts = [frame.components[i] for i in scan.components]
    alone = len(parts) == 1
    layout = np.array(
        [
            (*((1, 1) if alone else (c.h, c.v)), c.offset, c.blocks_x, dc, ac, row, 64 * c.offset if row < len(tables) else -1)
            for row, c, (dc, ac) in zip(scan.components, parts, scan.tables, strict=True)
        ],
        np.int64,
    )
    units = (-(-parts[0].width // 8), -(-parts[0].height // 8)) if alone else (frame.units_x, frame.units_y)
    codes = (
        np.empty((8, 1 << FAST), np.int32),
        np.empty((8, 18), np.int32),
        np.empty((8, 18), np.int32),
        np.empty(3, np.int64),
    )
    shared = (coefficients, layout, *units, scan.restart, scan.counts, scan.symbols, *codes)
    if frame.progressive:
        return bool(kernels.progressive(data, scan.start, scan.stop, *shared, *scan.band, *scan.bits))
    segment = np.empty(scan.stop - scan.start + PADDING, np.uint8)
    return bool(kernels.sequential(data, scan.start, scan.stop, segment, *shared, tables, samples))


def _coloured(samples: NDArray[np.uint8], used: tuple[Component, ...], frame: Frame, channels: int) -> NDArray[np.uint8]:
    if channels == 1:
        return (
            samples[: 64 * used[0].blocks_x * used[0].blocks_y]
            .reshape(-1, 8 * used[0].blocks_x, 1)[: frame.height, : frame.width]
            .copy()
        )
    planes = used if len(used) == 3 else used * 3
    layout = np.array([(64 * c.offset, 8 * c.blocks_x, c.height, frame.h // c.h, frame.v // c.v) for c in planes], np.int64)
    out = np.empty(frame.height * frame.width * 3 + SPARE, np.uint8)
    sums = np.empty(frame.width + SPARE, np.int16)
    state = np.array([[0] * 4] * 3 + [[frame.width, frame.height, 0, 0]], np.int64)
    kernels.joined(samples, layout, len(samples) - 3 * len(sums), sums, state, frame.rgb or len(used) == 1, out)
    return out[:-SPARE].reshape(frame.height, frame.width, 3)
