"""Throughput: as many images as possible, several at a time, one thread for each."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from statistics import median

import numpy as np

from yolodsc.bench.subject import Subject
from yolodsc.bench.timing import OUR_ENGINE, MissingEngine, in_turn, started

SECONDS = 0.5
"""Of each turn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Throughput:
    """Images a second of one engine; ``ratio`` is ours divided by its."""

    model: str
    engine: str
    streams: int
    pictures_per_second: float
    ratio: float


def measure_throughput(
    subject: Subject, engines: Sequence[str], *, streams: int, rounds: int, seed: int
) -> tuple[list[Throughput], list[MissingEngine]]:
    """Median rates in turns, ours first, and who was absent."""
    with ExitStack() as stack:
        workers, absent = started(subject, [OUR_ENGINE, *engines], stack, threads=1, streams=streams)
        rng = np.random.default_rng(seed)
        rates: dict[str, list[float]] = {name: [] for name in workers}
        for _ in range(rounds):
            for name in in_turn(workers, rng):
                rates[name].append(workers[name].pictures_per_second(SECONDS))
    ours = median(rates[OUR_ENGINE])
    flows = [
        Throughput(model=subject.name, engine=name, streams=streams, pictures_per_second=median(own), ratio=ours / median(own))
        for name, own in rates.items()
    ]
    return flows, absent
