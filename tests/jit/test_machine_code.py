"""From LLVM IR to addresses: code that LLVM must link, and the keys of the cache."""

import ctypes
import math
import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from yolodsc.jit import machine_code
from yolodsc.jit.cache import key
from yolodsc.jit.cache.store import load_cached
from yolodsc.jit.compiler import Compiler
from yolodsc.jit.isa import Isa, select_isa
from yolodsc.jit.machine import Target, host_target


@pytest.fixture
def isa() -> Isa:
    """Return the best instruction set of this machine."""
    chosen = select_isa()
    if chosen is None:
        pytest.skip("no kernels can be made here")
    return chosen


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the cache of the test."""
    monkeypatch.setenv("YOLODSC_CACHE", str(tmp_path))
    return tmp_path


@dataclass(frozen=True, slots=True)
class Calls:
    """A kernel ``void (ptr)`` that calls a function of the C library and reads a constant, so that it cannot be a flat binary."""

    function: str
    constant: float

    def emit(self, name: str) -> str:
        """Return LLVM IR."""
        return (
            f"declare double @{self.function}(double)\ndefine void @{name}(ptr %p) {{\n  %v = load double, ptr %p\n"
            f"  %w = call double @{self.function}(double %v)\n  %x = fadd double %w, {self.constant}\n"
            "  store double %x, ptr %p\n  ret void\n}\n"
        )


def of_one(compiler: Compiler, kernel: Calls) -> float:
    """Return what the kernel computes from 1."""
    number = ctypes.c_double(1)
    ctypes.CFUNCTYPE(None, ctypes.c_void_p)(compiler.load([kernel])[kernel])(ctypes.addressof(number))
    return number.value


@pytest.mark.skipif(os.name == "nt", reason="the C library's functions are not found by name")
def test_objects_that_are_linked_one_after_the_other_keep_their_constants(isa: Isa, folder: Path) -> None:
    """Each object has its own linker: a second object in a finalised linker read wrong constants, or crashed."""
    kernels = [Calls(function, number + 1.0) for number, function in enumerate(["exp", "log", "sin", "tanh"] * 3)]
    expected = [getattr(math, kernel.function)(1.0) + kernel.constant for kernel in kernels]

    compiler = Compiler(isa)
    fresh = [of_one(compiler, kernel) for kernel in kernels]
    later = Compiler(isa)
    loaded = [of_one(later, kernel) for kernel in kernels]

    assert fresh == loaded == pytest.approx(expected)
    assert (compiler.compiled, later.compiled) == (len(kernels), 0)
    assert {(load_cached(file.name) or b"")[:4] for file in folder.glob("*.o")} == {machine_code.OBJECT}


def test_code_of_an_unknown_kind_is_not_run(folder: Path) -> None:
    """The layout of the code is unknown."""
    machine_code.store_cached("name.o", b"????code")

    assert machine_code.cached_code("name") is None


def test_keys_tell_processors_and_sources_of_the_package_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """The code depends on more than the text of a kernel."""
    here = host_target()
    keys = [machine_code.code_key(target, "text") for target in (here, Target(here.cpu, "-avx2"), Target("generic", here.features))]
    monkeypatch.setattr(key, "_package_digest", lambda: "another version")
    keys.append(machine_code.code_key(here, "text"))

    assert len(set(keys)) == 4


def test_every_module_that_lays_code_out_is_part_of_the_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A change in any of these files changes every key, so no version number has to be maintained."""
    package = Path(machine_code.__file__).parent
    copies = tmp_path / "jit"
    for file in package.rglob("*.py"):
        copy = copies / file.relative_to(package)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(file.read_bytes())
    monkeypatch.setattr(key, "__file__", str(copies / "cache/key.py"))
    digests = {key._package_digest.__wrapped__()}

    for name in ("flat_binary.py", "executable_memory.py", "machine.py", "machine_code.py", "numba_pipeline.py", "cache/store.py"):
        with (copies / name).open("a") as file:
            file.write("\n")
        digests.add(key._package_digest.__wrapped__())

    assert len(digests) == 7
