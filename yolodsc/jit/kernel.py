"""Numba functions as plain C functions: compiled at the first use on a machine, kept, and called without Numba ever after.

Importing Numba and loading its own cache takes a fifth of a second, as long as the rest of a warm start. A `Kernel` names a
function that works on arrays and integers and allocates nothing. Its machine code goes to the cache of kernels, under a hash of the
source of its whole package, so that no change of a helper can meet old code. A call releases the GIL.
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

from yolodsc.jit.cache.store import load_cached, store_cached
from yolodsc.jit.executable_memory import executable
from yolodsc.jit.flat_binary import FLAT, OBJECT, flattened
from yolodsc.jit.host import host_description
from yolodsc.jit.machine import MEMSET, linked, object_code

_LOCK = threading.Lock()


class Kernel:
    """A function of a module that imports Numba, called without importing it.

    Parameters
    ----------
    function
        ``module:name``; all modules whose helpers it uses lie in the same package or in this one.
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
        for (kind, axes), value in zip(self.parameters, arguments, strict=True):
            if axes and not (value.dtype == kind and value.ndim == axes and value.flags.c_contiguous):
                raise TypeError(f"{self.name}: array of {value.dtype} {value.shape}; expected {kind} with {axes} axes in C order")
        return (self._run or self.load())(*arguments)

    def load(self) -> Callable[..., int]:
        """Make the function ready: from the cache, or compiled.

        Where machine code can be neither kept nor loaded, and where NUMBA_BOUNDSCHECK is set, Numba itself calls the function.
        """
        with _LOCK:
            if self._run is None:
                checked = os.environ.get("NUMBA_BOUNDSCHECK", "0") not in ("", "0")
                self._run = self._by_numba() if checked else self._by_address()
            return self._run

    def ready(self) -> bool:
        """Whether the function is loaded, or is loaded from the cache without being compiled."""
        return self._run is not None or load_cached(f"{self._digest()}.o") is not None

    def pays(self, patience: int) -> bool:
        """Whether to call it rather than something slower: it need not be compiled, or was asked for ``patience`` times in vain."""
        if self._run is None and self._missed < patience:
            self._missed += 1
            return self._missed == 1 and load_cached(f"{self._digest()}.o") is not None
        return True

    def _by_numba(self) -> Callable[..., int]:
        import numba as nb

        compiled: Callable[..., int] = nb.njit(error_model="numpy", nogil=True)(self._function())
        return compiled

    def _by_address(self) -> Callable[..., int]:
        try:
            digest = self._digest()
            data = load_cached(f"{digest}.o")
            if data is None:
                data = self._compiled(f"k{digest}")
                store_cached(f"{digest}.o", data)
            return _callable(executable([data[4:]])[0] if data[:4] == FLAT else linked(data[4:], f"k{digest}"))
        except (RuntimeError, AttributeError, OSError):  # an llvmlite that does not know our IR, no memory for code
            return self._by_numba()

    def _function(self) -> Callable[..., int]:
        found: Callable[..., int] = getattr(import_module(self.module), self.name)
        return found

    def _digest(self) -> str:
        machine = host_description()
        said = (
            self.module,
            self.name,
            self.parameters,
            machine.cpu,
            sorted(machine.features.items()),
            machine.llvm,
            machine.triple,
        )
        return hashlib.sha256(repr(said).encode() + _sources(self.module.rpartition(".")[0])).hexdigest()[:32]

    def _compiled(self, symbol: str) -> bytes:
        """Code with its kind before it."""
        from numba import njit, types

        names = {"u1": "uint8", "i2": "int16", "i4": "int32", "i8": "int64", "f4": "float32"}
        kinds = [types.Array(getattr(types, names[kind]), axes, "C") if axes else types.int64 for kind, axes in self.parameters]
        options: dict[str, Any] = {"error_model": "numpy", "_nrt": False, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}
        compiled: Any = njit(types.int64(*kinds), **options)(self._function())
        (result,) = compiled.overloads.values()
        text = result.library.get_llvm_str().replace(result.fndesc.llvm_func_name, symbol)
        alone = sum(line.startswith("define ") for line in text.splitlines()) == 1
        extended = text + MEMSET if "@llvm.memset." in text else text
        flat = flattened(object_code(extended, codemodel="small")) if alone else None
        return OBJECT + object_code(text, codemodel="jitdefault") if flat is None else FLAT + flat


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
