"""Measures the peak rate of multiply-adds with a kernel that does nothing else.

24 independent chains on 32 vector registers, or 12 on 16, hide the latency of the multiply-add on all known cores; the loop
accesses no memory. The compiler of the engine's kernels compiles it.
"""

import ctypes
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from yolodsc.jit import Isa, compiler_for, select_isa

TURNS = 2**18
TRIES = 50


@dataclass(frozen=True, slots=True)
class PeakKernel:
    """``void (float* vectors, int64 turns)``: ``chains`` accumulators of ``lanes`` floats, multiplied and added ``turns`` times."""

    lanes: int
    chains: int

    def emit(self, name: str) -> str:
        """LLVM IR."""
        vector, chains = f"<{self.lanes} x float>", range(self.chains)
        fma = f"@llvm.fmuladd.v{self.lanes}f32"
        phis = [f"  %a{i} = phi {vector} [ %b, %entry ], [ %n{i}, %loop ]" for i in chains]
        steps = [f"  %n{i} = call {vector} {fma}({vector} %a{i}, {vector} %w, {vector} %b)" for i in chains]
        sums = [f"  %s{i + 1} = fadd {vector} %s{i}, %n{i}" for i in chains]
        lines = [
            f"declare {vector} {fma}({vector}, {vector}, {vector})",
            f"define void @{name}(ptr %p, i64 %turns) {{",
            "entry:",
            f"  %w = load {vector}, ptr %p, align 64",
            f"  %q = getelementptr {vector}, ptr %p, i64 1",
            f"  %b = load {vector}, ptr %q, align 64",
            "  br label %loop",
            "loop:",
            "  %t = phi i64 [ 0, %entry ], [ %u, %loop ]",
            *phis,
            *steps,
            "  %u = add i64 %t, 1",
            "  %more = icmp ult i64 %u, %turns",
            "  br i1 %more, label %loop, label %end",
            "end:",
            f"  %s0 = fadd {vector} %b, %b",
            *sums,
            f"  store {vector} %s{self.chains}, ptr %q, align 64",
            "  ret void",
            "}",
        ]
        return "\n".join(lines) + "\n"


def peak_gflops(threads: int, isa: Isa | None = None) -> float | None:
    """Sum of the best rates of all threads, measured at the same time; None if kernels cannot be compiled."""
    isa = isa or select_isa()
    if isa is None:
        return None
    kernel = PeakKernel(isa.lanes, 24 if isa.registers == 32 else 12)
    call = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64)(compiler_for(isa).load([kernel])[kernel])
    work = 2e-9 * TURNS * kernel.chains * kernel.lanes

    def best(space: NDArray[np.float32]) -> float:
        times = []
        for _ in range(TRIES):
            start = perf_counter()
            call(space.ctypes.data, TURNS)
            times.append(perf_counter() - start)
        return work / min(times)

    with ThreadPoolExecutor(threads) as pool:
        return sum(pool.map(best, [_vectors() for _ in range(threads)]))


def _vectors() -> NDArray[np.float32]:
    """0.5 and 1, aligned to 64 bytes: sums converge to 2, far from subnormal numbers, which are slow."""
    space = np.empty(48, np.float32)
    start = -space.ctypes.data % 64 // 4
    vectors = space[start : start + 32]
    vectors[:16], vectors[16:] = 0.5, 1.0
    return vectors
