"""Start-up times (import, first and later starts of ``yolodsc detect``) and memory of a warm process."""

import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter

import numpy as np

from yolodsc.bench.process import Worker
from yolodsc.bench.subject import Subject
from yolodsc.bench.timing import OUR_ENGINE, MissingEngine, ProgressCallback, silent, start_workers
from yolodsc.errors import OptionError
from yolodsc.images import write_image

WARM_STARTS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class StartTime:
    """Seconds of whole processes on one image: ``cold_s`` with empty caches, the others as medians with full caches."""

    model: str
    import_s: float
    cold_s: float
    warm_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """Peak memory of a process that has loaded the network and run it a few times."""

    model: str
    engine: str
    peak_rss_mb: float


def measure_start(subject: Subject, *, repeats: int = WARM_STARTS, progress: ProgressCallback = silent) -> StartTime:
    """Time consecutive processes, with empty caches in a temporary folder; ``progress`` is called before each kind of them."""
    with TemporaryDirectory() as folder:
        image = Path(folder) / "image.png"
        pixels = np.random.default_rng(0).integers(0, 256, (*subject.network.input_shape[1:], 3), np.uint8)
        write_image(image, pixels)
        caches = {"YOLODSC_CACHE": f"{folder}/kernels", "NUMBA_CACHE_DIR": f"{folder}/numba"}
        files = ["--cfg", subject.job.cfg, "--weights", subject.job.weights]
        detect = ["-m", "yolodsc", "detect", str(image), *files, "--thresh", "0.99"]
        progress(f"{subject.name}: first start", 0.0)
        cold = _seconds(detect, caches)
        progress(f"{subject.name}: later starts", 0.25)
        warm = median(_seconds(detect, caches) for _ in range(repeats))
        progress(f"{subject.name}: import", 0.75)
        bare = median(_seconds(["-c", "pass"], caches) for _ in range(repeats))
        imported = median(_seconds(["-c", "import yolodsc"], caches) for _ in range(repeats))
    return StartTime(model=subject.name, import_s=imported - bare, cold_s=cold, warm_s=warm)


def measure_memory(subject: Subject, engines: Sequence[str]) -> tuple[list[Memory], list[MissingEngine]]:
    """Peak memory of each engine's process on one thread; our kernels come from the cache, as in every start but the first."""
    Worker(replace(subject.job, engine=OUR_ENGINE)).close()
    with ExitStack() as stack:
        workers, missing = start_workers(subject, [OUR_ENGINE, *engines], stack, threads=1)
        peaks = [Memory(model=subject.name, engine=name, peak_rss_mb=worker.peak_rss_mb) for name, worker in workers.items()]
    return peaks, missing


def _seconds(arguments: list[str], environment: dict[str, str]) -> float:
    """Wall-clock time of one Python process."""
    begin = perf_counter()
    done = subprocess.run(
        [sys.executable, *arguments], env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )
    taken = perf_counter() - begin
    if done.returncode:
        raise OptionError(f"python {' '.join(arguments[:3])}: exit status {done.returncode}: {done.stderr.strip()[-200:]}")
    return taken
