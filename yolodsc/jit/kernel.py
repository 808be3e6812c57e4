"""Numba functions as plain C functions: compiled at the first use on a machine, kept, and called without Numba ever after.

Importing Numba and loading its own cache takes a fifth of a second, more than the rest of a warm start. A `Kernel` names a function
that works on arrays and integers and allocates nothing; its machine code goes to the cache of kernels, under a hash of the source
of its whole package, so that no change of a helper can meet old code. The call releases the GIL.
"""

import ctypes
import hashlib
import os
import threading
from collections.abc import Callable
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from yolodsc.jit.flat import flattened
from yolodsc.jit.host import host
from yolodsc.jit.machine import linked, object_code
from yolodsc.jit.memory import executable
from yolodsc.jit.store import keep, kept

FLAT, OBJECT = b"flat", b"objt"
"""What a file of the cache holds: code that lies anywhere, or an object for LLVM's linker."""
_LOCK = threading.Lock()


class Kernel:
    """A function of a module that imports Numba, called without importing it.

    Parameters
    ----------
    function
        ``module:name``; all modules whose helpers it uses lie in the same package.
    parameters
        The types, separated by spaces: ``int``, or an array in C order as ``u1[1]`` (type of NumPy, number of axes).
        The result is an integer.
    """

    def __init__(self, function: str, parameters: str) -> None:
        self.module, _, self.name = function.partition(":")
        self.parameters = [_parameter(text) for text in parameters.split()]
        self._run: Callable[..., int] | None = None

    def __call__(self, *arguments: Any) -> int:
        """Run the function; a TypeError for an array of another type, shape or order than was declared."""
        for (kind, axes), value in zip(self.parameters, arguments, strict=True):
            if axes and not (value.dtype == kind and value.ndim == axes and value.flags.c_contiguous):
                raise TypeError(f"{self.name}: array of {value.dtype} {value.shape}; expected {kind} with {axes} axes in C order")
        return (self._run or self._loaded())(*arguments)

    def function(self) -> Callable[..., int]:
        """The Python function, undecorated."""
        found: Callable[..., int] = getattr(import_module(self.module), self.name)
        return found

    def _loaded(self) -> Callable[..., int]:
        with _LOCK:
            if self._run is None:
                checked = os.environ.get("NUMBA_BOUNDSCHECK", "0") not in ("", "0")
                self._run = self._checked() if checked else _callable(self._address())
            return self._run

    def _checked(self) -> Callable[..., int]:
        """The function as Numba calls it, for runs in which it checks every index."""
        import numba as nb

        compiled: Callable[..., int] = nb.njit(error_model="numpy")(self.function())
        return compiled

    def _address(self) -> int:
        said = repr((self.module, self.name, self.parameters, host().cpu, sorted(host().features.items()), host().llvm, host().triple))
        digest = hashlib.sha256(said.encode() + _sources(self.module.rpartition(".")[0])).hexdigest()[:32]
        symbol = f"k{digest}"
        data = kept(f"{digest}.o")
        if data is None:
            data = self._compiled(symbol)
            keep(f"{digest}.o", data)
        return executable([data[4:]])[0] if data[:4] == FLAT else linked(data[4:], symbol)

    def _compiled(self, symbol: str) -> bytes:
        """Code with its kind before it."""
        from numba import njit, types

        kinds = [types.Array(_NUMBA[kind](types), axes, "C") if axes else types.int64 for kind, axes in self.parameters]
        options = {"error_model": "numpy", "_nrt": False, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}
        compiled = njit(types.int64(*kinds), **options)(self.function())
        (result,) = compiled.overloads.values()
        text = result.library.get_llvm_str().replace(result.fndesc.llvm_func_name, symbol)
        strings = "".join(code for name, code in _STRINGS.items() if f"@llvm.{name}." in text)
        alone = sum(line.startswith("define ") for line in text.splitlines()) == 1
        flat = flattened(object_code(text + strings, codemodel="small")) if alone else None
        return OBJECT + object_code(text, codemodel="jitdefault") if flat is None else FLAT + flat


_STRINGS = {
    "memset": """
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
""",
}
"""What LLVM calls for loops that fill memory; with this in reach, flat code needs no library."""

_NUMBA: dict[str, Callable[[Any], Any]] = {
    "u1": lambda types: types.uint8,
    "i2": lambda types: types.int16,
    "i4": lambda types: types.int32,
    "i8": lambda types: types.int64,
    "f4": lambda types: types.float32,
}


def _parameter(text: str) -> tuple[str, int]:
    kind, _, axes = text.rstrip("]").partition("[")
    return kind, int(axes or 0)


@cache
def _sources(package: str) -> bytes:
    """Digest of the modules of a package, and of this one, which says how they are compiled."""
    found = find_spec(package)
    folders = [Path(folder) for folder in (found.submodule_search_locations if found else None) or ()]
    files = [file for folder in [*folders, Path(__file__).parent] for file in sorted(folder.glob("*.py"))]
    return hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).digest()


def _callable(address: int) -> Callable[..., int]:
    """Call machine code as Numba's functions want it: arrays in their parts, the result through a pointer."""
    function = ctypes.CFUNCTYPE(ctypes.c_int32)(address)

    def run(*arguments: Any) -> int:
        result = ctypes.c_int64()
        words: list[Any] = [ctypes.byref(result), None]
        for value in arguments:
            if isinstance(value, np.ndarray):
                numbers = value.size, value.itemsize, value.ctypes.data, *value.shape, *value.strides
                words += [None, None, *map(ctypes.c_int64, numbers)]
            else:
                words.append(ctypes.c_int64(value))
        function(*words)
        return result.value

    return run
