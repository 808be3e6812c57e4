"""Which executor serves on this machine: the fused engine where kernels can be made, else FastDSC, and why.

One kernel is compiled (or loaded) to find out: an llvmlite that does not know our IR, or a processor that LLVM has no code for,
costs speed, never the run.
"""

import os
from dataclasses import dataclass
from functools import cache

from yolodsc.jit import Isa, select_isa

NONE = "none"
"""What ``--isa`` calls the FastDSC path."""


@dataclass(frozen=True, slots=True)
class BackendChoice:
    """The instruction set that kernels are made for (None: FastDSC) and why it is this one."""

    isa: Isa | None
    reason: str

    @property
    def name(self) -> str:
        """What ``--isa`` calls it."""
        return self.isa.name if self.isa else NONE


@cache
def select_backend(name: str | None = None) -> BackendChoice:
    """What serves for ``--isa name``, YOLODSC_ISA or the best there is; an `OptionError` for one that this machine cannot run."""
    wanted = name or os.environ.get("YOLODSC_ISA") or None
    if wanted == NONE:
        return BackendChoice(None, "asked for")
    try:
        isa = select_isa(wanted)
    except (ImportError, OSError) as error:
        return BackendChoice(None, f"llvmlite cannot be loaded: {error}")
    if isa is None:
        return BackendChoice(None, "no kernels are made for this processor")
    if trouble := _trouble(isa):
        return BackendChoice(None, trouble)
    return BackendChoice(isa, "asked for" if wanted else "the best that this processor has")


def _trouble(isa: Isa) -> str:
    """Why kernels cannot be made; empty where they can."""
    from yolodsc.engine.codegen.kernels.elementwise import ClearKernel
    from yolodsc.jit import compiler_for

    try:
        compiler_for(isa).load([ClearKernel(isa.lanes)])
    except (RuntimeError, AttributeError, OSError) as error:
        return f"llvmlite cannot compile kernels: {' '.join(str(error).split())[:200]}"
    return ""
