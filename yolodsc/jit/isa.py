"""Instruction sets: vector lengths, registers, and the tiles that use the multipliers best.

A kernel tile holds ``pixels x vectors`` accumulators in registers. It must be large enough to hide the latency of the
multiply-add and small enough not to spill: 32 registers hold 12 x 2, 16 registers 6 x 2; 10 x 2 on AVX2 spills
and runs at a third of the speed. The longest vectors are not always the best: a Zen 4 core runs two 256-bit or one 512-bit
multiply-add per cycle, so vectors of 8 suit 8 or 24 channels better; an Intel server core runs at half its speed with them.
``lane_cost`` holds these costs per vector.
"""

import ctypes
import platform
import sys
from functools import cache

from msgspec.structs import replace

from yolodsc.errors import OptionError
from yolodsc.jit.host import host_description
from yolodsc.values import Value

AMX = "amx"
ARCH_PRCTL, REQUEST_PERMISSION, TILE_DATA = 158, 0x1023, 18
"""The system call by which a process of Linux asks for the state of the tile registers."""

AMD = ("znver", "bdver", "btver")


class Isa(Value):
    """An instruction set, as the code generator uses it.

    Attributes
    ----------
    name
        Name in options and reports.
    cpu, features
        LLVM's target; part of the keys of the kernel cache.
    registers
        Number of vector registers.
    lane_cost
        Pairs of vector length in floats and time of one multiply-add, relative to the longest vector; longest first.
    bf16, int8
        Instructions for dot products of bf16 and of bytes, fastest first; none: such layers run in float32.
    """

    name: str
    cpu: str
    features: str
    registers: int
    lane_cost: tuple[tuple[int, float], ...]
    bf16: tuple[str, ...] = ()
    int8: tuple[str, ...] = ()

    @property
    def lanes(self) -> int:
        """Number of floats in the longest vector."""
        return self.lane_cost[0][0]

    def pixels(self, vectors: int) -> int:
        """Maximum pixels of a tile of that many vectors: accumulators, weights and one broadcast fit the registers."""
        return {1: 12, 2: 12, 3: 8, 4: 6}[vectors] if self.registers == 32 else {1: 8, 2: 5, 3: 4, 4: 2}[vectors]


def _lanes(longest: int, *, narrow_is_cheap: bool) -> tuple[tuple[int, float], ...]:
    lengths = [n for n in (16, 8, 4) if n <= longest]
    if longest == 16:
        return tuple((n, {16: 1.0, 8: 0.53, 4: 0.5}[n] if narrow_is_cheap else 1.0) for n in lengths)
    return tuple((n, 1.0) for n in lengths)


def _flags(features: dict[str, bool]) -> str:
    return ",".join(("+" if on else "-") + name for name, on in sorted(features.items()))


@cache
def available_isas() -> dict[str, Isa]:
    """Return the instruction sets that this machine can run, best first."""
    cpu, features = host_description().cpu, host_description().features
    found: list[Isa] = []
    if platform.machine().lower() in {"aarch64", "arm64"}:
        products = (("bfdot",) * features.get("bf16", False), ("sdot",) * features.get("dotprod", False))
        return {"neon": Isa("neon", cpu, _flags(features), 32, _lanes(4, narrow_is_cheap=False), *products)}
    if features.get("avx512f") and features.get("avx512vl") and features.get("avx512dq"):
        lanes = _lanes(16, narrow_is_cheap=cpu.startswith(AMD))
        found.append(Isa("avx512", cpu, _flags(features), 32, lanes, *_avx512_products(cpu, features)))
    if features.get("avx2") and features.get("fma"):
        vnni = bool(features.get("avxvnni"))
        products = ((), ("vpdpbusd", "pmaddwd") if vnni else ("pmaddwd",))
        found.append(Isa("avx2", "haswell", "+avxvnni" if vnni else "", 16, _lanes(8, narrow_is_cheap=False), *products))
    if features.get("sse2"):
        found.append(Isa("sse", "x86-64", "", 16, _lanes(4, narrow_is_cheap=False), (), ("pmaddwd",)))
    return {isa.name: isa for isa in found}


def _avx512_products(cpu: str, features: dict[str, bool]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Instructions for bf16 and bytes, fastest first.

    Intel's cores take twice as long for ``vdpbf16ps`` as for two multiply-adds of float32 (44 G multiply-adds a second, 84 in
    float32), so bf16 pays there on AMX only.
    """
    tiles = bool(features.get("amx-tile"))
    bf16 = ["amx"] if tiles and features.get("amx-bf16") and features.get("avx512bf16") else []
    if features.get("avx512bf16") and (bf16 or cpu.startswith(AMD)):
        bf16.append("vdpbf16ps")
    int8 = ["amx"] if tiles and features.get("amx-int8") else []
    int8 += ["vpdpbusd"] if features.get("avx512vnni") else []
    int8 += ["pmaddwd"] if features.get("avx512bw") else []
    return tuple(bf16), tuple(int8)


def select_isa(name: str | None = None) -> Isa | None:
    """Return an instruction set by name, or the best one (None if there is none); an `OptionError` for an unknown name."""
    known = available_isas()
    if name is None:
        return next(iter(known.values()), None)
    if name not in known:
        raise OptionError(f"isa={name}: expected {', '.join([*known, 'none'])} on this machine", parameter="isa")
    return known[name]


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


def narrowed(isa: Isa) -> Isa:
    """``isa`` with a preference for short vectors where long ones would be half empty.

    In bytes the depthwise convolutions and the roundings between products take most of the time, and their cost is that of the
    vectors, empty lanes included: yolo-fastest-1.1, whose large tensors have 4 and 8 channels, gains 7 %.
    """
    preference = {16: 1.0, 8: 0.9, 4: 0.85}
    return replace(isa, lane_cost=tuple((lanes, min(cost, preference[lanes])) for lanes, cost in isa.lane_cost))
