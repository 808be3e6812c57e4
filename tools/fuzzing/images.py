"""Targets: images in formats that Pillow reads, up to the network's input."""

import random
import struct
import zlib
from collections.abc import Callable

from tools.fuzzing import scratch
from tools.fuzzing.target import Bytewise, Mutation, Target
from yolodsc.arrays import Shape
from yolodsc.darknet.profile import ALEXEYAB, profile_named
from yolodsc.images.image import fit, read_image

_SMALL = Shape(3, 13, 17)
MAX_NUMBERS = 1 << 23
"""Larger images are read only: a few bytes of PNG make a hundred million pixels, which is slow but no hang."""


def _reader(ending: str) -> Callable[[bytes], None]:
    def read(data: bytes) -> None:
        path = scratch.file(f"fuzz.{ending}", data)
        pixels = read_image(path, channels=3)
        if pixels.size > MAX_NUMBERS:
            return
        read_image(path, channels=1, exif=True)
        for profile in (ALEXEYAB, profile_named("opencv")):
            for geometry in ("stretch", "letterbox"):
                x, _ = fit(pixels, _SMALL, profile=profile, geometry=geometry)
                if x.shape != _SMALL:
                    raise AssertionError(f"{x.shape}")

    return read


def mutated_png(data: bytes, rng: random.Random, bytewise: Bytewise) -> bytes:
    """A chunk changed, its checksum right; of IDAT what is compressed."""
    chunks = _chunks(data)
    if not chunks:
        return bytewise(data)
    at = rng.randrange(len(chunks))
    kind, body = chunks[at]
    if rng.random() < 0.2:
        chunks.insert(rng.randrange(len(chunks)), (rng.choice((b"tRNS", b"PLTE", b"acTL", b"iCCP", b"eXIf", kind)), bytewise(body)))
    elif kind == b"IDAT" and rng.random() < 0.5:
        chunks[at] = kind, zlib.compress(bytewise(_inflated(body)))
    else:
        chunks[at] = kind, bytewise(body)
    written = (struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks)
    return data[:8] + b"".join(written)


def _chunks(data: bytes) -> list[tuple[bytes, bytes]]:
    found, position = [], 8
    while position + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, position)
        found.append((data[position + 4 : position + 8], data[position + 8 : position + 8 + length]))
        position += 12 + length
    return found


def _inflated(body: bytes) -> bytes:
    try:
        return zlib.decompressobj().decompress(body, 1 << 20)
    except zlib.error:
        return body


def _target(name: str, *tokens: bytes, mutate: Mutation | None = None) -> Target:
    return Target(name=name, one=_reader(name), mutate=mutate, tokens=tokens)


TARGETS = (
    _target("png", b"IHDR", b"tRNS", b"eXIf", mutate=mutated_png),
    _target("bmp", b"BM"),
    _target("gif", b"GIF89a", b"\x21\xf9\x04", b"\x2c"),
    _target("webp", b"VP8 ", b"VP8L", b"VP8X", b"ANIM", b"ALPH"),
    _target("tiff", b"II*\0", b"MM\0*"),
    _target("ppm", b"P1\n", b"P2\n", b"P3\n", b"P4\n", b"P5\n", b"P6\n", b"P7\n", b"Pf\n", b"65535\n", b"#"),
)
