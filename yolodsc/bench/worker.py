"""The process that runs one engine: ``python -m yolodsc.bench.worker JOB``, commands on stdin, answers on stdout, all JSON lines.

An engine's threads may spin after a run (ONNX Runtime's for 100 ms) and would take processors from the next engine. The worker
therefore answers only when its process is idle.
"""

import json
import os
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter, process_time, sleep
from typing import Any

import numpy as np

from yolodsc.arrays import Array
from yolodsc.bench.job import Job
from yolodsc.bench.peers import find_engine
from yolodsc.bench.peers.engine import Engine

WARM_UP = 3
"""Number of runs before the first measurement."""


def main(job: Job) -> None:
    """Load the engine, report, and serve commands until stdin ends."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # output of libraries must not mix with answers

    def answer(fields: dict[str, Any]) -> None:
        answers.write(json.dumps(fields, allow_nan=False) + "\n")
        answers.flush()

    try:
        engine, image = find_engine(job.engine), job.input()
        sessions = engine.open_streams(job) if job.streams > 1 else [engine.open(job)]
        for session in sessions:
            for _ in range(WARM_UP):
                outputs = session(image)
    except ModuleNotFoundError as error:
        answer({"error": f"{error.name} is not installed"})
        return
    except Exception as error:  # a peer that raises anything does not take part
        answer({"error": f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"})
        return
    np.savez(job.beside(".npz"), *outputs)
    wait_until_idle()
    answer({"peak_rss_mb": peak_memory_mb(), "precision": sessions[0].precision})
    for line in sys.stdin:
        command = json.loads(line)
        if "runs" in command:
            answer({"milliseconds": measure_times(sessions[0], image, runs=command["runs"])})
        elif "images" in command:
            answer({"images": save_outputs(sessions[0], np.load(command["images"]), job.beside("-images.npz"))})
        else:
            answer({"images_per_second": measure_rate(sessions, image, seconds=command["seconds"])})


def save_outputs(session: Engine, images: Array, path: Path) -> int:
    """Write the feature maps (N, …) on images (N, C, H, W); returns N."""
    found = [[np.array(output) for output in session(np.ascontiguousarray(image))] for image in images]
    np.savez(path, *(np.stack(outputs) for outputs in zip(*found, strict=True)))
    return len(images)


def measure_times(session: Engine, image: Array, *, runs: int) -> list[float]:
    """Milliseconds of each run, after one run that wakes threads and fills caches."""
    session(image)
    times = []
    for _ in range(runs):
        start = perf_counter()
        session(image)
        times.append(1000 * (perf_counter() - start))
    wait_until_idle()
    return times


def measure_rate(sessions: Sequence[Engine], image: Array, *, seconds: float) -> float:
    """Images per second of all sessions together, each in a separate thread."""
    counts = [0] * len(sessions)
    gate = threading.Barrier(len(sessions) + 1)

    def work(number: int) -> None:
        gate.wait()
        end = perf_counter() + seconds
        while perf_counter() < end:
            sessions[number](image)
            counts[number] += 1

    threads = [threading.Thread(target=work, args=(number,)) for number in range(len(sessions))]
    for thread in threads:
        thread.start()
    gate.wait()
    start = perf_counter()
    for thread in threads:
        thread.join()
    rate = sum(counts) / (perf_counter() - start)
    wait_until_idle()
    return rate


def wait_until_idle(*, limit: float = 1.0) -> None:
    """Wait until no thread of this process has run for 15 ms, or for ``limit`` seconds."""
    end, quiet = perf_counter() + limit, 0
    used = process_time()
    while quiet < 3 and perf_counter() < end:
        sleep(0.005)
        now = process_time()
        quiet = quiet + 1 if now - used < 0.001 else 0
        used = now


def peak_memory_mb() -> float:
    """Peak memory of this process, in MiB."""
    status = Path("/proc/self/status")
    if status.exists():  # getrusage would count the parent's memory at the fork
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    import resource

    unit = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


if __name__ == "__main__":
    main(Job.from_json(sys.argv[1]))
