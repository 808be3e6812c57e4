"""Numba functions cached as machine code, in separate processes: warm starts, forks, checked indices."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from yolodsc.jit.host import host_description

WARM = """
import sys
import numpy as np
from tests.test_jpeg import FILES
from yolodsc.arrays import Shape
from yolodsc.darknet import ALEXEYAB
from yolodsc.images import READING_KERNELS, fit
from yolodsc.images.jpeg import decode_jpeg
for kernel in READING_KERNELS:
    kernel.load()
for name in ("sequential-420", "progressive-420"):
    fit(decode_jpeg(FILES[name]), Shape(3, 20, 30), profile=ALEXEYAB, geometry="letterbox")
print(*sorted({"numba", "llvmlite.binding"} & set(sys.modules)))
"""


@pytest.mark.slow
def test_a_warm_process_reads_and_resizes_without_numba(tmp_path: Path) -> None:
    """All kernels come from the cache; on x86-64 Linux no linker is loaded."""
    if shutil.which("true") is None or not host_description().triple.startswith("x86_64"):
        pytest.skip("flat code is made for x86-64 on Linux only")
    root = Path(__file__).parents[2]
    environment = {**os.environ, "YOLODSC_CACHE": str(tmp_path), "PYTHONPATH": str(root)}
    environment.pop("NUMBA_BOUNDSCHECK", None)

    found = [
        subprocess.run([sys.executable, "-c", WARM], cwd=root, env=environment, capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    ]

    assert found == ["llvmlite.binding numba\n", "\n"]


FORK = """
import os, signal, threading, time
from yolodsc.jit.kernel import Kernel
entered = threading.Event()
def slow(self):
    entered.set()
    time.sleep(0.5)
    return lambda: 7
Kernel._by_address = slow
threading.Thread(target=Kernel("a:b", "").load).start()
entered.wait()
child = os.fork()
if child == 0:
    signal.alarm(20)
    os._exit(Kernel("c:d", "").load()())
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_child_that_was_forked_while_a_kernel_was_loaded_loads_its_own() -> None:
    """The lock that another thread held is free in the child."""
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": str(root), "PYTHONWARNINGS": "ignore", "NUMBA_BOUNDSCHECK": "0"}

    done = subprocess.run([sys.executable, "-c", FORK], env=environment, capture_output=True, text=True, check=True, timeout=60)

    assert done.stdout == "7\n"


CHECKED = """
import random
import numba
from tests.test_jpeg import FILES
from tests.test_preprocess import SIZES, pixels
from yolodsc.arrays import Shape
from yolodsc.darknet import ALEXEYAB
from yolodsc.images import fit, jpeg, preprocess

preprocess._PATIENCE = 0
assert numba.config.BOUNDSCHECK == 1
random.seed(1)
for name, content in FILES.items():
    assert jpeg.decode_jpeg(content) is not None
    for _ in range(40):
        changed = bytearray(content)
        for _ in range(random.randint(1, 5)):
            changed[random.randrange(len(changed) // 4 if random.random() < 0.4 else len(changed))] = random.randrange(256)
        frame = jpeg.parse(bytes(changed))
        if frame is None or frame.blocks * len(frame.scans) < 100_000:
            jpeg.decode_jpeg(bytes(changed), channels=random.choice([1, 3]))
for height, width, rows, columns in SIZES:
    for channels in (1, 3):
        fit(pixels(height, width, channels), Shape(channels, rows, columns), profile=ALEXEYAB, geometry="letterbox")
print("within bounds")
"""


@pytest.mark.slow
def test_no_index_leaves_its_array(tmp_path: Path) -> None:
    """Intact and damaged JPEGs of many sizes are decoded with bounds checks, which raise an IndexError."""
    root = Path(__file__).parents[2]
    settings = {"NUMBA_BOUNDSCHECK": "1", "NUMBA_CACHE_DIR": str(tmp_path), "PYTHONPATH": str(root)}

    done = subprocess.run(
        [sys.executable, "-c", CHECKED],
        cwd=root,
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )

    assert done.stdout.strip() == "within bounds", done.stderr
