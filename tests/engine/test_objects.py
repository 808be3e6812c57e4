"""The cache of compiled kernels: what is stored, what is never trusted, and what happens if nothing can be stored."""

import errno
import hashlib
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from tests.engine.test_random_networks import BLOCKS
from tests.networks import image, network
from yolodsc import engine
from yolodsc.arrays import Array
from yolodsc.engine.runtime import compiled as compiling
from yolodsc.engine.selection import select_backend
from yolodsc.jit import cache, machine_code
from yolodsc.jit.cache import trust
from yolodsc.jit.cache.store import load_cached
from yolodsc.jit.compiler import Compiler
from yolodsc.jit.flat_binary import flattened
from yolodsc.jit.host import host_description
from yolodsc.jit.isa import Isa
from yolodsc.network.network import Network


@dataclass(frozen=True, slots=True)
class Stores:
    """A kernel ``void (ptr)`` that stores a number; another version of a generator would store another one."""

    number: int

    def emit(self, name: str) -> str:
        """LLVM IR."""
        return f"define void @{name}(ptr %p) {{\n  store i64 {self.number}, ptr %p\n  ret void\n}}\n"


@pytest.fixture
def isa() -> Isa:
    """Return the instruction set of the kernels."""
    chosen = select_backend(None).isa
    if chosen is None:
        pytest.skip("no kernels can be made here")
    return chosen


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the cache of the test."""
    monkeypatch.setenv("YOLODSC_CACHE", str(tmp_path / "kernels"))
    return tmp_path / "kernels"


def result(compiler: Compiler, kernel: Stores) -> int:
    """Return what a kernel stores."""
    import ctypes

    place = ctypes.c_int64()
    ctypes.CFUNCTYPE(None, ctypes.c_void_p)(compiler.load([kernel])[kernel])(ctypes.addressof(place))
    return place.value


def test_a_kernel_is_compiled_once_and_then_found(isa: Isa, folder: Path) -> None:
    """A second compiler object stands for the next process."""
    first, second = Compiler(isa), Compiler(isa)

    assert result(first, Stores(7)) == result(second, Stores(7)) == 7

    assert (first.compiled, second.compiled) == (1, 0)
    assert [file.suffix for file in folder.iterdir()] == [".o"]


def test_another_text_is_another_file(isa: Isa, folder: Path) -> None:
    """A changed generator never loads old code."""
    result(Compiler(isa), Stores(1))

    compiler = Compiler(isa)

    assert result(compiler, Stores(2)) == 2
    assert compiler.compiled == 1
    assert len(list(folder.iterdir())) == 2


@pytest.mark.parametrize("damage", [b"", b"yolodsc1", b"other bytes entirely" * 20])
def test_a_damaged_file_is_compiled_again(isa: Isa, folder: Path, damage: bytes) -> None:
    """The file is replaced."""
    result(Compiler(isa), Stores(5))
    (file,) = folder.iterdir()
    whole = file.read_bytes()
    file.write_bytes(damage)

    compiler = Compiler(isa)

    assert result(compiler, Stores(5)) == 5
    assert compiler.compiled == 1
    assert file.read_bytes() == whole


def test_a_bit_that_fell_over_is_seen(isa: Isa, folder: Path) -> None:
    """Object code whose digest differs is not run."""
    result(Compiler(isa), Stores(5))
    (file,) = folder.iterdir()
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)

    compiler = Compiler(isa)

    assert result(compiler, Stores(5)) == 5
    assert compiler.compiled == 1


PROGRAM = """
import hashlib, sys
from tests.engine.test_objects import outputs, small
sys.stdin.readline()
print(hashlib.sha256(outputs(small()).tobytes()).hexdigest())
"""


def small() -> Network:
    """Return a network of many kernels and little work."""
    return network(BLOCKS, height=40, width=36)


def outputs(made: Network) -> Array:
    """Return the last layer's output on the engine."""
    with engine.compile(made, threads=2) as runner:
        return runner(image(made))[len(made.layers) - 1]


@pytest.mark.slow
@pytest.mark.usefixtures("isa")
def test_processes_that_compile_at_once_do_not_disturb_each_other(folder: Path) -> None:
    """Four processes start with an empty cache: results are equal, files are complete, nothing else remains."""
    wanted = hashlib.sha256(outputs(small()).tobytes()).hexdigest()
    command, root = [sys.executable, "-c", PROGRAM], Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": str(root)}

    processes = [
        subprocess.Popen(command, cwd=root, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    found = []
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    found = [process.communicate(timeout=120)[0].strip() for process in processes]

    assert found == [wanted] * 4
    assert not list(folder.glob(".*"))
    assert all(load_cached(file.name) for file in folder.iterdir())


def test_a_cache_that_cannot_be_written_costs_time_only(isa: Isa, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Existing kernels are used; others are compiled in every process."""
    result(Compiler(isa), Stores(1))

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(trust.os, "replace", refuse)
    compiler = Compiler(isa)

    assert (result(compiler, Stores(1)), result(compiler, Stores(2))) == (1, 2)
    assert compiler.compiled == 1
    assert len(list(folder.iterdir())) == 1


def test_a_full_disk_leaves_nothing_behind(isa: Isa, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a partial kernel nor a temporary file remains."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "replace", refuse)

    assert result(Compiler(isa), Stores(3)) == 3

    assert list(folder.iterdir()) == []


def test_a_cache_folder_that_is_a_file_costs_time_only(isa: Isa, folder: Path) -> None:
    """The file is not replaced."""
    folder.write_text("not a folder")

    compiler = Compiler(isa)

    assert result(compiler, Stores(4)) == 4
    assert folder.read_text() == "not a folder"


def test_progress_counts_to_the_end(isa: Isa, folder: Path) -> None:
    """The first call reports no kernels, the last one all."""
    calls: list[tuple[int, int]] = []

    Compiler(isa).load([Stores(1), Stores(2), Stores(1)], lambda done, total: calls.append((done, total)))

    assert calls == [(0, 2), (1, 2), (2, 2)]
    assert cache.cache_directory() == folder


def test_runs_from_an_empty_cache_and_from_a_full_one_are_bit_identical(
    isa: Isa, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Loaded object code equals compiled object code."""
    compilers = [Compiler(isa), Compiler(isa)]
    runs = []

    for compiler in compilers:
        monkeypatch.setattr(compiling, "compiler_for", lambda _, compiler=compiler: compiler)
        runs.append(outputs(small()))

    assert compilers[0].compiled == len(list(folder.glob("*.o"))) > 10
    assert compilers[1].compiled == 0
    np.testing.assert_array_equal(*runs)


@dataclass(frozen=True, slots=True)
class Multiplies:
    """A kernel ``void (ptr)`` that multiplies eight floats by different constants, which lie beside the code."""

    def emit(self, name: str) -> str:
        """LLVM IR."""
        numbers = ", ".join(f"float {number}.5" for number in range(8))
        return (
            f"define void @{name}(ptr %p) nounwind {{\n  %v = load <8 x float>, ptr %p, align 4\n"
            f"  %w = fmul <8 x float> %v, <{numbers}>\n  store <8 x float> %w, ptr %p, align 4\n  ret void\n}}\n"
        )


def product(compiler: Compiler) -> Array:
    """Return 1..8 times the constants."""
    import ctypes

    x = np.arange(1, 9, dtype=np.float32)
    ctypes.CFUNCTYPE(None, ctypes.c_void_p)(compiler.load([Multiplies()])[Multiplies()])(x.ctypes.data)
    return x


@pytest.mark.parametrize("flat", [True, False])
def test_constants_are_found_by_their_distance_or_by_llvms_linker(
    isa: Isa, folder: Path, flat: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Flat code and object files give the same results, compiled and loaded."""
    if not flat:
        monkeypatch.setattr(machine_code, "flattened", lambda _: None)
    wanted = np.arange(1, 9) * (np.arange(8) + 0.5)

    for _ in range(2):
        np.testing.assert_array_equal(product(Compiler(isa)), wanted.astype(np.float32))

    (file,) = folder.glob("*.o")
    assert (load_cached(file.name) or b"")[:4] == (machine_code.FLAT if flat else machine_code.OBJECT)


@pytest.mark.parametrize("image", [b"", b"MZ" + bytes(100), b"\x7fELF\x02\x01\x01" + bytes(100)])
def test_other_systems_objects_are_left_to_llvm(image: bytes) -> None:
    """Flattening supports one format."""
    assert flattened(image) is None


WARM = """
import sys
from tests.engine.test_objects import outputs, small
outputs(small())
print(sorted(name for name in sys.modules if name.startswith(("llvmlite.binding", "numba"))))
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere LLVM is asked for the processor and links the kernels")
@pytest.mark.usefixtures("isa", "folder")
def test_a_warm_start_loads_no_compiler() -> None:
    """LLVM and Numba take more memory than the network."""
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": str(root)}

    said = [
        subprocess.run([sys.executable, "-c", WARM], cwd=root, env=environment, capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    ]

    assert "llvmlite.binding" in said[0]
    assert said[1].strip() == "[]"


def test_a_host_that_was_kept_damaged_is_asked_for_again(folder: Path) -> None:
    """Invalid bytes are not a description of the host."""
    pytest.importorskip("llvmlite.binding")
    first = host_description.__wrapped__()
    for file in folder.glob("host-*"):
        file.write_bytes(file.read_bytes()[:-1])

    assert host_description.__wrapped__() == first == host_description.__wrapped__()
