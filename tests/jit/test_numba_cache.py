"""The cache of Numba's compiled code has the same checks as that of the engine's kernels."""

import os
import pickle
import subprocess
import sys
from collections import namedtuple
from pathlib import Path
from types import SimpleNamespace

import numba
import pytest

from yolodsc.jit.cache.store import load_cached, store_cached
from yolodsc.jit.numba_cache import OverloadCache

pytestmark = pytest.mark.skipif(bool(os.environ.get("NUMBA_DISABLE_JIT")), reason="nothing is compiled")

KERNEL = """
from {other} import FACTOR, plus
from yolodsc.jit.numba_cache import njit

@njit(cache=True)
def times(x):
    return plus(x * FACTOR)

@njit(cache=True)
def factorial(n):
    return n * factorial(n - 1) if n > 1 else 1
"""
OTHER = """
from yolodsc.jit.numba_cache import njit
FACTOR = {factor}

@njit(cache=True)
def plus(x):
    return x + {plus}
"""
PROGRAM = """
import sys
from collections import namedtuple
sys.path.insert(0, sys.argv[1])
import kernel
results = kernel.times(10), kernel.factorial(5)
print(*results, sum(sum(f.stats.cache_hits.values()) for f in (kernel.times, kernel.factorial)))
"""


class Marks:
    """An object whose pickle creates a directory when it is loaded."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.marker),)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the cache of the test; Numba's own cache, which must stay empty, is beside it."""
    monkeypatch.setenv("YOLODSC_CACHE", str(tmp_path / "kernels"))
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "numba"))
    write(tmp_path)
    return tmp_path / "kernels"


def write(path: Path, *, factor: int = 3, plus: int = 1) -> None:
    """Write two modules; one uses a constant and a kernel of the other."""
    (path / "kernel.py").write_text(KERNEL.format(other="other"))
    (path / "other.py").write_text(OTHER.format(factor=factor, plus=plus))


def start(path: Path, **environment: str) -> subprocess.Popen[str]:
    """Run the program in a separate process."""
    root = Path(__file__).parents[2]
    own = {**os.environ, "PYTHONPATH": str(root), "PYTHONDONTWRITEBYTECODE": "1", **environment}
    return subprocess.Popen([sys.executable, "-c", PROGRAM, str(path)], env=own, stdout=subprocess.PIPE, text=True)


def run(path: Path, **environment: str) -> list[int]:
    """Return both results, and how many kernels came from the cache."""
    out, _ = start(path, **environment).communicate(timeout=120)
    return [int(word) for word in out.split()]


@pytest.mark.slow
def test_the_next_process_finds_what_was_compiled(folder: Path, tmp_path: Path) -> None:
    """The code is in our directory; Numba's own cache stays empty."""
    assert run(tmp_path) == [31, 120, 0]
    assert run(tmp_path) == [31, 120, 2]

    assert {file.suffix for file in folder.iterdir()} == {".nb"}
    assert not (tmp_path / "numba").exists()


@pytest.mark.slow
def test_a_change_in_another_file_is_seen(folder: Path, tmp_path: Path) -> None:
    """A constant or a called kernel may change in another file; Numba's own cache checks one file only."""
    run(tmp_path)

    write(tmp_path, factor=4)
    assert run(tmp_path) == [41, 120, 1]
    write(tmp_path, plus=2)
    assert run(tmp_path) == [32, 120, 1]


@pytest.mark.slow
def test_a_constant_that_is_looked_up_in_a_module_is_seen(folder: Path, tmp_path: Path) -> None:
    """The code contains only the name of the module, so the key covers its file."""
    text = "import other\n" + KERNEL.format(other="other").replace("x * FACTOR", "x * other.FACTOR")
    (tmp_path / "kernel.py").write_text(text)
    run(tmp_path)

    write(tmp_path, factor=4)
    (tmp_path / "kernel.py").write_text(text)
    assert run(tmp_path) == [41, 120, 1]


def test_options_are_part_of_the_key() -> None:
    """Options may be set outside the file of the function."""

    def function() -> None: ...

    caches = [OverloadCache(function, options) for options in ({}, {"fastmath": {"nsz"}}, {"fastmath": {"contract"}})]
    codegen = SimpleNamespace(magic_tuple=lambda: ())

    assert len({cache._name("()", codegen) for cache in caches}) == 3


def test_field_names_of_named_tuples_are_part_of_the_key() -> None:
    """Two named tuples that differ only in the order of their fields have the same element types."""

    def function() -> None: ...

    first, second = (namedtuple("Pair", names)(1, 2) for names in (["a", "b"], ["b", "a"]))
    codegen = SimpleNamespace(magic_tuple=lambda: ())
    names = {OverloadCache(function, {})._name((numba.typeof(pair),), codegen) for pair in (first, second, (first,), (second,))}

    assert len(names) == 4


@pytest.mark.slow
def test_checked_indices_are_kept_apart(folder: Path, tmp_path: Path) -> None:
    """NUMBA_BOUNDSCHECK=1 gives other code."""
    run(tmp_path)

    assert run(tmp_path, NUMBA_BOUNDSCHECK="1") == [31, 120, 0]


@pytest.mark.slow
def test_a_planted_pickle_is_not_opened(folder: Path, tmp_path: Path) -> None:
    """The directory is writable for others; a pickle in the user's own directory would be loaded."""
    run(tmp_path)
    marker = tmp_path / "marker"
    for file in folder.iterdir():
        store_cached(file.name, pickle.dumps(Marks(marker)))
    folder.chmod(0o777)

    assert run(tmp_path) == [31, 120, 0]

    assert not marker.exists()
    folder.chmod(0o700)
    run(tmp_path)
    assert marker.exists()


@pytest.mark.slow
def test_processes_on_one_cache_do_not_disturb_each_other(folder: Path, tmp_path: Path) -> None:
    """Two processes start with an empty cache: results are equal, files are complete, and nothing else remains."""
    processes = [start(tmp_path) for _ in range(2)]

    found = [process.communicate(timeout=120)[0].split()[:2] for process in processes]

    assert found == [["31", "120"]] * 2
    assert not list(folder.glob(".*"))
    assert all(load_cached(file.name) for file in folder.iterdir())


def test_without_compilation_a_kernel_is_a_function(folder: Path, tmp_path: Path) -> None:
    """NUMBA_DISABLE_JIT=1 gives the Python function."""
    program = "import sys; sys.path.insert(0, sys.argv[1]); import kernel; print(kernel.times(10), type(kernel.times).__name__)"
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "NUMBA_DISABLE_JIT": "1"}

    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], env=environment, capture_output=True, text=True, check=True
    )

    assert done.stdout.split() == ["31", "function"]
    assert not folder.exists()
