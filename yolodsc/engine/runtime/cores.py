"""Limits threads to the cores of this process; with more threads than cores, threads wait for each other."""

import os
from functools import cache
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")
"""Where Linux mounts control groups; containers see their own group there."""


def available_cores() -> int:
    """Cores that this process may use: those of its affinity mask, or all, and at most the quota of its control group."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(cores, quota() or cores))


def default_counts(threads: int | None, streams: int | None) -> tuple[int, int]:
    """Threads for each of many images, and concurrent images. None selects as many streams as fill the cores, then threads."""
    cores = available_cores()
    if threads is None:
        threads = 1 if streams is None else cores // streams
    return capped_at_cores(threads, cores if streams is None else streams)


def one_image_counts(threads: int | None, streams: int | None) -> tuple[int, int]:
    """The same for single images: None for both selects all cores for one image."""
    return default_counts(threads, 1 if threads is None and streams is None else streams)


def capped_at_cores(threads: int, streams: int = 1) -> tuple[int, int]:
    """Threads per call and concurrent calls, so that all threads of all streams together have a core each."""
    cores = available_cores()
    threads = max(1, min(threads, cores))
    return threads, max(1, min(streams, cores // threads))


@cache
def quota() -> int:
    """Cores that the quotas of the control groups of this process pay for, rounded up; 0 without a quota."""
    return min(filter(None, map(_of_group, [CGROUP, *_own_groups()])), default=0)


def _own_groups() -> list[Path]:
    """Directories of this process's group and those that contain it, where the mount shows them."""
    try:
        lines = Path("/proc/self/cgroup").read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return []
    found: list[Path] = []
    for line in lines:
        _, controllers, path = (*line.split(":", 2), "", "")[:3]
        if controllers and "cpu" not in controllers.split(","):
            continue
        mount = CGROUP / controllers if controllers else CGROUP
        own = mount / path.lstrip("/")
        found += [folder for folder in (own, *own.parents) if folder.is_relative_to(mount)]
    return found


def _of_group(group: Path) -> int:
    """The quota of one group in cores, rounded up; 0 if it has none. The second form is that of control groups of version 1."""
    try:
        if (file := group / "cpu.max").is_file():
            quota, period = file.read_text(encoding="ascii").split()
        else:
            quota, period = ((group / f"cpu.cfs_{name}_us").read_text(encoding="ascii").strip() for name in ("quota", "period"))
        return -(-int(quota) // int(period)) if int(quota) > 0 and int(period) > 0 else 0
    except (OSError, ValueError):  # no such file, or no number: "max"
        return 0
