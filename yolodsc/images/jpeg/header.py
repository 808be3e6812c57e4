"""The size that the header of a JPEG file states, without reading the rest."""

import re
import struct
from pathlib import Path

from yolodsc.images.jpeg.markers import MAX_PIXELS

_HEADER_BYTES = 2**16
_SEGMENT = re.compile(rb"\xff([\xc0-\xfe])(..)", re.DOTALL)
_SOS = 0xDA
_FRAMES = frozenset({0xC0, 0xC1, 0xC2})
_UNUSUAL = (frozenset(range(0xC3, 0xD0)) - {0xC4, 0xCC}) | frozenset(range(0xD0, 0xDA))
"""Other frames, and markers without a segment, which do not belong in front of a scan."""


def jpeg_size(path: Path) -> tuple[int, int] | None:
    """Return width and height of a Huffman-coded JPEG of 8 bits with 1 or 3 planes; None for everything else.

    Files whose first scan begins after 64 KB, or with damage before it, are left to decoders too.
    """
    with path.open("rb") as file:
        return _stated_size(file.read(_HEADER_BYTES))


def _stated_size(content: bytes) -> tuple[int, int] | None:
    """Width and height of a JPEG whose segments up to the first scan are all in ``content``."""
    position, size = 2, None
    if content[:2] != b"\xff\xd8":
        return None
    while (segment := _SEGMENT.match(content, position)) is not None:
        kind, length = segment[1][0], int.from_bytes(segment[2], "big")
        if kind == _SOS:
            return size
        if length < 2 or kind in _UNUSUAL or (kind in _FRAMES and size is not None):
            return None
        if kind in _FRAMES:
            size = _frame_size(content[position + 4 : position + 2 + length])
            if size is None:
                return None
        position += 2 + length
    return None


def _frame_size(body: bytes) -> tuple[int, int] | None:
    if len(body) < 6:
        return None
    precision, height, width, count = struct.unpack_from(">BHHB", body)
    usual = precision == 8 and count in (1, 3) and len(body) == 6 + 3 * count
    return (width, height) if usual and 0 < width * height <= MAX_PIXELS else None
