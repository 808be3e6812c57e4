"""Flat binaries: position-independent code and constants in one run of bytes, so that a warm start needs no linker.

A kernel is one function and a few constants, which it addresses relative to the code. Once the sections are laid out one after the
other, these distances are known and relocations are resolved, once. Objects that hold anything else (other processors, other
systems, a call of a library function) are left to LLVM's linker.
"""

import struct
from collections.abc import Iterator

from yolodsc.values import Value

ELF_X86_64 = (b"\x7fELF\x02\x01\x01", 62)
ALLOCATED, EXECUTABLE = 2, 4
SYMBOLS, RELOCATIONS, UNWINDING = 2, 4, 0x70000001
RELATIVE = {2: "<i", 4: "<i", 24: "<q"}
"""R_X86_64_PC32, _PLT32 and _PC64: formats of the stored distance, target + addend - offset."""


class _Section(Value):
    kind: int
    flags: int
    offset: int
    size: int
    target: int  # for relocations: the section that they change
    align: int


def flattened(image: bytes) -> bytes | None:
    """Return code that begins with the kernel's first instruction; None if the object has other than relative relocations."""
    magic, machine = ELF_X86_64
    if not image.startswith(magic) or struct.unpack_from("<H", image, 18)[0] != machine:
        return None
    sections = list(_sections(image))
    offsets, code = _laid_out(image, sections)
    for relocations in (s for s in sections if s.kind == RELOCATIONS and s.target in offsets):
        for where, kind, symbol, addend in struct.iter_unpack("<QIIq", _bytes(image, relocations)):
            section, value = _symbol(image, sections, symbol)
            if kind not in RELATIVE or section not in offsets:
                return None
            offset = offsets[relocations.target] + where
            struct.pack_into(RELATIVE[kind], code, offset, offsets[section] + value + addend - offset)
    return bytes(code)


def _sections(image: bytes) -> Iterator[_Section]:
    (table,), (size, count) = struct.unpack_from("<Q", image, 40), struct.unpack_from("<HH", image, 58)
    for number in range(count):
        _, kind, flags, _, offset, length, _, target, align, _ = struct.unpack_from("<IIQQQQIIQQ", image, table + number * size)
        yield _Section(kind, flags, offset, length, target, align)


def _laid_out(image: bytes, sections: list[_Section]) -> tuple[dict[int, int], bytearray]:
    """Return the offset of each section and their contents: instructions first, then constants."""
    loaded = [i for i, s in enumerate(sections) if s.flags & ALLOCATED and s.size and s.kind != UNWINDING]
    offsets: dict[int, int] = {}
    code = bytearray()
    for number in sorted(loaded, key=lambda i: not sections[i].flags & EXECUTABLE):
        section = sections[number]
        code += bytes(-len(code) % section.align)
        offsets[number] = len(code)
        code += _bytes(image, section)
    return offsets, code


def _bytes(image: bytes, section: _Section) -> bytes:
    return image[section.offset : section.offset + section.size]


def _symbol(image: bytes, sections: list[_Section], number: int) -> tuple[int, int]:
    """Return the section of a symbol and its offset there."""
    table = next(section for section in sections if section.kind == SYMBOLS)
    _, _, _, section, value, _ = struct.unpack_from("<IBBHQQ", image, table.offset + 24 * number)
    return section, value
