"""Permission to use AMX: Linux gives the state of the tile registers to processes that ask for it."""

import ctypes
import platform
import sys
from functools import cache

from msgspec.structs import replace

from yolodsc.jit.isa import AMD, Isa

AMX = "amx"
ARCH_PRCTL, REQUEST_PERMISSION, TILE_DATA = 158, 0x1023, 18


def permitted(isa: Isa) -> Isa:
    """``isa`` with AMX if this process may use it: asks the system once. Child processes inherit the permission."""
    if AMX not in (*isa.bf16, *isa.int8) or _requested():
        return isa
    bf16 = tuple(method for method in isa.bf16 if method != AMX) if isa.cpu.startswith(AMD) else ()
    return replace(isa, bf16=bf16, int8=tuple(method for method in isa.int8 if method != AMX))


@cache
def _requested() -> bool:
    if sys.platform != "linux" or platform.machine() != "x86_64":
        return False
    try:
        return bool(ctypes.CDLL(None).syscall(ARCH_PRCTL, REQUEST_PERMISSION, TILE_DATA) == 0)
    except (OSError, AttributeError):
        return False
