"""``yolodsc bench``."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import typer

from yolodsc.arrays import Array
from yolodsc.bench import (
    CALIBRATED,
    OUR_ENGINE,
    OURS,
    PEERS,
    READ_INT8,
    SECONDS,
    Machine,
    MissingEngine,
    Subject,
    ablate,
    benchmark_quantization,
    benchmark_subject,
    compare,
    describe_machine,
    engine_versions,
    find_engine,
    measure_memory,
    measure_start,
    measure_throughput,
    rounds_within,
)
from yolodsc.cli.bench_options import ImageOptions, Named, SubjectOptions
from yolodsc.cli.outputs import is_standard_output, write_text
from yolodsc.cli.progress import fitting_progress
from yolodsc.cli.tables import bench as bench_table
from yolodsc.cli.terminal import flush, note, say
from yolodsc.decompose import read_images
from yolodsc.detection import image_paths
from yolodsc.errors import OptionError
from yolodsc.files import folder
from yolodsc.network import Network
from yolodsc.precision import int8_candidates
from yolodsc.schemas import dump_json
from yolodsc.values import Value

Report = list[dict[str, Any]]

SEED = 2018
MAX_IMAGES, MAX_CALIBRATION_IMAGES = 100, 300


class Run(Value):
    """Engines, numbers of threads and duration of a benchmark; quiet if standard output is for JSON."""

    peers: tuple[str, ...]
    threads: tuple[int, ...]
    seconds: float
    streams: int
    quiet: bool
    precisions: tuple[str, ...] = ("f32",)
    data: ImageOptions = ImageOptions()

    @property
    def engines(self) -> tuple[str, ...]:
        """All engines, ours in each precision first."""
        return (*(OURS[precision] for precision in self.precisions), *self.peers)


def bench(
    *,
    subject: SubjectOptions,
    peers: Annotated[str, typer.Option(metavar="A,B", help="Engines to compare with.")] = ",".join(PEERS),
    threads: Annotated[str, typer.Option(metavar="N,M", help="Numbers of threads, with a comparison for each.")] = "1",
    seconds: Annotated[float, typer.Option(min=0.0, metavar="S", help="Approximate time for each engine, in seconds.")] = 2.0,
    precision: Annotated[
        str, typer.Option(metavar="P,Q", help="Precisions of this engine: f32, bf16, int8; the first is the reference.")
    ] = "f32",
    data: ImageOptions,
    ablation: Annotated[
        bool, typer.Option("--ablation", help="Compare DSC, FastDSC and the fused engine layer by layer instead.")
    ] = False,
    streams: Annotated[
        int, typer.Option(min=0, metavar="N", help="Measure throughput with N images at the same time instead.", show_default=False)
    ] = 0,
    startup: Annotated[bool, typer.Option("--startup", help="Measure import, first and later starts, and memory instead.")] = False,
    json: Annotated[Path | None, typer.Option(metavar="F|-", help="Write the machine and the results as JSON.")] = None,
) -> int:
    """Time networks on this and other engines, in turn, each engine in a process of its own."""
    if ablation + startup + (streams > 0) > 1:
        raise OptionError("--ablation, --streams and --startup exclude each other; expected one of them")
    run = Run(_peers(peers), _counts(threads), seconds, streams, is_standard_output(json), _precisions(precision), data)
    networks = subject.networks()
    machine = describe_machine(run.threads)
    if not run.quiet:
        say(bench_table.heading(machine))
    if ablation:
        results = _ablations(networks, run)
    elif streams:
        results = _throughput(networks, run)
    elif startup:
        results = _start_times(networks, run)
    else:
        results = _comparisons(networks, run, machine)
    if json is not None:
        report = {"machine": machine.to_json(engine_versions([OUR_ENGINE, *run.peers])), "results": results}
        write_text(json, dump_json(report, file=json, error=OptionError, indent=1) + "\n")
    return 0


def _comparisons(networks: Sequence[Named], run: Run, machine: Machine) -> Report:
    report: Report = []
    for name, network, files in networks:
        images = _images(network, run.data.images, MAX_IMAGES)
        with _subject(name, network, run, files) as subject:
            for count in run.threads:
                rounds = rounds_within(run.seconds)
                with fitting_progress(quiet=False, timing=True) as progress:
                    results, missing = compare(
                        subject,
                        run.peers,
                        threads=count,
                        rounds=rounds,
                        seed=SEED,
                        peak_gflops=machine.peak_gflops[count],
                        precisions=run.precisions,
                        images=images,
                        progress=progress,
                    )
                _print(bench_table.comparison(subject, results), missing, run)
                report += [result.to_json() for result in results]
    return report


def _ablations(networks: Sequence[Named], run: Run) -> Report:
    report: Report = []
    for name, network, _ in networks:
        with fitting_progress(quiet=False, timing=True) as progress:
            result = ablate(name, network, seconds=run.seconds, seed=SEED, progress=progress)
        _print(bench_table.ablation(result), [], run)
        report.append(asdict(result))
    return report


def _throughput(networks: Sequence[Named], run: Run) -> Report:
    report: Report = []
    for name, network, files in networks:
        rounds = rounds_within(run.seconds, block=SECONDS)
        with _subject(name, network, run, files) as subject, fitting_progress(quiet=False, timing=True) as progress:
            rates, missing = measure_throughput(
                subject, run.peers, streams=run.streams, rounds=rounds, seed=SEED, progress=progress
            )
        _print(bench_table.throughput(rates), missing, run)
        report += [rate.to_json() for rate in rates]
    return report


def _start_times(networks: Sequence[Named], run: Run) -> Report:
    report: Report = []
    for name, network, files in networks:
        with _subject(name, network, run, files) as subject, fitting_progress(quiet=False, timing=True) as progress:
            times = measure_start(subject, progress=progress)
            peaks, missing = measure_memory(subject, run.peers)
        _print(bench_table.start_times(times, peaks), missing, run)
        report.append({**asdict(times), "peak_rss_mb": {peak.engine: peak.peak_rss_mb for peak in peaks}})
    return report


def _print(lines: Sequence[str], missing: Sequence[MissingEngine], run: Run) -> None:
    for one in missing:
        note(f"{one.model}: {one.engine} takes no part: {one.reason}")
    if not run.quiet:
        say("", *lines)
        flush()


def _images(network: Network, source: str | None, count: int) -> Array | None:
    """Images (N, C, H, W) of a directory or list."""
    return None if source is None else read_images(network, image_paths([source]), count=count, seed=SEED)


@contextmanager
def _subject(name: str, network: Network, run: Run, files: Sequence[Path]) -> Iterator[Subject]:
    quantization = None
    if int8_candidates(network) and set(run.engines) & set(READ_INT8):
        quantization, calibrated = benchmark_quantization(network, *files)
        if not calibrated:
            note(f"{name}: has no quantization (see yolodsc quantize); int8 uses the extremes of one image, which is inaccurate")
    given = (run.data.calibration or run.data.images) if set(run.engines) & set(CALIBRATED) else None
    images = _images(network, given, MAX_CALIBRATION_IMAGES)
    keep = None if run.data.keep is None else folder(run.data.keep, error=OptionError)
    with TemporaryDirectory() as scratch:
        yield benchmark_subject(name, network, Path(scratch), quantization=quantization, calibration=images, keep=keep)


def _peers(text: str) -> tuple[str, ...]:
    """Names in the order given, without repetitions; `find_engine` raises an `OptionError` for unknown names."""
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    for name in names:
        find_engine(name)
    return tuple(name for name in names if name not in OURS.values())


def _precisions(text: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",")))
    if not all(name in OURS for name in names):
        raise OptionError(f"--precision {text}: expected some of {', '.join(OURS)}, with commas between them")
    return names


def _counts(text: str) -> tuple[int, ...]:
    words = [word.strip() for word in text.split(",")]
    if not all(word.isascii() and word.isdigit() and int(word) > 0 for word in words):
        raise OptionError(f"--threads {text}: expected numbers from 1, with commas between them")
    return tuple(dict.fromkeys(map(int, words)))
