"""Kernels from text to addresses: compile, keep, load.

LLVM's code generator runs on hand-written SSA with no optimiser before it; the object code goes to a cache of our own, one small
file a kernel, named by a hash of its text, the processor, the features and LLVM's version, so that a changed generator can never
meet an old file and two processes that compile the same kernel write the same bytes. A file is written beside and renamed; a
cache that cannot be written to costs time, never the run; one that cannot be loaded is compiled again.
"""

import contextlib
import hashlib
import os
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Protocol

from yolodsc.engine.isa import Isa

MAGIC = b"yolodsc1"


class Kernel(Protocol):
    """A description that can write itself as LLVM IR; hashable, because equal descriptions are one kernel."""

    def emit(self, name: str) -> str:
        """LLVM IR of the function ``name``."""
        ...


def cache_directory() -> Path:
    """Where object code is kept: YOLODSC_CACHE, or the user's cache folder."""
    if chosen := os.environ.get("YOLODSC_CACHE"):
        return Path(chosen)
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "yolodsc" / "kernels"


@cache
def compiler(isa: Isa) -> "Compiler":
    """One compiler an instruction set and process."""
    return Compiler(isa)


class Compiler:
    """Turns kernels into addresses for one instruction set; what it has loaded stays loaded as long as the process."""

    def __init__(self, isa: Isa) -> None:
        import llvmlite.binding as llvm

        self.isa = isa
        self.llvm = llvm
        self.lock = threading.Lock()
        self.addresses: dict[Any, int] = {}
        self.compiled = 0
        with contextlib.suppress(RuntimeError):  # llvmlite >= 0.45 initialises itself and refuses the call
            llvm.initialize()
        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
        target = llvm.Target.from_triple(llvm.get_process_triple())
        self.machine = target.create_target_machine(cpu=isa.cpu, features=isa.features, opt=3, reloc="pic", codemodel="jitdefault")
        self.salt = repr((isa.cpu, isa.features, llvm.llvm_version_info, llvm.get_process_triple())).encode()
        self.engine: Any = None

    def load(self, kernels: Sequence[Any], progress: Callable[[int, int], None] | None = None) -> Mapping[Any, int]:
        """Addresses of all ``kernels``; those neither loaded nor kept on disk are compiled."""
        with self.lock:
            missing = [k for k in dict.fromkeys(kernels) if k not in self.addresses]
            images: list[tuple[Any, str, bytes]] = []
            for number, kernel in enumerate(missing):
                if progress is not None:
                    progress(number, len(missing))
                images.append((kernel, *self._image(kernel)))
            if missing and progress is not None:
                progress(len(missing), len(missing))
            self._link(images)
            return {kernel: self.addresses[kernel] for kernel in kernels}

    def _image(self, kernel: Any) -> tuple[str, bytes]:
        """Symbol and object code, from the cache or fresh."""
        text = kernel.emit("KERNEL")
        digest = hashlib.sha256(self.salt + text.encode()).hexdigest()[:32]
        symbol = f"k{digest}"
        file = cache_directory() / f"{digest}.o"
        with contextlib.suppress(OSError):
            data = file.read_bytes()
            if data[:8] == MAGIC and hashlib.sha256(data[40:]).digest() == data[8:40]:
                return symbol, data[40:]
        module = self.llvm.parse_assembly(text.replace("@KERNEL(", f"@{symbol}("))
        module.triple = self.llvm.get_process_triple()
        module.data_layout = str(self.machine.target_data)
        image: bytes = self.machine.emit_object(module)
        self.compiled += 1
        _keep(file, MAGIC + hashlib.sha256(image).digest() + image)
        return symbol, image

    def _link(self, images: Sequence[tuple[Any, str, bytes]]) -> None:
        """Bring object code into memory."""
        if self.engine is None:
            self.engine = self.llvm.create_mcjit_compiler(self.llvm.parse_assembly(""), self._own_machine())
        for _, _, image in images:
            self.engine.add_object_file(self.llvm.ObjectFileRef.from_data(image))
        self.engine.finalize_object()
        for kernel, symbol, _ in images:
            self.addresses[kernel] = self.engine.get_function_address(symbol)

    def _own_machine(self) -> Any:
        """A target machine for the linker to own."""
        target = self.llvm.Target.from_triple(self.llvm.get_process_triple())
        return target.create_target_machine(cpu=self.isa.cpu, features=self.isa.features, opt=3, codemodel="jitdefault")


def _keep(file: Path, data: bytes) -> None:
    """Write ``data`` beside and rename; a cache that cannot be written is no error."""
    with contextlib.suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        handle, beside = tempfile.mkstemp(dir=file.parent, prefix=".")
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(data)
            Path(beside).replace(file)
        except OSError:
            Path(beside).unlink(missing_ok=True)
