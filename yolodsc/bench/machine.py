"""Description of the machine that a benchmark ran on."""

import os
import platform
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import yolodsc
from yolodsc.bench.peak import peak_gflops
from yolodsc.engine import select_backend


@dataclass(frozen=True, slots=True)
class Machine:
    """Processor, system, and peak rate of multiply-adds.

    Attributes
    ----------
    cores
        Number that this process may use.
    isa
        Instruction set of our kernels, ``none`` for FastDSC.
    peak_gflops
        By number of threads; None if it cannot be measured.
    load
        Mean number of runnable processes in the minute before the benchmark; values well above 0 make times less reliable.
    """

    cpu: str
    cores: int
    isa: str
    peak_gflops: dict[int, float | None]
    load: float

    def to_json(self, versions: Mapping[str, str | None]) -> dict[str, Any]:
        """The ``machine`` of the report, versions of all engines included."""
        return {
            "cpu": self.cpu,
            "cores": self.cores,
            "isa": self.isa,
            "peak_gflops": {str(threads): peak for threads, peak in self.peak_gflops.items()},
            "load": round(self.load, 2),
            "system": platform.platform(terse=True),
            "python": platform.python_version(),
            "versions": {"numpy": np.__version__, "yolodsc": yolodsc.__version__, **versions},
        }


def describe_machine(threads: Iterable[int]) -> Machine:
    """Describe this machine; measure its peak rate for each number of threads."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    isa = select_backend().isa
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    peaks = {count: peak_gflops(count, isa) if isa else None for count in threads}
    return Machine(_cpu(), cores, isa.name if isa else "none", peaks, load)


def _cpu() -> str:
    information = Path("/proc/cpuinfo")
    if information.exists():
        for line in information.read_text(errors="replace").splitlines():
            if line.lower().startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
