"""Object code to flat code: one run of bytes that works wherever it is put, so that a warm start needs no linker.

A kernel is one function and a few constants, and refers to those by their distance only. Laid out one after the other the
distances are known, and what a linker would do at every start is done once. Calls of a few functions of the C library go
through a jump at the end of the code, whose address is filled in where the code is loaded. Code that refers to anything else (other
processors, other systems) is left to LLVM's own linker.
"""

import ctypes
import struct
from collections.abc import Iterator
from dataclasses import dataclass

ELF_X86_64 = (b"\x7fELF\x02\x01\x01", 62)
ALLOCATED, EXECUTABLE = 2, 4
SYMBOLS, RELOCATIONS, UNWINDING = 2, 4, 0x70000001
DISTANCES = {2: "<i", 4: "<i", 24: "<q"}
"""R_X86_64_PC32, _PLT32 and _PC64: formats of what is stored, target + addend - place."""
LIBRARY = ("memcpy", "memmove", "memset", "exp", "expf", "log", "logf", "pow", "powf", "tanh", "tanhf", "fmod", "fmodf")
"""Functions of the C library that code may call."""

JUMP = b"\xff\x25\x00\x00\x00\x00"
"""``jmp *0(%rip)``: to the address in the 8 bytes behind it."""


@dataclass(frozen=True, slots=True)
class _Section:
    kind: int
    flags: int
    offset: int
    size: int
    link: int  # for symbols: the section of their names
    target: int  # for relocations: the section that they change
    align: int


def flattened(image: bytes) -> bytes | None:
    """Code that begins with the kernel's first instruction; None where the object holds more than distances and library calls.

    Before the code stand the number of library functions, and of each its index in `LIBRARY` and where its address goes.
    """
    magic, machine = ELF_X86_64
    if not image.startswith(magic) or struct.unpack_from("<H", image, 18)[0] != machine:
        return None
    sections = list(_sections(image))
    places, code = _laid_out(image, sections)
    jumps: dict[int, int] = {}
    for relocations in (s for s in sections if s.kind == RELOCATIONS and s.target in places):
        for where, kind, symbol, addend in struct.iter_unpack("<QIIq", _bytes(image, relocations)):
            name, home, value = _symbol(image, sections, symbol)
            if kind not in DISTANCES or not (home in places or name in LIBRARY):
                return None
            place = places[relocations.target] + where
            target = places[home] + value if home in places else _jump(LIBRARY.index(name), jumps, code)
            struct.pack_into(DISTANCES[kind], code, place, target + addend - place)
    table = [number for pair in jumps.items() for number in pair]
    return struct.pack(f"<{1 + len(table)}q", len(jumps), *table) + code


def bound(flat: bytes) -> bytes:
    """The code alone, with the addresses of library functions in this process; a ValueError where it is none."""
    (count,) = struct.unpack_from("<q", flat)
    start = 8 + 16 * count
    code = bytearray(flat[start:])
    for index, place in struct.iter_unpack("<qq", flat[8:start]):
        address = ctypes.cast(getattr(ctypes.CDLL(None), LIBRARY[index]), ctypes.c_void_p).value
        struct.pack_into("<q", code, place, address)
    return bytes(code)


def _jump(index: int, jumps: dict[int, int], code: bytearray) -> int:
    """Where the jump to a library function lies; made at its first use."""
    if index not in jumps:
        code += bytes(-len(code) % 16) + JUMP
        jumps[index] = len(code)
        code += bytes(8)
    return jumps[index] - len(JUMP)


def _sections(image: bytes) -> Iterator[_Section]:
    (table,), (size, count) = struct.unpack_from("<Q", image, 40), struct.unpack_from("<HH", image, 58)
    for number in range(count):
        _, kind, flags, _, offset, length, link, target, align, _ = struct.unpack_from("<IIQQQQIIQQ", image, table + number * size)
        yield _Section(kind, flags, offset, length, link, target, align)


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


def _symbol(image: bytes, sections: list[_Section], number: int) -> tuple[str, int, int]:
    """Name of a symbol, its section and its place there."""
    table = next(section for section in sections if section.kind == SYMBOLS)
    text, _, _, home, value, _ = struct.unpack_from("<IBBHQQ", image, table.offset + 24 * number)
    start = sections[table.link].offset + text
    return image[start : image.index(b"\0", start)].decode(), home, value
