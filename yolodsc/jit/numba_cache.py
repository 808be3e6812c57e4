"""`numba.njit` with a cache that only the user can have written.

Numba's own cache unpickles whatever lies in ``NUMBA_CACHE_DIR``, in ``__pycache__`` or in the user's cache folder, whoever wrote
it. Compiled functions of this package are stored beside the engine's kernels instead, under the same checks. The key covers the
sources of the function and of all that it calls, its constants, the types of its arguments, the processor, and the versions of
Python, Numba and llvmlite, so a change in another file is seen too.
"""

import pickle
import sys
from collections.abc import Callable
from functools import cache
from types import CodeType, ModuleType
from typing import Any

import llvmlite
import numba
import numpy as np
from numba import types
from numba.core import caching, compiler, config
from numba.core.dispatcher import Dispatcher
from numba.core.serialize import dumps

from yolodsc.jit.cache.key import NUMBA_SETTINGS, cache_key, file_digest
from yolodsc.jit.cache.observation import begin_compilation, end_compilation
from yolodsc.jit.cache.store import load_cached, store_cached
from yolodsc.jit.numba_pipeline import SelfContainedCompiler


def njit(*, cache: bool = False, **options: Any) -> Callable[[Callable[..., Any]], Any]:
    """`numba.njit` for functions whose code is the same in every process; ``cache`` stores it in this package's cache."""

    def compiled(function: Callable[..., Any]) -> Any:
        dispatcher: Any = numba.njit(pipeline_class=SelfContainedCompiler, **options)(function)
        if cache and hasattr(dispatcher, "enable_caching"):  # with NUMBA_DISABLE_JIT=1 it is the function itself
            dispatcher._cache = OverloadCache(function, options)
        return dispatcher

    return compiled


class OverloadCache(caching._Cache):
    """The compiled overloads of one function, as Numba asks for them.

    Parameters
    ----------
    function
        The Python function.
    options
        Its options of `numba.njit`.
    """

    def __init__(self, function: Callable[..., Any], options: dict[str, Any]) -> None:
        self.function = function
        self.options = [
            (name, sorted(value) if isinstance(value, set | frozenset) else value) for name, value in sorted(options.items())
        ]
        self.enabled = True

    @property
    def cache_path(self) -> None:
        """None: there is no folder that Numba should open itself."""

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """The overload for these types; None if it is not stored."""
        target_context.refresh()
        data = load_cached(self._name(sig, target_context.codegen())) if self.enabled else None
        rebuild: Any = compiler.CompileResult._rebuild
        if data is None:  # Numba compiles the function and saves the overload
            begin_compilation()
            return None
        return rebuild(target_context, *pickle.loads(data))

    def save_overload(self, sig: Any, data: Any) -> None:
        """Store an overload, unless it holds addresses of this process."""
        end_compilation()
        pickled: Any = dumps
        if self.enabled and not data.library.has_dynamic_globals and all(loop.can_cache for loop in data.lifted):
            store_cached(self._name(sig, data.codegen), pickled(data._reduce()))

    def enable(self) -> None:
        """Store overloads from now on."""
        self.enabled = True

    def disable(self) -> None:
        """Neither load nor store overloads."""
        self.enabled = False

    def flush(self) -> None:
        """Do nothing: a changed function has another key."""

    def _name(self, sig: Any, codegen: Any) -> str:
        settings = [getattr(config, name, None) for name in NUMBA_SETTINGS]
        made_by = (sys.version, numba.__version__, llvmlite.__version__, settings)
        fields = [_fields(kind) for kind in sig]
        return f"{cache_key(made_by, self.options, _sources(self.function), sig, fields, codegen.magic_tuple())}.nb"


def _fields(kind: Any) -> Any:
    """Field names of a named tuple and of those in it; Numba's name of the type has only the types of its elements."""
    elements: tuple[Any, ...] = tuple(kind) if isinstance(kind, types.BaseTuple) else ()  # type: ignore[arg-type]
    return getattr(kind, "fields", None), [_fields(element) for element in elements]


def _sources(function: Callable[..., Any], callers: tuple[Any, ...] = ()) -> list[Any]:
    """A function, the file that defines it, and the meaning of its global and enclosed names."""
    code = function.__code__
    enclosed = zip(code.co_freevars, function.__closure__ or (), strict=True)
    scope = {**function.__globals__, **{name: cell.cell_contents for name, cell in enclosed}}
    described: list[Any] = [_digest(code.co_filename), function.__qualname__, code.co_firstlineno]
    return described + [(name, _meaning(scope[name], (*callers, function))) for name in sorted(_names(code) & scope.keys())]


def _names(code: CodeType) -> set[str]:
    """Names that a function looks up outside itself, those of comprehensions included."""
    inner = (_names(constant) for constant in code.co_consts if isinstance(constant, CodeType))
    return {*code.co_names, *code.co_freevars}.union(*inner)


def _meaning(value: Any, callers: tuple[Any, ...]) -> Any:
    """What compiled code depends on: a kernel's sources, a constant's bytes, a file's content, else the value's `repr`."""
    if isinstance(value, Dispatcher):
        called = value.py_func
        return called.__qualname__ if called in callers else _sources(called, callers)
    if isinstance(value, np.ndarray):
        return value.dtype.str, value.shape, value.tobytes()
    name = getattr(value, "__qualname__", None) or getattr(value, "__name__", None)
    if name is None:
        return repr(value)
    home = value if isinstance(value, ModuleType) else sys.modules.get(getattr(value, "__module__", None) or "")
    path = getattr(home, "__file__", None)
    return name, _digest(path) if path else None


@cache
def _digest(path: str) -> str:
    return file_digest(path)
