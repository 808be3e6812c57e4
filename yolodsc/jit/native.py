"""`native`: a Python function that Numba compiles once, and that later processes run without Numba.

Numba types the function and writes LLVM IR; the object code is made, flattened and kept like every other kernel (`compiler`). A
process that finds it in the cache loads a few kilobytes and calls an address: importing Numba, which takes 0.3 s, is left to the
process that compiles. The key of the cache covers the bytecode and constants of the function and of everything it calls, whichever
file that lies in, so that a changed helper never meets an old kernel.

A native function takes C-contiguous arrays and numbers, allocates nothing and raises nothing; what it fills is handed to it.
"""

import hashlib
import os
import sys
import threading
from collections.abc import Callable, Iterable
from ctypes import CFUNCTYPE, c_char_p, c_int64
from functools import cached_property
from types import CodeType, FunctionType
from typing import Any, Generic, ParamSpec, TypeVar, cast

import numpy as np

from yolodsc.jit.signature import Signature

P = ParamSpec("P")
R = TypeVar("R")

_CALL = CFUNCTYPE(c_int64, c_char_p)


class Device(Generic[P, R]):
    """A function that native functions may call; it is compiled into each of them.

    Called from Python it runs as Python, which is what its tests want.
    """

    def __init__(self, function: Callable[P, R], *, fastmath: frozenset[str], inline: bool = False) -> None:
        self.function = cast(FunctionType, function)
        self.fastmath = fastmath
        self.inline = inline
        self.__doc__, self.__name__ = function.__doc__, self.function.__name__

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run as Python."""
        return cast(R, self.function(*args, **kwargs))

    @cached_property
    def material(self) -> bytes:
        """What the machine code depends on: flags, bytecode, constants, and the same of everything that is called."""
        return repr((sorted(self.fastmath), list(_material(self.function)))).encode()


class Native(Device[P, R]):
    """A compiled function; compiles or loads itself at the first call."""

    def __init__(self, function: Callable[P, R], signature: str, *, fastmath: frozenset[str]) -> None:
        super().__init__(function, fastmath=fastmath)
        self.signature = Signature.parse(signature)
        self._lock = threading.Lock()
        self._run: Callable[..., Any] | None = None

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run; a `TypeError` for arguments that differ from the signature."""
        if kwargs:
            raise TypeError(f"{self.__name__} got keyword arguments; expected positional ones")
        return cast(R, (self._run or self._loaded())(*args))

    @cached_property
    def key(self) -> bytes:
        """Of the kernel in the cache; the compiler adds processor and LLVM's version."""
        return repr((_NUMBA, sys.version_info[:2], self.signature.text, hashlib.sha256(self.material).hexdigest())).encode()

    def emit(self, name: str) -> str:
        """LLVM IR of ``i64 name(ptr arguments)``; imports Numba."""
        from yolodsc.jit.numba_frontend import emitted

        return emitted(self, name)

    def _loaded(self) -> Callable[..., Any]:
        with self._lock:
            if self._run is None:
                self._run = self._checked() if _interpreted() else self._compiled()
            return self._run

    def _compiled(self) -> Callable[..., Any]:
        from yolodsc.engine.isa import native_isa
        from yolodsc.engine.objects import compiler

        address = compiler(native_isa()).load([self])[self]
        call, pack, value = _CALL(address), self.signature.pack, self.signature.value
        return lambda *args: value(call(pack(args)))

    def _checked(self) -> Callable[..., Any]:
        """By Numba in memory, with its bounds checks, or as plain Python: what Numba's own variables ask for."""
        from yolodsc.jit.numba_frontend import dispatcher

        return cast(Callable[..., Any], dispatcher(self))


def native(signature: str, *, fastmath: Iterable[str] = ()) -> Callable[[Callable[P, R]], Native[P, R]]:
    """Compile a function for one signature.

    Parameters
    ----------
    signature
        Types of the arguments in order, then ``->`` and the type of the result if there is one: ``"u1[3] f4[3] i8 -> i8"``.
        ``f4[3]`` is a C-contiguous array of three dimensions; numbers are ``i8``, ``f4``, ``f8``.
    fastmath
        Flags of LLVM, as Numba's ``fastmath``.
    """
    return lambda function: Native(function, signature, fastmath=frozenset(fastmath))


def device(function: Callable[P, R] | None = None, *, fastmath: Iterable[str] = (), inline: bool = False) -> Any:
    """Let native functions call a function."""
    if function is not None:
        return Device(function, fastmath=frozenset(fastmath))
    return lambda function: Device(function, fastmath=frozenset(fastmath), inline=inline)


def _interpreted() -> bool:
    return any(os.environ.get(name, "0") not in ("", "0") for name in ("NUMBA_DISABLE_JIT", "NUMBA_BOUNDSCHECK"))


def _version() -> str:
    """Numba's version without importing it."""
    from importlib.metadata import version

    return version("numba")


_NUMBA = _version()


def _material(function: FunctionType) -> Iterable[object]:
    yield _bytecode(function.__code__)
    yield function.__defaults__
    for name in sorted(_names(function.__code__)):
        if name in function.__globals__:
            yield name, _constant(function.__globals__[name])
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        yield name, _constant(cell.cell_contents)


def _names(code: CodeType) -> set[str]:
    inner = (constant for constant in code.co_consts if isinstance(constant, CodeType))
    return set(code.co_names).union(*map(_names, inner))


def _bytecode(code: CodeType) -> tuple[object, ...]:
    constants = tuple(_bytecode(c) if isinstance(c, CodeType) else c for c in code.co_consts[bool(code.co_consts) :])
    return code.co_code, constants, code.co_names, code.co_varnames


def _constant(value: object) -> object:
    """What a global contributes to the key."""
    if isinstance(value, Device):
        return value.material
    if isinstance(value, np.ndarray):
        return value.dtype.str, value.shape, hashlib.sha256(np.ascontiguousarray(value).tobytes()).hexdigest()
    if isinstance(value, int | float | str | tuple | np.generic):
        return type(value).__name__, value
    return getattr(value, "__name__", type(value).__name__)  # modules and their functions: fixed by Numba's and Python's version
