"""The way from LLVM IR to an address: compile, keep in the cache, load.

It serves both kinds of kernels, those written as LLVM IR (`compiler`) and those written as Numba functions (`kernel`). Code becomes
a flat binary where that is possible and is linked by LLVM otherwise. The cache holds the bytes that are loaded, so the process that
compiles a kernel runs the same code as later ones.
"""

from collections.abc import Sequence

from yolodsc.jit.cache.key import cache_key
from yolodsc.jit.cache.store import load_entries, store_cached
from yolodsc.jit.executable_memory import executable
from yolodsc.jit.flat_binary import flattened
from yolodsc.jit.machine import Target, linked, object_code
from yolodsc.values import Value

FLAT, OBJECT = b"flat", b"objt"
"""Kinds of code, as stored in front of it: a flat binary, or an object for LLVM's linker."""

MEMSET = """
define internal ptr @memset(ptr %to, i32 %number, i64 %size) {
entry:
  %byte = trunc i32 %number to i8
  %first = insertelement <32 x i8> undef, i8 %byte, i32 0
  %bytes = shufflevector <32 x i8> %first, <32 x i8> undef, <32 x i32> zeroinitializer
  %whole = and i64 %size, -32
  br label %vectors
vectors:
  %i = phi i64 [ 0, %entry ], [ %i.next, %vector ]
  %more = icmp ult i64 %i, %whole
  br i1 %more, label %vector, label %rest
vector:
  %place = getelementptr i8, ptr %to, i64 %i
  store <32 x i8> %bytes, ptr %place, align 1
  %i.next = add i64 %i, 32
  br label %vectors
rest:
  %j = phi i64 [ %i, %vectors ], [ %j.next, %single ]
  %left = icmp ult i64 %j, %size
  br i1 %left, label %single, label %done
single:
  %at = getelementptr i8, ptr %to, i64 %j
  store i8 %byte, ptr %at
  %j.next = add i64 %j, 1
  br label %rest
done:
  ret ptr %to
}
"""
"""LLVM calls ``memset`` for loops that fill memory. With this definition in the module, flat code needs no library."""


class MachineCode(Value):
    """Machine code of one function.

    Attributes
    ----------
    symbol
        Name of the function in an object.
    kind
        `FLAT` or `OBJECT`.
    content
        The code.
    """

    symbol: str
    kind: bytes
    content: bytes


def code_key(target: Target, *parts: object) -> str:
    """Cache key of code for ``target`` that depends on ``parts``."""
    return cache_key(target.identity(), *parts)


def symbol_of(key: str) -> str:
    """Name of the function that is stored under a key."""
    return f"k{key}"


def cached_code(key: str) -> MachineCode | None:
    """Code from the cache; None if there is none that can be trusted."""
    return cached_codes([key])[0]


def cached_codes(keys: Sequence[str]) -> list[MachineCode | None]:
    """Codes from the cache, as `cached_code` returns them; the folder is checked once."""
    return [_code(key, data) for key, data in zip(keys, load_entries([f"{key}.o" for key in keys]), strict=True)]


def _code(key: str, data: bytes | None) -> MachineCode | None:
    if data is None or data[: len(FLAT)] not in (FLAT, OBJECT):
        return None
    return MachineCode(symbol_of(key), data[: len(FLAT)], data[len(FLAT) :])


def compiled_code(key: str, text: str, target: Target) -> MachineCode:
    """Compile LLVM IR that defines ``symbol_of(key)``, and keep the code under the key."""
    flat = _flat(text, target)
    kind, content = (OBJECT, object_code(text, target, codemodel="jitdefault")) if flat is None else (FLAT, flat)
    store_cached(f"{key}.o", kind + content)
    return MachineCode(symbol_of(key), kind, content)


def load(codes: Sequence[MachineCode]) -> list[int]:
    """Addresses of functions; an OSError if the system gives no memory for code. Loaded code is never unloaded."""
    flat = iter(executable([code.content for code in codes if code.kind == FLAT]))
    return [next(flat) if code.kind == FLAT else linked(code.content, code.symbol) for code in codes]


def _flat(text: str, target: Target) -> bytes | None:
    """Flat binary of a module; None unless it defines one function that needs no library."""
    if sum(line.startswith("define ") for line in text.splitlines()) != 1:
        return None
    extended = text + MEMSET if "@llvm.memset." in text else text
    return flattened(object_code(extended, target, codemodel="small"))
