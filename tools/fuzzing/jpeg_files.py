"""Target: the JPEG decoder, whose kernels check every index here (``NUMBA_BOUNDSCHECK=1``)."""

import random
import struct

import numpy as np

from tools.fuzzing.target import Bytewise, Target, corpus
from yolodsc.images.jpeg import decode_jpeg


def decode(data: bytes) -> None:
    """Decode with one and with three channels; both images must have the same size."""
    shapes = set()
    for channels in (1, 3):
        image = decode_jpeg(data, channels=channels)
        if image is not None:
            if image.dtype != np.uint8 or image.shape[2] != channels:
                raise AssertionError(f"{image.dtype} {image.shape}")
            shapes.add(image.shape[:2])
    if len(shapes) > 1:
        raise AssertionError(f"sizes {shapes}")


def prepare() -> None:
    """Compile the kernels for baseline and progressive files."""
    for path in corpus("jpeg"):
        if path.suffix == ".jpg":
            decode(path.read_bytes())


def mutated_segments(data: bytes, rng: random.Random, bytewise: Bytewise) -> bytes:
    """Change a segment and correct its length, or remove, duplicate or move it."""
    segments = _segments(data)
    if len(segments) < 3:
        return bytewise(data)
    at = rng.randrange(1, len(segments))
    kind, body, rest = segments[at]
    choice = rng.randrange(8)
    if choice == 0:
        del segments[at]
    elif choice == 1:
        segments.insert(rng.randrange(1, len(segments)), segments[at])
    elif choice == 2:
        other = rng.randrange(1, len(segments))
        segments[at], segments[other] = segments[other], segments[at]
    elif choice == 3:
        segments[at] = rng.choice((0xC0, 0xC1, 0xC2, 0xC4, 0xDA, 0xDB, 0xDD, 0xEE)), body, rest
    elif choice == 4 and rest:
        segments[at] = kind, body, bytewise(rest)
    elif choice == 5 and rest:
        segments[at] = kind, body, b""
    else:
        segments[at] = kind, bytewise(body), rest
    return b"".join(_written(segment) for segment in segments)


Segment = tuple[int, bytes, bytes]
"""Marker, body, and the bytes between it and the next marker."""


def _segments(data: bytes) -> list[Segment]:
    found: list[Segment] = [(0xD8, b"", b"")]
    position = 2
    while position + 4 <= len(data) and data[position] == 0xFF and data[position + 1] != 0xD9:
        kind, (length,) = data[position + 1], struct.unpack_from(">H", data, position + 2)
        end = after = position + 2 + length
        while (
            kind == 0xDA and after + 1 < len(data) and not (data[after] == 0xFF and data[after + 1] not in (0, *range(0xD0, 0xD8)))
        ):
            after += 1
        found.append((kind, data[position + 4 : end], data[end:after]))
        position = after
    return [*found, (0xD9, b"", b"")]


def _written(segment: Segment) -> bytes:
    kind, body, rest = segment
    if kind in (0xD8, 0xD9):
        return bytes((0xFF, kind))
    body = body[: 0xFFFF - 2]
    return bytes((0xFF, kind)) + struct.pack(">H", len(body) + 2) + body + rest


TARGETS = (
    Target(
        name="jpeg",
        one=decode,
        mutate=mutated_segments,
        prepare=prepare,
        tokens=(b"\xff\xd9", b"\xff\xd0", b"\xff\xda", b"\xff\x00"),
    ),
)
