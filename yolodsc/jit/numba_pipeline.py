"""A Numba compiler whose code never depends on what else the process has compiled.

Numba links a copy of every function that a kernel calls into the kernel's module, as a weak symbol. Where the process has also
compiled or loaded the called function by itself, the linker drops the copy and calls that one. The two were optimised in different
modules, so sums may round differently: the first process, which compiles everything, would differ in bits from later ones, which
load the kernel alone from the cache. Here the copies become internal to the kernel's module, and a kernel always runs its own.
"""

from typing import Any

from llvmlite.binding import Linkage
from numba.core import compiler
from numba.core.codegen import JITCodeLibrary


class SelfContainedLibrary(JITCodeLibrary):
    """Machine code of one function and its own copies of the functions that it calls."""

    def _finalize_final_module(self) -> None:
        """Load the optimised module; other modules link what it exports, as it was before the copies became internal."""
        shared = self._final_module.clone()
        _set_linkage(shared, Linkage.external, Linkage.linkonce_odr)
        _set_linkage(self._final_module, Linkage.linkonce_odr, Linkage.internal)
        base: Any = super()
        base._finalize_final_module()
        self._shared_module = shared


class SelfContainedCompiler(compiler.Compiler):
    """Numba's compiler with `SelfContainedLibrary`."""

    def compile_extra(self, func: Any) -> Any:
        """Compile a function."""
        if self.state.library is None:
            library: Any = SelfContainedLibrary
            self.state.library = library(self.state.targetctx.codegen(), func.__qualname__)
            self.state.library.enable_object_caching()
        base: Any = super()
        return base.compile_extra(func)


def _set_linkage(module: Any, old: Linkage, new: Linkage) -> None:
    for function in module.functions:
        if not function.is_declaration and function.linkage == old:
            function.linkage = new
