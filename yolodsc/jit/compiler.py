"""Kernels from text to addresses: compile, keep, load.

LLVM's code generator runs on hand-written SSA with no optimiser before it; the code goes to a cache of our own, one small file a
kernel, named by a hash of its text, the processor, the features and LLVM's version, so that a changed generator can never meet an
old file and two processes that compile the same kernel write the same bytes. LLVM is loaded when there is something to compile.
"""

import contextlib
import hashlib
from collections.abc import Callable, Mapping, Sequence
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Protocol

from yolodsc.jit import executable_memory as memory
from yolodsc.jit import flat_binary as flat
from yolodsc.jit.cache.store import load_cached, store_cached
from yolodsc.jit.executable_memory import executable
from yolodsc.jit.flat_binary import FLAT, OBJECT, flattened
from yolodsc.jit.forks import ForkLock
from yolodsc.jit.host import host_description
from yolodsc.jit.isa import Isa


class Kernel(Protocol):
    """A description that can write itself as LLVM IR; hashable, because equal descriptions are one kernel."""

    def emit(self, name: str) -> str:
        """LLVM IR of the function ``name``."""
        ...


@cache
def _layout() -> str:
    """Digest of the modules that lay code out and load it: code that another version of them laid out is never met."""
    return hashlib.sha256(b"".join(Path(str(module.__file__)).read_bytes() for module in (flat, memory))).hexdigest()


@cache
def compiler_for(isa: Isa) -> "Compiler":
    """One compiler an instruction set and process."""
    return Compiler(isa)


class Compiler:
    """Turns kernels into addresses for one instruction set; what it has loaded stays loaded as long as the process."""

    def __init__(self, isa: Isa) -> None:
        self.isa = isa
        self.lock = ForkLock(rank=1)
        self.addresses: dict[Any, int] = {}
        self.compiled = 0
        self._machines: dict[str, Any] = {}
        self.salt = repr((_layout(), isa.cpu, isa.features, host_description().llvm, host_description().triple)).encode()

    def load(self, kernels: Sequence[Any], progress: Callable[[int, int], None] | None = None) -> Mapping[Any, int]:
        """Addresses of all ``kernels``; those neither loaded nor kept on disk are compiled."""
        with self.lock.held():
            missing = [k for k in dict.fromkeys(kernels) if k not in self.addresses]
            codes: list[tuple[Any, str, bytes]] = []
            for number, kernel in enumerate(missing):
                if progress is not None:
                    progress(number, len(missing))
                codes.append((kernel, *self._code(kernel)))
            if missing and progress is not None:
                progress(len(missing), len(missing))
            flat = [(kernel, code[4:]) for kernel, _, code in codes if code[:4] == FLAT]
            if flat:
                addresses = executable([code for _, code in flat])
                self.addresses.update(zip((kernel for kernel, _ in flat), addresses, strict=True))
            self._link([(kernel, symbol, code[4:]) for kernel, symbol, code in codes if code[:4] == OBJECT])
            return {kernel: self.addresses[kernel] for kernel in kernels}

    def _code(self, kernel: Any) -> tuple[str, bytes]:
        """Symbol and code with its kind before it, from the cache or fresh."""
        text = kernel.emit("KERNEL")
        digest = hashlib.sha256(self.salt + text.encode()).hexdigest()[:32]
        symbol = f"k{digest}"
        if (data := load_cached(f"{digest}.o")) is not None:
            return symbol, data
        text = text.replace("@KERNEL(", f"@{symbol}(")
        flat = flattened(self._object(text, codemodel="small"))
        data = OBJECT + self._object(text, codemodel="jitdefault") if flat is None else FLAT + flat
        self.compiled += 1
        store_cached(f"{digest}.o", data)
        return symbol, data

    def _object(self, text: str, *, codemodel: str) -> bytes:
        """Object code; ``small``: constants lie near, ``jitdefault``: where LLVM's linker likes them."""
        machine = self._machines.get(codemodel) or self._machines.setdefault(codemodel, self._target(codemodel=codemodel))
        module = self._llvm.parse_assembly(text)
        module.triple = host_description().triple
        module.data_layout = str(machine.target_data)
        image: bytes = machine.emit_object(module)
        return image

    @cached_property
    def _llvm(self) -> Any:
        import llvmlite.binding as llvm

        with contextlib.suppress(RuntimeError):  # llvmlite >= 0.45 initialises itself and refuses the call
            llvm.initialize()
        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
        return llvm

    @cached_property
    def _linker(self) -> Any:
        return self._llvm.create_mcjit_compiler(self._llvm.parse_assembly(""), self._target(codemodel="jitdefault"))

    def _target(self, *, codemodel: str) -> Any:
        target = self._llvm.Target.from_triple(host_description().triple)
        return target.create_target_machine(cpu=self.isa.cpu, features=self.isa.features, opt=3, reloc="pic", codemodel=codemodel)

    def _link(self, objects: Sequence[tuple[Any, str, bytes]]) -> None:
        """Objects into memory, by LLVM's linker."""
        if not objects:
            return
        for _, _, image in objects:
            self._linker.add_object_file(self._llvm.ObjectFileRef.from_data(image))
        self._linker.finalize_object()
        for kernel, symbol, _ in objects:
            self.addresses[kernel] = self._linker.get_function_address(symbol)
