"""Memory that holds code: written first, then made executable, never both. It is never unmapped."""

import ctypes
import mmap
from collections.abc import Sequence

LINE, PAGE = 64, mmap.PAGESIZE


def executable(codes: Sequence[bytes]) -> list[int]:
    """Addresses of flat binaries in memory; an OSError if the system gives none.

    The memory is never unmapped, because a thread may run in it until the process ends.
    """
    if not codes:
        return []
    offsets, size = [], 0
    for code in codes:
        offsets.append(size)
        size += len(code) + -len(code) % LINE
    size += -size % PAGE
    system = ctypes.CDLL(None, use_errno=True)
    system.mmap.restype = ctypes.c_void_p
    system.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
    system.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
    start = system.mmap(None, size, mmap.PROT_READ | mmap.PROT_WRITE, flags, -1, 0)
    if start is None or start == ctypes.c_void_p(-1).value:
        raise OSError(ctypes.get_errno(), "no memory for kernels")
    for offset, code in zip(offsets, codes, strict=True):
        ctypes.memmove(start + offset, code, len(code))
    if system.mprotect(start, size, mmap.PROT_READ | mmap.PROT_EXEC):
        raise OSError(ctypes.get_errno(), "memory for kernels cannot be made executable")
    return [start + offset for offset in offsets]
