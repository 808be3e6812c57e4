"""A process that compiles a kernel and later processes that load it compute the same bits."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(bool(os.environ.get("NUMBA_DISABLE_JIT")), reason="nothing is compiled")

HELPER = """
import numpy as np
from yolodsc.jit import njit

@njit(cache=True, error_model="numpy", fastmath={"contract", "nsz", "reassoc"})
def total(x, y, activation):
    slope, limit = activation
    result = np.float32(0)
    for i in range(len(x)):
        value = x[i] if y[i] > 0 else x[i] * slope
        value = np.float32(0) if y[i] >= limit else value
        x[i] = value
        result += value
    return result
"""
KERNEL = """
import numpy as np
from helper import total
from yolodsc.jit import njit

@njit(cache=True, error_model="numpy", fastmath={"contract", "nsz", "reassoc"})
def totals(x, y, out):
    for i in range(len(x)):
        out[i] = total(x[i].reshape(-1), y[i].reshape(-1), (np.float32(0.1), np.float32(9)))
"""
PROGRAM = """
import sys
import numpy as np
sys.path.insert(0, sys.argv[1])
import helper, kernel
x, y = np.random.default_rng(3).standard_normal((2, 9, 5, 1003)).astype(np.float32)
if "helper" in sys.argv:
    helper.total(x[0].reshape(-1).copy(), y[0].reshape(-1), (np.float32(0.1), np.float32(9)))
out = np.zeros(9, np.float32)
kernel.totals(x, y, out)
print(sum(kernel.totals.stats.cache_hits.values()), out.tobytes().hex())
"""


def run(folder: Path, *arguments: str, cache: Path | None = None) -> tuple[int, str]:
    """Return whether the kernel came from the cache, and its sums as hexadecimal digits."""
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": str(root), "YOLODSC_CACHE": str(cache or folder / "cache")}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(folder), *arguments], env=environment, capture_output=True, text=True, check=True
    )
    loaded, sums = done.stdout.split()
    return int(loaded), sums


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Write a kernel and a helper that the compiler does not inline, in separate files."""
    (tmp_path / "helper.py").write_text(HELPER)
    (tmp_path / "kernel.py").write_text(KERNEL)
    return tmp_path


@pytest.mark.slow
def test_the_first_process_gives_the_bits_of_later_ones(folder: Path) -> None:
    """The first process compiles kernel and helper, the second loads the kernel alone, the third loads the helper first."""
    first, second, third = run(folder), run(folder), run(folder, "helper")

    assert [loaded for loaded, _ in (first, second, third)] == [0, 1, 1]
    assert first[1] == second[1] == third[1]


@pytest.mark.slow
def test_a_process_that_cannot_keep_its_kernels_gives_the_same_bits(folder: Path) -> None:
    """It compiles them in every process."""
    (folder / "file").touch()

    assert [run(folder, cache=folder / "file") for _ in range(2)] == [(0, run(folder)[1])] * 2
