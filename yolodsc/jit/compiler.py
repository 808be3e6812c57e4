"""Kernels that are written as LLVM IR: one compiler per instruction set turns them into addresses.

LLVM's code generator runs on hand-written SSA with no optimiser before it. The code is kept in the cache, one small file per
kernel. Its key covers the kernel's text, or what determines the text, so a changed generator never reads an old file.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, Protocol

from yolodsc.jit.forks import ForkLock
from yolodsc.jit.isa import Isa
from yolodsc.jit.machine import Target
from yolodsc.jit.machine_code import MachineCode, cached_code, cached_codes, code_key, compiled_code, load, symbol_of


class IRKernel(Protocol):
    """A kernel that writes itself as LLVM IR. It is hashable: equal descriptions are the same kernel.

    A kernel may have a method ``description``, whose result (with a `repr`) determines its IR. It stands for the text in the key.
    """

    def emit(self, name: str) -> str:
        """LLVM IR of the function ``name``."""
        ...


@cache
def compiler_for(isa: Isa) -> "Compiler":
    """Return the compiler of an instruction set; there is one per process."""
    return Compiler(isa)


class Compiler:
    """Turns kernels into addresses for one instruction set. Loaded code is never unloaded.

    Attributes
    ----------
    compiled
        How many kernels were compiled because the cache did not have them.
    """

    def __init__(self, isa: Isa) -> None:
        self.isa = isa
        self.target = Target(isa.cpu, isa.features)
        self.lock = ForkLock(rank=1)
        self.addresses: dict[Any, int] = {}
        self.compiled = 0

    def load(self, kernels: Sequence[Any], progress: Callable[[int, int], None] | None = None) -> Mapping[Any, int]:
        """Addresses of all ``kernels`` (`IRKernel`); those neither loaded nor cached are compiled.

        ``progress`` receives how many kernels are done, and how many there are.
        """
        with self.lock.held():
            missing = [k for k in dict.fromkeys(kernels) if k not in self.addresses]
            keys = [self._key(kernel) for kernel in missing]
            codes: list[MachineCode] = []
            for number, (kernel, key, code) in enumerate(zip(missing, keys, cached_codes(keys), strict=True)):
                if progress is not None:
                    progress(number, len(missing))
                codes.append(code or self._code(kernel, key))
            if missing and progress is not None:
                progress(len(missing), len(missing))
            self.addresses.update(zip(missing, load(codes), strict=True))
            return {kernel: self.addresses[kernel] for kernel in kernels}

    def _key(self, kernel: IRKernel) -> str:
        described = getattr(kernel, "description", None)
        return code_key(self.target, kernel.emit("KERNEL") if described is None else described())

    def _code(self, kernel: IRKernel, key: str) -> MachineCode:
        """The code of a kernel that the cache did not have a moment ago."""
        if (code := cached_code(key)) is not None:
            return code
        self.compiled += 1
        return compiled_code(key, kernel.emit(symbol_of(key)), self.target)
