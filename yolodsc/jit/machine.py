"""LLVM's code generator and linker for this processor; LLVM is loaded when there is something to compile or to link."""

import contextlib
from functools import cache
from typing import Any

from yolodsc.jit.host import host_description

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
"""What LLVM calls for loops that fill memory; with this in reach, flat code needs no library."""


@cache
def llvm() -> Any:
    """Llvmlite's binding, initialised."""
    from llvmlite import binding

    with contextlib.suppress(RuntimeError):  # llvmlite >= 0.45 initialises itself and refuses the call
        binding.initialize()
    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    return binding


def object_code(text: str, *, codemodel: str) -> bytes:
    """An object of LLVM IR; ``small``: constants lie near, ``jitdefault``: where LLVM's linker likes them."""
    machine = _target(codemodel)
    module = llvm().parse_assembly(text)
    module.triple = host_description().triple
    module.data_layout = str(machine.target_data)
    image: bytes = machine.emit_object(module)
    return image


def linked(image: bytes, symbol: str) -> int:
    """Address of a function of an object, there as long as the process."""
    linker = llvm().create_mcjit_compiler(llvm().parse_assembly(""), _target("jitdefault"))
    linker.add_object_file(llvm().ObjectFileRef.from_data(image))
    linker.finalize_object()
    _LINKERS.append(linker)
    address: int = linker.get_function_address(symbol)
    return address


_LINKERS: list[Any] = []
"""One for each object: a linker that gets a second one after the first was made executable writes into what it may not."""


def _target(codemodel: str) -> Any:
    features = ",".join(("+" if on else "-") + name for name, on in sorted(host_description().features.items()))
    target = llvm().Target.from_triple(host_description().triple)
    return target.create_target_machine(cpu=host_description().cpu, features=features, opt=3, reloc="pic", codemodel=codemodel)
