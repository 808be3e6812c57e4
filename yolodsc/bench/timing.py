"""Times several engines alternately, so that other load on the machine affects all of them.

In a round every engine runs a block of images, in random order; the first run of a block is not counted. Medians are over all runs
of all rounds.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from statistics import median
from typing import Any

import numpy as np

from yolodsc.arrays import Array
from yolodsc.bench.agreement import agreements
from yolodsc.bench.peers import OURS, READ_INT8, READ_ONNX
from yolodsc.bench.process import EngineUnavailableError, Worker
from yolodsc.bench.subject import Subject

ProgressCallback = Callable[[str, float], None]
"""Called with a description and the share that is done."""

OUR_ENGINE = "yolodsc"
BLOCK_MS = 80.0
"""Approximate duration of a block, which has at least 2 and at most 30 runs."""

MIN_ROUNDS = 3


def silent(what: str, share: float) -> None:
    """Report no progress."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One engine on one network.

    Attributes
    ----------
    precision
        Type of numbers that the engine computes with, such as ``f32`` or ``bf16``.
    ratio
        Its median divided by ours: in the same precision if it is measured, else in the first that is.
    fraction_of_peak
        Share of the machine's peak rate with as many threads, counting direct convolutions; None if the peak is unknown.
    max_relative_difference
        Largest difference from our feature maps, relative to the largest magnitude of each.
    agreement
        F1 of its detections against ours in the first precision, on given images; None without images or heads.
    """

    model: str
    engine: str
    threads: int
    precision: str
    median_ms: float
    min_ms: float
    ratio: float
    fraction_of_peak: float | None
    max_relative_difference: float
    agreement: float | None = None

    def to_json(self) -> dict[str, Any]:
        """The entry of a report, without the fraction of peak, which follows from the machine; infinity becomes null."""
        fields = {name: value for name, value in asdict(self).items() if name != "fraction_of_peak"}
        return {name: None if value == float("inf") else value for name, value in fields.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class MissingEngine:
    """An engine that was requested and could not take part."""

    model: str
    engine: str
    reason: str


def compare(
    subject: Subject,
    engines: Sequence[str],
    *,
    threads: int,
    rounds: int,
    seed: int,
    peak_gflops: float | None,
    precisions: Sequence[str] = ("f32",),
    images: Array | None = None,
    progress: ProgressCallback = silent,
) -> tuple[list[Result], list[MissingEngine]]:
    """Time our engine and others on one network: results (ours first), and the engines that are missing.

    Parameters
    ----------
    precisions
        Those of our engine; differences and agreement are relative to the first.
    images : (N, C, H, W)
        On which detections are compared.
    progress
        Called between the blocks with a description and the share that is done.
    """
    first = OURS[precisions[0]]
    with ExitStack() as stack:
        progress(f"{subject.name}: starting", 0.0)
        workers, missing = start_workers(subject, [*(OURS[p] for p in precisions), *engines], stack, threads=threads)
        times = interleaved(workers, rounds=rounds, seed=seed, progress=lambda share: progress(subject.name, share))
        ours = workers[first].outputs()
        f1 = agreements(subject, workers, first, images) if images is not None and subject.network.heads else {}
        results = []
        for name, blocks in times.items():
            typical = _median(blocks)
            rate = 2e-6 * subject.multiply_adds / typical  # GFLOP/s
            result = Result(
                model=subject.name,
                engine=name,
                threads=threads,
                precision=workers[name].precision,
                median_ms=typical,
                min_ms=min(min(block) for block in blocks),
                ratio=typical / _median(times.get(OURS.get(workers[name].precision, first), times[first])),
                fraction_of_peak=rate / peak_gflops if peak_gflops else None,
                max_relative_difference=relative_difference(workers[name].outputs(), ours),
                agreement=f1.get(name),
            )
            results.append(result)
        return results, missing


def start_workers(
    subject: Subject, engines: Iterable[str], stack: ExitStack, *, threads: int, streams: int = 1
) -> tuple[dict[str, Worker], list[MissingEngine]]:
    """A worker for each available engine; ours must be available. ``stack`` closes them."""
    workers: dict[str, Worker] = {}
    missing: list[MissingEngine] = []
    for name in engines:
        try:
            if subject.onnx_error and name in READ_ONNX:
                raise EngineUnavailableError(subject.onnx_error)
            if name in READ_INT8 and not subject.job.quantization:
                raise EngineUnavailableError("the network has no convolution that int8 can run")
            workers[name] = stack.enter_context(Worker(replace(subject.job, engine=name, threads=threads, streams=streams)))
        except EngineUnavailableError as error:
            if name in OURS.values():
                raise
            missing.append(MissingEngine(model=subject.name, engine=name, reason=str(error)))
    return workers, missing


def interleaved(
    workers: Mapping[str, Worker], *, rounds: int, seed: int, progress: Callable[[float], None] = lambda share: None
) -> dict[str, list[list[float]]]:
    """Milliseconds by engine, round and run; ``progress`` is called with the share of the rounds that are done."""
    rng = np.random.default_rng(seed)
    runs = {name: int(np.clip(BLOCK_MS / min(worker.milliseconds(2)), 2, 30)) for name, worker in workers.items()}
    times: dict[str, list[list[float]]] = {name: [] for name in workers}
    for done in range(rounds):
        progress(done / rounds)
        for name in random_order(workers, rng):
            times[name].append(workers[name].milliseconds(runs[name]))
    return times


def rounds_within(seconds: float, *, block: float = BLOCK_MS / 1000) -> int:
    """Number of blocks of one engine that take about ``seconds``."""
    return max(MIN_ROUNDS, round(seconds / block))


def random_order(workers: Mapping[str, Worker], rng: np.random.Generator) -> list[str]:
    """Names in random order."""
    names = list(workers)
    return [names[i] for i in rng.permutation(len(names))]


def relative_difference(outputs: Sequence[Array], ours: Sequence[Array]) -> float:
    """Largest |difference| relative to the largest magnitude of each of our outputs; infinite if shapes or NaN differ."""
    if [output.size for output in outputs] != [array.size for array in ours]:
        return float("inf")
    pairs = zip(outputs, ours, strict=True)
    worst = max(np.abs(output - array).max() / max(np.abs(array).max(), np.float32(1e-30)) for output, array in pairs)
    return float(worst) if np.isfinite(worst) else float("inf")


def _median(blocks: Sequence[Sequence[float]]) -> float:
    return float(median(time for block in blocks for time in block))
