"""Object code to flat code: one run of bytes that works wherever it is put, so that a warm start needs no linker.

A kernel is one function and a few constants, and refers to those by their distance only. Laid out one after the other the
distances are known, and what a linker would do at every start is done once. Code that refers to anything else (other processors,
other systems, a call of a library function) is left to LLVM's own linker.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

ELF_X86_64 = (b"\x7fELF\x02\x01\x01", 62)
ALLOCATED, EXECUTABLE = 2, 4
SYMBOLS, RELOCATIONS, UNWINDING = 2, 4, 0x70000001
DISTANCES = {2: "<i", 4: "<i", 24: "<q"}
"""R_X86_64_PC32, _PLT32 and _PC64: formats of what is stored, target + addend - place."""


@dataclass(frozen=True, slots=True)
class _Section:
    kind: int
    flags: int
    offset: int
    size: int
    target: int  # for relocations: the section that they change
    align: int


def flattened(image: bytes) -> bytes | None:
    """Code that begins with the kernel's first instruction; None where the object holds more than distances."""
    magic, machine = ELF_X86_64
    if not image.startswith(magic) or struct.unpack_from("<H", image, 18)[0] != machine:
        return None
    sections = list(_sections(image))
    places, code = _laid_out(image, sections)
    for relocations in (s for s in sections if s.kind == RELOCATIONS and s.target in places):
        for where, kind, symbol, addend in struct.iter_unpack("<QIIq", _bytes(image, relocations)):
            home, value = _symbol(image, sections, symbol)
            if kind not in DISTANCES or home not in places:
                return None
            place = places[relocations.target] + where
            struct.pack_into(DISTANCES[kind], code, place, places[home] + value + addend - place)
    return bytes(code)


def _sections(image: bytes) -> Iterator[_Section]:
    (table,), (size, count) = struct.unpack_from("<Q", image, 40), struct.unpack_from("<HH", image, 58)
    for number in range(count):
        _, kind, flags, _, offset, length, _, target, align, _ = struct.unpack_from("<IIQQQQIIQQ", image, table + number * size)
        yield _Section(kind, flags, offset, length, target, align)


def _laid_out(image: bytes, sections: list[_Section]) -> tuple[dict[int, int], bytearray]:
    """Where each section comes to lie, and all of them: instructions first, then constants."""
    wanted = [i for i, s in enumerate(sections) if s.flags & ALLOCATED and s.size and s.kind != UNWINDING]
    places: dict[int, int] = {}
    code = bytearray()
    for number in sorted(wanted, key=lambda i: not sections[i].flags & EXECUTABLE):
        section = sections[number]
        code += bytes(-len(code) % section.align)
        places[number] = len(code)
        code += _bytes(image, section)
    return places, code


def _bytes(image: bytes, section: _Section) -> bytes:
    return image[section.offset : section.offset + section.size]


def _symbol(image: bytes, sections: list[_Section], number: int) -> tuple[int, int]:
    """Section of a symbol and its place there."""
    table = next(section for section in sections if section.kind == SYMBOLS)
    _, _, _, home, value, _ = struct.unpack_from("<IBBHQQ", image, table.offset + 24 * number)
    return home, value
