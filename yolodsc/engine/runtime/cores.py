"""Limits threads to the cores of this process; with more threads than cores, threads wait for each other."""

import os


def available_cores() -> int:
    """Cores that this process may use: its affinity mask if the system has one, else all."""
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1


def capped_at_cores(threads: int, streams: int = 1) -> tuple[int, int]:
    """Threads per call and concurrent calls, so that all threads of all streams together have a core each."""
    cores = available_cores()
    threads = max(1, min(threads, cores))
    return threads, max(1, min(streams, cores // threads))
