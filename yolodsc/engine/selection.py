"""Selects the backend of this machine: the fused engine if kernels can be compiled, else FastDSC.

One kernel is compiled (or loaded) as a test: an llvmlite that does not support the IR, or a processor that LLVM does not support,
costs speed and never the run.
"""

import os
from functools import cache

from yolodsc.jit import Isa, select_isa
from yolodsc.values import Value

NONE = "none"
"""The value of ``isa`` that selects FastDSC."""


class BackendChoice(Value):
    """The instruction set of the kernels (None: FastDSC), and the reason for the choice."""

    isa: Isa | None
    reason: str

    @property
    def name(self) -> str:
        """The value of ``isa`` that selects it."""
        return self.isa.name if self.isa else NONE


@cache
def select_backend(name: str | None = None) -> BackendChoice:
    """The backend for an instruction set: ``name``, YOLODSC_ISA or the best; an `OptionError` if this machine cannot run it."""
    requested = name or os.environ.get("YOLODSC_ISA") or None
    if requested == NONE:
        return BackendChoice(None, "asked for")
    try:
        isa = select_isa(requested)
    except (ImportError, OSError) as error:
        return BackendChoice(None, f"llvmlite cannot be loaded: {error}")
    if isa is None:
        return BackendChoice(None, "no kernels are made for this processor")
    if failure := _failure(isa):
        return BackendChoice(None, failure)
    return BackendChoice(isa, "asked for" if requested else "the best that this processor has")


def _failure(isa: Isa) -> str:
    """Why kernels cannot be compiled; empty if they can."""
    from yolodsc.engine.codegen.kernels.elementwise import ClearKernel
    from yolodsc.jit import compiler_for

    try:
        compiler_for(isa).load([ClearKernel(isa.lanes)])
    except (RuntimeError, AttributeError, OSError) as error:
        return f"llvmlite cannot compile kernels: {' '.join(str(error).split())[:200]}"
    return ""
