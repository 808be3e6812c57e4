"""Cost of running on workers: images a second by number of workers, overhead of a chunk, bytes of an image, and a thousand stubs.

    python tools/bench/cluster.py speed --images LIST [--workers 1,2] [--repeat 3]
    python tools/bench/cluster.py overhead [--chunk 64] [--chunks 300]
    python tools/bench/cluster.py simulate [--workers 1000] [--chunk 64] [--ms 10] [--chunks 20000]

``speed`` interleaves one process with local workers and prints medians. ``overhead`` runs chunks that do nothing. ``simulate``
has a thread in one of a few processes for each worker; their tasks sleep as long as a chunk takes and return as many bytes.
"""

import argparse
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from distributed import Client, LocalCluster, get_worker

import yolodsc
from yolodsc.detection import Detector
from yolodsc.distributed import ClusterSettings, DistributedDetector, DistributedOptions, chunked, connected
from yolodsc.distributed.stream import ChunkStream
from yolodsc.distributed.wire import pack
from yolodsc.distributed.worker import ChunkOutcome

BYTES_OF_IMAGE = 200
"""Bytes of the results of an image, as ``speed`` measures them on VOC2007 with the default network."""

THREADS_OF_PROCESS = 250
"""Threads of one process of the simulation; each stands for a worker, because chunks that sleep need no core."""


def rate(detector: Detector, paths: Sequence[str]) -> float:
    """Images a second."""
    start = time.perf_counter()
    count = sum(result.error is None for result in detector.many(paths))
    return count / (time.perf_counter() - start)


def speed(images: Path, model: str, workers: Sequence[int], repeat: int, chunk: int | None) -> None:
    """Print images a second of one process and of workers, in turn."""
    paths = images.read_text().split()
    detector = yolodsc.load(model)
    with ExitStack() as stack:
        runs: dict[str, Detector] = {"one process": detector}
        for count in workers:
            client = stack.enter_context(connected(ClusterSettings(address=f"local:{count}")))
            runs[f"{count} workers"] = DistributedDetector(detector, client, DistributedOptions(chunk=chunk))
        rates: dict[str, list[float]] = {name: [] for name in runs}
        for run in runs.values():
            rate(run, paths[:200])
        for _ in range(repeat):
            for name, run in runs.items():
                rates[name].append(rate(run, paths))
    base = rates["one process"]
    for name, found in rates.items():
        share = median(b / a for a, b in zip(base, found, strict=True))
        extra = median(1000 / b - 1000 / a for a, b in zip(base, found, strict=True))
        print(f"{name}: {median(found):.1f} images/s, {100 * share:.1f} % of one process, {extra:+.3f} ms an image")
    packed = pack(list(detector.many(paths[:64])))
    print(f"bytes of an image: {packed.nbytes / len(packed):.0f}")


def overhead(chunk: int, chunks: int) -> None:
    """Print the time of a chunk beyond its images: tasks that do nothing and return the bytes of results."""
    with connected(ClusterSettings(address="local:1")) as client:
        for size in (1, chunk):
            seconds = stub_run(client, chunks=chunks, size=size, seconds=0.0)
            print(f"chunks of {size}: {1000 * seconds / chunks:.2f} ms a chunk, {1000 * seconds / chunks / size:.4f} ms an image")


def stub(chunk: Any, seconds: float) -> Any:
    """A chunk that sleeps, and returns what results weigh."""
    time.sleep(seconds)
    return ChunkOutcome(np.zeros(BYTES_OF_IMAGE * len(chunk.paths), np.uint8), get_worker().address, seconds)


def stub_run(client: Any, *, chunks: int, size: int, seconds: float) -> float:
    """Seconds that chunks of stubs take."""
    names = (f"/data/images/{n:09d}.jpg" for n in range(chunks * size))
    stamp = time.time()
    stream = ChunkStream(
        client,
        lambda chunk, attempt: client.submit(stub, chunk, seconds, key=(f"stub-{stamp}", chunk.number, attempt), pure=False),
        ordered=False,
        report=print,
    )
    start = time.perf_counter()
    count = sum(1 for _ in stream.run(chunked(names, size)))
    assert count == chunks
    return time.perf_counter() - start


def simulate(workers: int, size: int, milliseconds: float, chunks: int) -> None:
    """Print the utilization of many workers whose images take as long as given."""
    seconds = size * milliseconds / 1000
    processes = max(workers // THREADS_OF_PROCESS, 1)
    options = {"n_workers": processes, "threads_per_worker": workers // processes, "memory_limit": 0}
    with LocalCluster(dashboard_address="127.0.0.1:0", **options) as cluster, Client(cluster) as client:
        taken = stub_run(client, chunks=chunks, size=size, seconds=seconds)
    ideal = chunks * seconds / workers
    print(
        f"{workers} workers, chunks of {size} at {milliseconds:g} ms: {chunks * size / taken:.0f} images/s, "
        f"{chunks / taken:.0f} chunks/s, {100 * ideal / taken:.1f} % of the ideal"
    )


def numbers(text: str) -> Iterator[int]:
    """Numbers with commas between them."""
    return map(int, text.split(","))


def main() -> None:
    """Run one of the measurements."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("speed", "overhead", "simulate"))
    parser.add_argument("--images", type=Path)
    parser.add_argument("--model", default="dsc-nano-voc")
    parser.add_argument("--workers", default="2")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--chunk", type=int)
    parser.add_argument("--ms", type=float, default=10.0)
    parser.add_argument("--chunks", type=int, default=300)
    given = parser.parse_args()
    if given.what == "speed":
        speed(given.images, given.model, list(numbers(given.workers)), given.repeat, given.chunk)
    elif given.what == "overhead":
        overhead(given.chunk or 64, given.chunks)
    else:
        simulate(next(numbers(given.workers)), given.chunk or 64, given.ms, given.chunks)
    print(f"{os.cpu_count()} cores, yolodsc {yolodsc.__version__}")


if __name__ == "__main__":
    main()
