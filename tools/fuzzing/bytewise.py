"""Mutations that know nothing of the format, and of text that consists of lines."""

import random
from collections.abc import Sequence

WILD = (0, 1, 2, 3, 7, 8, 16, 31, 127, 128, 255, 256, 1023, 32767, 32768, 65535, 65536, 2**24, 2**28, 2**31 - 1, 2**31, 2**32 - 1,
        2**63 - 1, 2**63, 2**64 - 1)  # fmt: skip
"""Numbers at which implementations break."""

WORDS = (
    *b"-1 0 1 nan inf -inf 1e308 1e-320 -0 2147483647 -2147483648 2147483648 0x10 1.5 . -".split(),
    *(b"", b"9" * 30, b"9" * 5000, b"\0", b"\xff\xfe", b"\xed\xa0\x80", b"\xe2\x80\xa8", b"\xc2\xb2", b"\xd9\xa3"),
)
"""Numbers and characters at which readers of text break: the last three are a line separator, a superscript, an Arabic digit."""


def mutated(data: bytes, rng: random.Random, *, tokens: Sequence[bytes] = (), others: Sequence[bytes] = ()) -> bytes:
    """One to four random changes."""
    changes = [_flipped, _wild_number, _cut, _repeated, _inserted, _word]
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        choice = rng.randrange(len(changes) + 3)
        if choice < len(changes):
            data = changes[choice](data, rng)
        elif choice == len(changes) and others:
            data = _crossed(data, rng.choice(others), rng)
        elif tokens:
            data = _spliced(data, rng.choice(tokens), rng)
        else:
            data = _line(data, rng)
    return data


def _at(data: bytes, rng: random.Random) -> int:
    return rng.randrange(len(data) + 1)


def _flipped(data: bytes, rng: random.Random) -> bytes:
    if not data:
        return data
    at = rng.randrange(len(data))
    return data[:at] + bytes([data[at] ^ (1 << rng.randrange(8))]) + data[at + 1 :]


def _wild_number(data: bytes, rng: random.Random) -> bytes:
    size = rng.choice((1, 2, 4, 8))
    at = _at(data, rng)
    number = (rng.choice(WILD) % 2 ** (8 * size)).to_bytes(size, rng.choice(("little", "big")))
    return data[:at] + number + data[at + size :]


def _cut(data: bytes, rng: random.Random) -> bytes:
    start = _at(data, rng)
    return data[:start] if rng.random() < 0.2 else data[:start] + data[start + rng.choice((1, 2, 4, 16, 100)) :]


def _repeated(data: bytes, rng: random.Random) -> bytes:
    start = _at(data, rng)
    part = data[start : start + rng.choice((1, 4, 16, 64, 400))]
    return data[:start] + part * rng.choice((2, 2, 3, 50)) + data[start:]


def _inserted(data: bytes, rng: random.Random) -> bytes:
    return _spliced(data, rng.randbytes(rng.choice((1, 1, 2, 4, 16))), rng)


def _spliced(data: bytes, part: bytes, rng: random.Random) -> bytes:
    at = _at(data, rng)
    return data[:at] + part + data[at + rng.choice((0, 0, len(part))) :]


def _word(data: bytes, rng: random.Random) -> bytes:
    """Replace a random word by an unusual one, if there are words."""
    words = data.split(b" ")
    words[rng.randrange(len(words))] = rng.choice(WORDS)
    return b" ".join(words)


def _line(data: bytes, rng: random.Random) -> bytes:
    """A line dropped, doubled, or moved."""
    lines = data.split(b"\n")
    line = lines.pop(rng.randrange(len(lines)))
    for _ in range(rng.choice((0, 1, 2))):
        lines.insert(rng.randrange(len(lines) + 1), line)
    return b"\n".join(lines)


def _crossed(data: bytes, other: bytes, rng: random.Random) -> bytes:
    return data[: _at(data, rng)] + other[_at(other, rng) :]
