"""Times of several engines taken in turn, so that whatever else the machine does falls on all of them.

A round lets every engine run a block of images, in an order drawn anew; a block begins with one run that is not counted. Medians
are over all runs of all rounds.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from statistics import median
from typing import Any

import numpy as np

from yolodsc.arrays import Array
from yolodsc.bench.peers import READ_ONNX
from yolodsc.bench.process import AbsentError, Worker
from yolodsc.bench.subject import Subject

OUR_ENGINE = "yolodsc"
BLOCK_MS = 80.0
"""About how long a block is; at least two and at most 30 runs."""

LEAST_ROUNDS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One engine on one network.

    Attributes
    ----------
    ratio
        Its median divided by ours.
    fraction_of_peak
        Of the machine's multiply-adds with as many threads, counting those of direct convolution; None where the peak is not known.
    max_relative_difference
        Greatest difference from our maps, each divided by the map's greatest magnitude.
    """

    model: str
    engine: str
    threads: int
    median_ms: float
    min_ms: float
    ratio: float
    fraction_of_peak: float | None
    max_relative_difference: float

    def to_json(self) -> dict[str, Any]:
        """What a report says of it: the fraction of peak follows from the machine's, and JSON has no infinite number."""
        fields = {name: value for name, value in asdict(self).items() if name != "fraction_of_peak"}
        return {name: None if value == float("inf") else value for name, value in fields.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class MissingEngine:
    """An engine that was asked for and took no part."""

    model: str
    engine: str
    reason: str


def compare(
    subject: Subject, engines: Sequence[str], *, threads: int, rounds: int, seed: int, peak_gflops: float | None
) -> tuple[list[Result], list[MissingEngine]]:
    """Time our engine and others on one network: results (ours first), and who was absent."""
    with ExitStack() as stack:
        workers, absent = started(subject, [OUR_ENGINE, *engines], stack, threads=threads)
        times = interleaved(workers, rounds=rounds, seed=seed)
        ours = workers[OUR_ENGINE].outputs()
        results = []
        for name, blocks in times.items():
            typical = _median(blocks)
            rate = 2e-6 * subject.multiply_adds / typical  # GFLOP/s
            result = Result(
                model=subject.name,
                engine=name,
                threads=threads,
                median_ms=typical,
                min_ms=min(min(block) for block in blocks),
                ratio=typical / _median(times[OUR_ENGINE]),
                fraction_of_peak=rate / peak_gflops if peak_gflops else None,
                max_relative_difference=difference(workers[name].outputs(), ours),
            )
            results.append(result)
        return results, absent


def started(
    subject: Subject, engines: Iterable[str], stack: ExitStack, *, threads: int, streams: int = 1
) -> tuple[dict[str, Worker], list[MissingEngine]]:
    """A worker for each engine that can be had; ours must. They are closed with ``stack``."""
    workers: dict[str, Worker] = {}
    absent: list[MissingEngine] = []
    for name in engines:
        try:
            if subject.onnx_error and name in READ_ONNX:
                raise AbsentError(subject.onnx_error)
            workers[name] = stack.enter_context(Worker(replace(subject.job, engine=name, threads=threads, streams=streams)))
        except AbsentError as error:
            if name == OUR_ENGINE:
                raise
            absent.append(MissingEngine(model=subject.name, engine=name, reason=str(error)))
    return workers, absent


def interleaved(workers: Mapping[str, Worker], *, rounds: int, seed: int) -> dict[str, list[list[float]]]:
    """Milliseconds by engine, round and run."""
    rng = np.random.default_rng(seed)
    runs = {name: int(np.clip(BLOCK_MS / min(worker.milliseconds(2)), 2, 30)) for name, worker in workers.items()}
    times: dict[str, list[list[float]]] = {name: [] for name in workers}
    for _ in range(rounds):
        for name in in_turn(workers, rng):
            times[name].append(workers[name].milliseconds(runs[name]))
    return times


def rounds_within(seconds: float, *, turn: float = BLOCK_MS / 1000) -> int:
    """How many turns of one engine take about that long."""
    return max(LEAST_ROUNDS, round(seconds / turn))


def in_turn(workers: Mapping[str, Worker], rng: np.random.Generator) -> list[str]:
    """Names in an order drawn anew."""
    names = list(workers)
    return [names[i] for i in rng.permutation(len(names))]


def difference(maps: Sequence[Array], ours: Sequence[Array]) -> float:
    """Greatest |difference| relative to the greatest magnitude of each map of ours; infinite where shapes or NaN differ."""
    if [m.size for m in maps] != [o.size for o in ours]:
        return float("inf")
    worst = max(np.abs(m - o).max() / max(np.abs(o).max(), np.float32(1e-30)) for m, o in zip(maps, ours, strict=True))
    return float(worst) if np.isfinite(worst) else float("inf")


def _median(blocks: Sequence[Sequence[float]]) -> float:
    return float(median(time for block in blocks for time in block))
