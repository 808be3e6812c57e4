"""The handle on a worker process."""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from yolodsc.arrays import Array
from yolodsc.bench.job import Job
from yolodsc.errors import YolodscError


class EngineUnavailableError(YolodscError):
    """An engine cannot take part: it is not installed, or cannot run the network. The text gives the reason."""


class Worker:
    """One engine with one network in a separate process, which is idle between calls.

    Raises
    ------
    EngineUnavailableError
        The engine cannot run the network; the process has ended.
    """

    def __init__(self, job: Job) -> None:
        threads = str(job.threads)
        pools = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), threads)
        self.job = job
        with job.beside(".log").open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "yolodsc.bench.worker", job.to_json()],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env={**os.environ, **pools},
            )
        try:
            ready = self._answer()
        except BaseException:
            self.close()
            raise
        self.peak_rss_mb = float(ready["peak_rss_mb"])
        self.precision = str(ready["precision"])

    def milliseconds(self, runs: int) -> list[float]:
        """Times of ``runs`` consecutive runs."""
        return list(self._ask({"runs": runs})["milliseconds"])

    def images_per_second(self, seconds: float) -> float:
        """Throughput of all streams."""
        return float(self._ask({"seconds": seconds})["images_per_second"])

    def outputs(self) -> list[Array]:
        """Flattened feature maps, in the order of the job's outputs."""
        with np.load(self.job.beside(".npz")) as file:
            return [file[name].ravel() for name in file.files]

    def outputs_on(self, path: Path) -> list[Array]:
        """Feature maps (N, …) on images (N, C, H, W) in a ``.npy`` file, in the order of the job's outputs."""
        self._ask({"images": str(path)})
        with np.load(self.job.beside("-images.npz")) as file:
            return [file[name] for name in file.files]

    def close(self) -> None:
        """End the process."""
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()
        try:
            self.process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _ask(self, command: dict[str, Any]) -> dict[str, Any]:
        pipe = self.process.stdin
        if pipe is not None:
            pipe.write(json.dumps(command, allow_nan=False) + "\n")
            pipe.flush()
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        line = self.process.stdout.readline() if self.process.stdout else ""
        if not line:
            log = self.job.beside(".log").read_text(errors="replace").strip().splitlines()
            raise EngineUnavailableError(f"its process ended: {log[-1] if log else 'without a message'}")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise EngineUnavailableError(answer["error"])
        return answer
