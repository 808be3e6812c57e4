"""The segments of a JPEG file: frame, tables, and positions of the scans (ITU-T T.81, annex B)."""

import re
import struct
from functools import lru_cache
from itertools import accumulate

import numpy as np
from msgspec import Struct, field
from numpy.typing import NDArray

from yolodsc.values import Value

ZIGZAG = np.array([
    0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7, 14, 21, 28,
    35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
])  # fmt: skip
"""Where the k-th coefficient of a file stands in a block of eight by eight (figure A.6)."""
_END_OF_SCAN = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_MARKER = re.compile(rb"\xff[^\x00\xff]")
_BASELINE, _EXTENDED, _PROGRESSIVE = 0xC0, 0xC1, 0xC2
_DHT, _SOI, _EOI, _SOS, _DQT, _DRI, _JFIF, _ADOBE = 0xC4, 0xD8, 0xD9, 0xDA, 0xDB, 0xDD, 0xE0, 0xEE
MAX_PIXELS = 2**27
"""Larger images are refused: they are decompression bombs more often than photographs."""
MAX_SEGMENTS = 10_000
MAX_SCANS = 100
"""Scans of an image; files have 1 to 17. Each costs a pass over all blocks, however few bytes it has: see `scans_allowed`."""


def scans_allowed(pixels: int) -> int:
    """Return the maximum number of scans of an image of so many pixels: 20 for the largest, `MAX_SCANS` up to 26 megapixels."""
    return min(MAX_SCANS, 20 * MAX_PIXELS // max(pixels, 1))


class Component(Value):
    """One plane: sampling factors, quantisation table, size in samples and (padded) in blocks, index of its first block."""

    id: int
    h: int
    v: int
    table: int
    width: int
    height: int
    blocks_x: int
    blocks_y: int
    offset: int


class Scan(Value, eq=False):
    """Position and coding of the data of a scan.

    ``tables`` holds the indices of the DC and AC table of each component. ``counts`` (8, 16) and ``symbols`` (8, 256) hold the
    codes: four DC, four AC. For progressive files, ``band`` holds the first and last coefficient and ``bits`` the high and low bit.
    """

    start: int
    stop: int
    components: tuple[int, ...]
    tables: tuple[tuple[int, int], ...]
    counts: NDArray[np.uint8]
    symbols: NDArray[np.uint8]
    restart: int
    band: tuple[int, int]
    bits: tuple[int, int]


class Frame(Struct):
    """The header, and the scans in order."""

    progressive: bool
    width: int
    height: int
    h: int
    v: int
    units_x: int
    units_y: int
    components: tuple[Component, ...]
    quantisation: dict[int, NDArray[np.int32]] = field(default_factory=dict)
    scans: list[Scan] = field(default_factory=list)
    rgb: bool = False

    @property
    def blocks(self) -> int:
        """Blocks of all components."""
        return sum(c.blocks_x * c.blocks_y for c in self.components)


def parse(content: bytes) -> Frame | None:
    """Read everything except the entropy-coded data; return None unless it is a Huffman-coded JPEG of 8 bits with 1 or 3 planes."""
    try:
        frame = _Parser(content).frame()
    except (IndexError, ValueError, struct.error):
        return None
    return frame if all(component.table in frame.quantisation for component in frame.components) else None


class _Parser:
    """Reads the segments in one pass."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.counts, self.symbols = np.zeros((8, 16), np.uint8), np.zeros((8, 256), np.uint8)
        self.quantisation: dict[int, NDArray[np.int32]] = {}
        self.restart = self.segments = 0
        self.jfif, self.transform = False, -1
        self.found: Frame | None = None

    def frame(self) -> Frame:
        """Return the frame with its scans; raise a ValueError if there is none."""
        position = 2
        if self.content[:2] != bytes((0xFF, _SOI)):
            raise ValueError
        while (marker := self._marker(position))[0] != _EOI:
            kind, position = marker
            (length,) = struct.unpack_from(">H", self.content, position)
            body = self.content[position + 2 : position + length]
            if length < 2 or len(body) != length - 2:
                raise ValueError
            position += length
            if kind == _SOS:
                position = self._scan(body, position)
            else:
                self._segment(kind, body)
        frame = self.found
        if frame is None or not frame.scans:
            raise ValueError
        ids = bytes(component.id for component in frame.components)
        frame.rgb = len(ids) == 3 and (ids == b"RGB" or (self.transform == 0 and not self.jfif))
        frame.quantisation = self.quantisation
        return frame

    def _marker(self, position: int) -> tuple[int, int]:
        """Return the marker at or after a position, and the start of its segment; raise a ValueError if the file ends before."""
        found = _MARKER.search(self.content, position)
        self.segments += 1
        if found is None or self.segments > MAX_SEGMENTS:
            raise ValueError
        return self.content[found.end() - 1], found.end()

    def _segment(self, kind: int, body: bytes) -> None:
        if kind == _DQT:
            self._tables(body)
        elif kind == _DHT:
            self._codes(body)
        elif kind == _DRI:
            (self.restart,) = struct.unpack(">H", body)
        elif kind == _JFIF:
            self.jfif = self.jfif or body[:5] == b"JFIF\0"
        elif kind == _ADOBE and body[:6] == b"Adobe\0":
            self.transform = body[11]
        elif kind in (_BASELINE, _EXTENDED, _PROGRESSIVE):
            if self.found is not None:
                raise ValueError
            self.found = _frame(kind, body)
        elif 0xC0 <= kind <= 0xCF:
            raise ValueError

    def _tables(self, body: bytes) -> None:
        self.quantisation |= _quantisation_tables(body)

    def _codes(self, body: bytes) -> None:
        for number, counts, symbols in _huffman_tables(body):
            self.counts[number] = counts
            self.symbols[number, : len(symbols)] = symbols

    def _scan(self, body: bytes, start: int) -> int:
        """Record a scan and return the position of the next marker."""
        frame = self.found
        count = body[0]
        if frame is None or count not in (1, len(frame.components)) or len(body) < 4 + 2 * count:
            raise ValueError
        ids = [component.id for component in frame.components]
        parts = [(ids.index(body[1 + 2 * i]), body[2 + 2 * i]) for i in range(count)]
        first, last, bits = body[1 + 2 * count : 4 + 2 * count]
        if not frame.progressive:
            first, last, bits = 0, 63, 0
        elif last > 63 or first > last or (first == 0 and last) or (first and count > 1) or bits & 15 > 13:
            raise ValueError
        end = _END_OF_SCAN.search(self.content, start)
        stop = end.start() if end else len(self.content)
        scan = Scan(
            start=start,
            stop=stop,
            components=tuple(index for index, _ in parts),
            tables=tuple((table >> 4 & 3, 4 + (table & 3)) for _, table in parts),
            counts=self.counts.copy(),
            symbols=self.symbols.copy(),
            restart=self.restart,
            band=(first, last),
            bits=(bits >> 4, bits & 15),
        )
        frame.scans.append(scan)
        if len(frame.scans) > scans_allowed(frame.width * frame.height):
            raise ValueError
        return stop


@lru_cache(maxsize=64)
def _quantisation_tables(body: bytes) -> dict[int, NDArray[np.int32]]:
    """Tables by number. Files of one camera or program have equal segments, so results are kept."""
    tables: dict[int, NDArray[np.int32]] = {}
    while body:
        wide, number = body[0] >> 4, body[0] & 15
        table = np.empty(64, np.int32)
        table[ZIGZAG] = np.frombuffer(body, ">u2" if wide else np.uint8, 64, 1)
        table.flags.writeable = False
        tables[number] = table
        body = body[1 + 64 * (1 + bool(wide)) :]
    return tables


@lru_cache(maxsize=64)
def _huffman_tables(body: bytes) -> tuple[tuple[int, NDArray[np.uint8], NDArray[np.uint8]], ...]:
    """Number, numbers of codes by length (16,), and symbols of each table of a segment."""
    tables = []
    while body:
        number = (body[0] >> 4) * 4 + (body[0] & 15)
        counts, total = body[1:17], sum(body[1:17])
        used = accumulate(count << (15 - i) for i, count in enumerate(counts))
        if (body[0] & 15) > 3 or number > 7 or total > 256 or len(body) < 17 + total or max(used) > 1 << 16:
            raise ValueError
        tables.append((number, np.frombuffer(counts, np.uint8), np.frombuffer(body, np.uint8, total, 17)))
        body = body[17 + total :]
    return tuple(tables)


def _frame(kind: int, body: bytes) -> Frame:
    return Frame(kind == _PROGRESSIVE, *_geometry(body))


@lru_cache(maxsize=64)
def _geometry(body: bytes) -> tuple[int, int, int, int, int, int, tuple[Component, ...]]:
    """Width, height, largest sampling factors, units across and down, and the components."""
    precision, height, width, count = struct.unpack_from(">BHHB", body)
    parts = [(body[6 + 3 * i], body[7 + 3 * i] >> 4, body[7 + 3 * i] & 15, body[8 + 3 * i]) for i in range(count)]
    if precision != 8 or not height or not width or height * width > MAX_PIXELS or count not in (1, 3):
        raise ValueError
    if any(h not in (1, 2, 4) or v not in (1, 2, 4) for _, h, v, _ in parts) or len({part[0] for part in parts}) != count:
        raise ValueError
    h, v = max(part[1] for part in parts), max(part[2] for part in parts)
    units_x, units_y = -(-width // (8 * h)), -(-height // (8 * v))
    components, offset = [], 0
    for number, component_h, component_v, table in parts:
        blocks = units_x * component_h, units_y * component_v
        size = -(-width * component_h // h), -(-height * component_v // v)
        components.append(Component(number, component_h, component_v, table, *size, *blocks, offset))
        offset += blocks[0] * blocks[1]
    return width, height, h, v, units_x, units_y, tuple(components)
