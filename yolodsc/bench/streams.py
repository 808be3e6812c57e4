"""Throughput: several images at the same time, one thread for each."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np

from yolodsc.bench.subject import Subject
from yolodsc.bench.timing import OUR_ENGINE, MissingEngine, ProgressCallback, random_order, silent, start_workers

SECONDS = 0.5
"""Duration of each measurement."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Throughput:
    """Throughput of one engine; ``ratio`` is ours divided by the engine's."""

    model: str
    engine: str
    streams: int
    precision: str
    images_per_second: float
    ratio: float

    def to_json(self) -> dict[str, Any]:
        """The entry of a report."""
        return {
            "model": self.model,
            "engine": self.engine,
            "streams": self.streams,
            "precision": self.precision,
            "pictures_per_second": self.images_per_second,
            "ratio": self.ratio,
        }


def measure_throughput(
    subject: Subject, engines: Sequence[str], *, streams: int, rounds: int, seed: int, progress: ProgressCallback = silent
) -> tuple[list[Throughput], list[MissingEngine]]:
    """Median throughput of each engine, ours first, and the engines that are missing."""
    with ExitStack() as stack:
        workers, missing = start_workers(subject, [OUR_ENGINE, *engines], stack, threads=1, streams=streams)
        rng = np.random.default_rng(seed)
        rates: dict[str, list[float]] = {name: [] for name in workers}
        for done in range(rounds):
            progress(subject.name, done / rounds)
            for name in random_order(workers, rng):
                rates[name].append(workers[name].images_per_second(SECONDS))
    ours = median(rates[OUR_ENGINE])
    results = [
        Throughput(
            model=subject.name,
            engine=name,
            streams=streams,
            precision=workers[name].precision,
            images_per_second=median(measured),
            ratio=ours / median(measured),
        )
        for name, measured in rates.items()
    ]
    return results, missing
