"""Numba's compiler with a cache that only the user can have written.

Numba's own cache unpickles whatever lies in ``NUMBA_CACHE_DIR``, in ``__pycache__`` or in the user's cache folder, whoever wrote
it. Kernels of this package are kept beside those of the engine instead, under the same checks. A file is named by the sources of
the kernel and of all that it calls, its constants, the types of its arguments, the processor, and the versions of Python, Numba
and llvmlite, so a change in another file is seen too.
"""

import hashlib
import pickle
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import CodeType
from typing import Any

import llvmlite
import numba
import numpy as np
from numba.core import caching, compiler, config, types
from numba.core.dispatcher import Dispatcher
from numba.core.serialize import dumps

from yolodsc.jit.cache.store import load_cached, store_cached


def njit(*, cache: bool = False, **options: Any) -> Callable[[Callable[..., Any]], Any]:
    """`numba.njit`; with ``cache`` what it compiles is kept in the folder of this package's kernels."""

    def compiled(function: Callable[..., Any]) -> Any:
        kernel: Any = numba.njit(**options)(function)
        if cache and hasattr(kernel, "enable_caching"):  # with NUMBA_DISABLE_JIT=1 it is the function itself
            kernel._cache = KernelCache(function)
        return kernel

    return compiled


class KernelCache(caching._Cache):
    """What Numba asks for compiled versions of one function."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self.enabled = True

    @property
    def cache_path(self) -> None:
        """Nothing that Numba should open by itself."""

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """The version for these types; None where it is not kept."""
        target_context.refresh()
        data = load_cached(self._name(sig, target_context.codegen())) if self.enabled else None
        rebuild: Any = compiler.CompileResult._rebuild
        return None if data is None else rebuild(target_context, *pickle.loads(data))

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep a version, unless it holds addresses of this process."""
        pickled: Any = dumps
        if self.enabled and not data.library.has_dynamic_globals and all(loop.can_cache for loop in data.lifted):
            store_cached(self._name(sig, data.codegen), pickled(data._reduce()))

    def enable(self) -> None:
        """Keep versions from now on."""
        self.enabled = True

    def disable(self) -> None:
        """Neither read nor keep any."""
        self.enabled = False

    def flush(self) -> None:
        """Nothing to do: a changed function has another name."""

    def _name(self, sig: Any, codegen: Any) -> str:
        settings: Any = config
        made_by = (sys.version, numba.__version__, llvmlite.__version__, settings.BOUNDSCHECK, settings.OPT)
        text = repr((made_by, _sources(self.function), sig, [_fields(kind) for kind in sig], codegen.magic_tuple()))
        return f"{hashlib.sha256(text.encode()).hexdigest()[:32]}.nb"


def _fields(kind: Any) -> Any:
    """Field names of a named tuple and of those in it: Numba's name of the type has only the types of its elements."""
    elements: tuple[Any, ...] = tuple(kind) if isinstance(kind, types.BaseTuple) else ()  # type: ignore[arg-type]
    return getattr(kind, "fields", None), [_fields(element) for element in elements]


def _sources(function: Callable[..., Any], above: tuple[Any, ...] = ()) -> list[Any]:
    """A function, the file it stands in, and what its global and enclosed names mean."""
    code = function.__code__
    enclosed = zip(code.co_freevars, function.__closure__ or (), strict=True)
    scope = {**function.__globals__, **{name: cell.cell_contents for name, cell in enclosed}}
    described: list[Any] = [_digest(code.co_filename), function.__qualname__, code.co_firstlineno]
    return described + [(name, _meaning(scope[name], (*above, function))) for name in sorted(_names(code) & scope.keys())]


def _names(code: CodeType) -> set[str]:
    """Names that a function looks up outside itself, those of comprehensions included."""
    inner = (_names(constant) for constant in code.co_consts if isinstance(constant, CodeType))
    return {*code.co_names, *code.co_freevars}.union(*inner)


def _meaning(value: Any, above: tuple[Any, ...]) -> Any:
    """What compiled code depends on: a kernel's sources, a constant's bytes, anything else by name."""
    if isinstance(value, Dispatcher):
        called = value.py_func
        return called.__qualname__ if called in above else _sources(called, above)
    if isinstance(value, np.ndarray):
        return value.dtype.str, value.shape, value.tobytes()
    return getattr(value, "__qualname__", None) or getattr(value, "__name__", None) or repr(value)


@cache
def _digest(path: str) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()
