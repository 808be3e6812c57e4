"""How many threads are worth having: those that this process has cores for. With more, threads wait for each other's core."""

import os


def available_cores() -> int:
    """Cores that this process may use: its affinity, which `taskset` and containers set, where the system has one."""
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1


def capped_at_cores(threads: int, streams: int = 1) -> tuple[int, int]:
    """Threads of a call and calls at the same time, cut to the cores: all threads of all streams together."""
    cores = available_cores()
    threads = max(1, min(threads, cores))
    return threads, max(1, min(streams, cores // threads))
