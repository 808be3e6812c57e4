"""Numba functions cached as machine code: warm loads, cache keys, and fallbacks."""

import gc
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from yolodsc.images import READING_KERNELS
from yolodsc.jit import kernel as module
from yolodsc.jit import machine_code
from yolodsc.jit.cache.store import load_cached
from yolodsc.jit.host import host_description
from yolodsc.jit.kernel import Kernel, _MachineFunction, _trampoline

SOURCE = """
from {package}.helper import number


def filled(out, first):
    for i in range(len(out)):
        out[i] = 7
    out[0] = first + number()
    return len(out)
"""
HELPER = """
import numba as nb


@nb.njit
def number():
    return {number}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a cache of the test, in a directory that is on the import path."""
    monkeypatch.setenv("YOLODSC_CACHE", str(tmp_path / "kernels"))
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def package(folder: Path, name: str, number: int) -> Kernel:
    """Write a package with a function and a helper that make a kernel."""
    (folder / name).mkdir()
    (folder / name / "__init__.py").touch()
    (folder / name / "helper.py").write_text(HELPER.format(number=number))
    (folder / name / "kernel.py").write_text(SOURCE.format(package=name))
    return Kernel(f"{name}.kernel:filled", "i8[1] int")


def filled(kernel: Kernel) -> list[int]:
    """Return what the function writes."""
    out = np.zeros(40, np.int64)
    assert kernel(out, 100) == 40
    assert (out[1:] == 7).all()
    return [int(out[0])]


def files(folder: Path) -> set[str]:
    """Return the names of the kernels in the cache."""
    return {path.name for path in (folder / "kernels").glob("*.o")}


def test_functions_are_compiled_once_and_kept(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second kernel of the same source is loaded without compiling."""
    _trampoline()
    empty = files(folder)
    assert filled(package(folder, "kept_a", 1)) == [101]
    before = files(folder)
    monkeypatch.setattr(Kernel, "_compiled", lambda *_: pytest.fail("compiled again"))

    assert filled(Kernel("kept_a.kernel:filled", "i8[1] int")) == [101]

    assert len(before - empty) == 1
    assert files(folder) == before


def test_a_changed_helper_never_meets_old_code(folder: Path) -> None:
    """The key contains the source of the whole package."""
    kernel = package(folder, "kept_b", 1)
    old = kernel._key()
    (folder / "kept_b" / "helper.py").write_text(HELPER.format(number=2))
    module._sources.cache_clear()

    assert kernel._key() != old


def test_a_setting_of_numba_is_part_of_the_key(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """NUMBA_OPT=0 gives other code."""
    kernel = package(folder, "kept_c", 1)
    old = kernel._key()

    monkeypatch.setenv("NUMBA_OPT", "0")

    assert kernel._key() != old


def test_kernels_use_only_their_own_package_and_the_compilers(folder: Path) -> None:
    """The key does not cover the sources of other modules, so a kernel must not import them."""
    for kernel in READING_KERNELS:
        package = kernel.module.rpartition(".")[0]
        modules = [import_module(kernel.module)]
        for module_ in modules:
            used = {getattr(value, "__module__", None) or getattr(value, "__name__", "") for value in vars(module_).values()}
            inside = {name for name in used if name.startswith("yolodsc")}
            assert all(name.startswith((package, "yolodsc.jit")) for name in inside), (module_.__name__, inside)
            modules += [m for name in sorted(inside) if (m := import_module(name)) not in modules and name.startswith(package)]
        assert len(modules) > 1


@pytest.mark.parametrize("flat", [True, False])
def test_code_is_loaded_where_it_lies_or_linked(folder: Path, monkeypatch: pytest.MonkeyPatch, flat: bool) -> None:
    """Two kernels are loaded one after the other; LLVM's linker is used if code cannot be made flat."""
    if not flat:
        monkeypatch.setattr(machine_code, "flattened", lambda _: None)

    assert filled(package(folder, f"first_{flat}", 1)) + filled(package(folder, f"second_{flat}", 2)) == [101, 102]

    triple = host_description().triple
    flat_expected = flat and triple.startswith("x86_64") and "linux" in triple
    kinds = {(load_cached(name) or b"")[:4] for name in files(folder)}
    assert kinds == {machine_code.FLAT if flat_expected else machine_code.OBJECT}


@pytest.mark.parametrize("name", ["executable", "object_code"])
def test_numba_itself_serves_where_code_cannot_be_made(folder: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Executable memory may be missing, or the compiler may be of an unknown version."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError("no memory for kernels") if name == "executable" else RuntimeError("LLVM IR parsing error")

    monkeypatch.setattr(machine_code, name, refuse)
    monkeypatch.setattr(machine_code, "linked", refuse)

    assert filled(package(folder, f"without_{name}", 1)) == [101]


@pytest.mark.parametrize(
    "out", [np.zeros(4, np.int32), np.zeros((4, 1), np.int64), np.zeros(8, np.int64)[::2]], ids=["type", "axes", "order"]
)
def test_arrays_that_were_not_declared_are_refused(folder: Path, out: np.ndarray) -> None:
    """The check precedes the call, which would misread their memory."""
    with pytest.raises(TypeError, match="expected i8 with 1 axes"):
        Kernel("nowhere:filled", "i8[1] int")(out, 1)


def test_a_bound_function_sees_what_its_arrays_hold_at_the_call(folder: Path) -> None:
    """It keeps them alive, and its arguments are checked when they are bound."""
    kernel = package(folder, "bound_a", 1)
    out = np.zeros(40, np.int64)
    call = kernel.bound(out, 100)
    out[:] = 5
    assert call() == 40
    assert out[0] == 101
    out[:] = 5

    del out
    gc.collect()

    assert call() == 40
    with pytest.raises(TypeError, match="expected i8 with 1 axes"):
        kernel.bound(np.zeros(40, np.int32), 100)


def test_more_arguments_than_a_call_passes_are_refused() -> None:
    """The kernel would read whatever lies behind them."""
    with pytest.raises(ValueError, match="arguments of 134 parts; expected at most 128"):
        _MachineFunction(0, lambda *_: 0).bound(*[np.zeros((1, 1, 1))] * 12)
