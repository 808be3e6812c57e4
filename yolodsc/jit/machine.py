"""LLVM's code generator and linker. LLVM is loaded at the first use: when code must be compiled or linked."""

import contextlib
from functools import cache
from typing import Any, Literal

from yolodsc.jit.host import host_description
from yolodsc.values import Value

CodeModel = Literal["small", "jitdefault"]
"""``small``: constants lie within 2 GB of the code. ``jitdefault``: they may lie anywhere, as LLVM's linker requires."""


class Target(Value):
    """The processor that code is generated for, in LLVM's terms."""

    cpu: str
    features: str

    def identity(self) -> tuple[object, ...]:
        """What the generated code depends on besides the IR, for cache keys; LLVM need not be loaded."""
        host = host_description()
        return self.cpu, self.features, host.llvm, host.triple


def host_target() -> Target:
    """Return this processor with all of its features."""
    host = host_description()
    return Target(host.cpu, ",".join(("+" if on else "-") + name for name, on in sorted(host.features.items())))


@cache
def llvm() -> Any:
    """Return llvmlite's binding, initialised."""
    from llvmlite import binding

    with contextlib.suppress(RuntimeError):  # llvmlite >= 0.45 initialises itself and refuses the call
        binding.initialize()
    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    return binding


def object_code(text: str, target: Target, *, codemodel: CodeModel) -> bytes:
    """Compile LLVM IR to an object file; a RuntimeError if LLVM cannot parse it."""
    machine = _target_machine(target, codemodel)
    module = llvm().parse_assembly(text)
    module.triple = host_description().triple
    module.data_layout = str(machine.target_data)
    image: bytes = machine.emit_object(module)
    return image


def linked(image: bytes, symbol: str) -> int:
    """Load an object file with LLVM's linker and return the address of one function. Loaded code is never unloaded."""
    linker = llvm().create_mcjit_compiler(llvm().parse_assembly(""), _target_machine(host_target(), "jitdefault"))
    linker.add_object_file(llvm().ObjectFileRef.from_data(image))
    linker.finalize_object()
    _LINKERS.append(linker)
    address: int = linker.get_function_address(symbol)
    return address


_LINKERS: list[Any] = []
"""One linker per object: a second object in a finalised linker crashes, or reads wrong constants."""


@cache
def _target_machine(target: Target, codemodel: CodeModel) -> Any:
    chosen = llvm().Target.from_triple(host_description().triple)
    return chosen.create_target_machine(cpu=target.cpu, features=target.features, opt=3, reloc="pic", codemodel=codemodel)
