"""Kernels that are written as Numba functions: compiled at the first use on a machine, cached, later called without Numba.

Importing Numba and loading its own cache takes 0.2 s, as long as the rest of a warm start. A `Kernel` names a function that works
on arrays and integers and allocates nothing. Its machine code is kept in the cache; the key covers the source of the function's
whole package, so a changed helper never meets old code. A call releases the GIL.
"""

import ctypes
import os
import sys
from array import array
from collections.abc import Callable
from functools import cache, partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from yolodsc.jit.cache.key import NUMBA_SETTINGS, file_digest
from yolodsc.jit.cache.observation import compiling
from yolodsc.jit.forks import ForkLock
from yolodsc.jit.machine import host_target
from yolodsc.jit.machine_code import MachineCode, cached_code, code_key, compiled_code, load, symbol_of

_LOCK = ForkLock(rank=1)

_NUMBA_TYPES = {
    "b1": "boolean",
    "u1": "uint8",
    "i2": "int16",
    "i4": "int32",
    "i8": "int64",
    "u8": "uint64",
    "f4": "float32",
    "f8": "float64",
}
"""Numba's names of the types of array elements."""

_MAX_WORDS = 128
"""Maximum number of parts of the arguments. All are always passed: a function does not see those beyond its own."""


class Kernel:
    """A function of a module that imports Numba, called without importing that module.

    Parameters
    ----------
    function
        ``module:name``. The modules whose helpers it uses must be in the same package or in `yolodsc.jit`.
    parameters
        The types, separated by spaces: ``int``, or an array in C order as ``u1[1]`` (type of NumPy, number of axes).
        The result is an integer.
    """

    def __init__(self, function: str, parameters: str) -> None:
        self.module, _, self.name = function.partition(":")
        self.parameters = [_parameter(text) for text in parameters.split()]
        self._run: Callable[..., int] | None = None
        self._missed = 0

    def __call__(self, *arguments: Any) -> int:
        """Run the function; a TypeError for an array of another type, number of axes or order than was declared."""
        self._check(arguments)
        return (self._run or self.load())(*arguments)

    def bound(self, *arguments: Any) -> Callable[[], int]:
        """The function with its arguments: calls take a few microseconds, and one thread at a time may make them.

        A call sees the present contents of the arrays, which stay alive. Errors are those of a call.
        """
        self._check(arguments)
        run = self._run or self.load()
        return run.bound(*arguments) if isinstance(run, _MachineFunction) else partial(run, *arguments)

    def _check(self, arguments: tuple[Any, ...]) -> None:
        for (kind, axes), value in zip(self.parameters, arguments, strict=True):
            if axes and not (value.dtype == kind and value.ndim == axes and value.flags.c_contiguous):
                raise TypeError(f"{self.name}: array of {value.dtype} {value.shape}; expected {kind} with {axes} axes in C order")

    def load(self) -> Callable[..., int]:
        """Load the function from the cache, or compile it.

        Numba itself calls the function if machine code can be neither made nor loaded, and if NUMBA_BOUNDSCHECK is set.
        """
        with _LOCK.held():
            if self._run is None:
                checked = os.environ.get("NUMBA_BOUNDSCHECK", "0") not in ("", "0")
                self._run = self._by_numba() if checked else self._by_address()
            return self._run

    def ready(self) -> bool:
        """Whether the function is loaded, or is loaded from the cache without being compiled."""
        return self._run is not None or cached_code(self._key()) is not None

    def pays(self, patience: int) -> bool:
        """Whether a call is faster than a slower substitute: the code is cached, or ``patience`` calls have asked before."""
        if self._run is None and self._missed < patience:
            self._missed += 1
            return self._missed == 1 and cached_code(self._key()) is not None
        return True

    def _by_numba(self) -> Callable[..., int]:
        import numba as nb

        compiled: Callable[..., int] = nb.njit(error_model="numpy", nogil=True)(self._function())
        return compiled

    def _by_address(self) -> Callable[..., int]:
        try:
            key = self._key()
            return _MachineFunction(load([cached_code(key) or self._compiled(key)])[0], _trampoline())
        except (RuntimeError, AttributeError, OSError):  # an llvmlite that does not know our IR, no memory for code
            return self._by_numba()

    def _function(self) -> Callable[..., int]:
        found: Callable[..., int] = getattr(import_module(self.module), self.name)
        return found

    def _key(self) -> str:
        package = self.module.rpartition(".")[0]
        settings = [os.environ.get(f"NUMBA_{name}") for name in NUMBA_SETTINGS]
        made_by = (sys.version, _numba_version(), settings)
        return code_key(host_target(), made_by, self.module, self.name, self.parameters, _sources(package))

    def _compiled(self, key: str) -> MachineCode:
        from numba import njit, types

        kinds = [
            types.Array(getattr(types, _NUMBA_TYPES[kind]), axes, "C") if axes else types.int64 for kind, axes in self.parameters
        ]
        options: dict[str, Any] = {"error_model": "numpy", "_nrt": False, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}
        with compiling():
            compiled: Any = njit(types.int64(*kinds), **options)(self._function())
            (result,) = compiled.overloads.values()
            text = result.library.get_llvm_str().replace(result.fndesc.llvm_func_name, symbol_of(key))
            return compiled_code(key, text, host_target())


def _parameter(text: str) -> tuple[str, int]:
    kind, _, axes = text.rstrip("]").partition("[")
    return kind, int(axes or 0)


@cache
def _sources(package: str) -> str:
    """Digest of the modules of a package."""
    found = find_spec(package)
    folders = [Path(folder) for folder in (found.submodule_search_locations if found else None) or ()]
    return file_digest(*(file for folder in folders for file in sorted(folder.glob("*.py"))))


@cache
def _numba_version() -> str:
    """Digest of the file in which Numba states its version: importing Numba to ask for it would take 0.2 s."""
    found = find_spec("numba")
    stated = Path(found.origin).with_name("_version.py") if found and found.origin else None
    return file_digest(stated) if stated and stated.is_file() else ""


class _MachineFunction:
    """Machine code in Numba's calling convention: arrays are passed in parts, the result through a pointer."""

    def __init__(self, address: int, call: Callable[[int, int], int]) -> None:
        self.address, self.call = address, call

    def __call__(self, *arguments: Any) -> int:
        return self.bound(*arguments)()

    def bound(self, *arguments: Any) -> Callable[[], int]:
        """See `Kernel.bound`."""
        call, address, result = self.call, self.address, ctypes.c_int64()
        numbers = [ctypes.addressof(result), 0]
        for value in arguments:
            if isinstance(value, np.ndarray):
                numbers += 0, 0, value.size, value.itemsize, value.ctypes.data, *value.shape, *value.strides
            else:
                numbers.append(value)
        if len(numbers) > _MAX_WORDS:
            raise ValueError(f"arguments of {len(numbers)} parts; expected at most {_MAX_WORDS}")
        words = array("q", numbers + [0] * (_MAX_WORDS - len(numbers)))  # ctypes takes four times as long to convert the numbers
        at, _ = words.buffer_info()

        def run(kept: tuple[Any, ...] = (words, arguments)) -> int:
            del kept  # the default argument keeps the memory alive
            call(address, at)
            return result.value

        return run


@cache
def _trampoline() -> Callable[[int, int], int]:
    """Return the function that calls the code at an address with `_MAX_WORDS` integers or pointers from another address.

    `ctypes` converts each argument of a call in turn, which takes ten microseconds for a hundred of them. With two arguments a call
    takes half a microsecond.
    """
    text = _trampoline_text()
    key = code_key(host_target(), text)
    code = cached_code(key) or compiled_code(key, text.replace("@KERNEL(", f"@{symbol_of(key)}("), host_target())
    return ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p, ctypes.c_void_p)(load([code])[0])


def _trampoline_text() -> str:
    """LLVM IR of the trampoline."""
    lines = ["define i32 @KERNEL(ptr %function, ptr %words) {", "entry:"]
    for number in range(_MAX_WORDS):
        lines.append(f"  %p{number} = getelementptr i64, ptr %words, i64 {number}")
        lines.append(f"  %w{number} = load i64, ptr %p{number}, align 8")
    words = ", ".join(f"i64 %w{number}" for number in range(_MAX_WORDS))
    return "\n".join([*lines, f"  %result = call i32 %function({words})", "  ret i32 %result", "}", ""])
