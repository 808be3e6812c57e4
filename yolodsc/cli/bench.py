"""``yolodsc bench``."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import typer

from yolodsc.bench import (
    OUR_ENGINE,
    PEERS,
    SECONDS,
    Machine,
    MissingEngine,
    Subject,
    ablate,
    benchmark_subject,
    compare,
    describe_machine,
    engine_versions,
    find_engine,
    measure_memory,
    measure_start,
    measure_throughput,
    named,
    random,
    rounds_within,
)
from yolodsc.cli import options
from yolodsc.cli.tables import bench as bench_table
from yolodsc.cli.terminal import flush, note, say
from yolodsc.detection import DEFAULT_MODEL
from yolodsc.errors import OptionError
from yolodsc.files import write_bytes
from yolodsc.network import Network
from yolodsc.schemas import dump_json

Named = tuple[str, Network]
Report = list[dict[str, Any]]

SEED = 2018


@dataclass(frozen=True, slots=True)
class Asked:
    """What the options come to."""

    peers: tuple[str, ...]
    threads: tuple[int, ...]
    seconds: float
    streams: int


def bench(
    model: Annotated[
        list[str] | None, typer.Option(metavar="NAME|DIR", help="A network; may be given several times. dsc-nano-voc.")
    ] = None,
    cfg: options.CfgFile = None,
    weights: Annotated[Path | None, typer.Option(metavar="F", help="Its .weights file; random weights where left out.")] = None,
    peers: Annotated[str, typer.Option(metavar="A,B", help="Engines to compare with.")] = ",".join(PEERS),
    threads: Annotated[str, typer.Option(metavar="N,M", help="Numbers of threads, one comparison for each.")] = "1",
    seconds: Annotated[float, typer.Option(min=0.0, metavar="S", help="About how long each engine is timed.")] = 2.0,
    ablation: Annotated[bool, typer.Option("--ablation", help="DSC, FastDSC and the engine, layer by layer.")] = False,
    streams: Annotated[int, typer.Option(min=0, metavar="N", help="Images a second with N images under way.")] = 0,
    startup: Annotated[bool, typer.Option("--startup", help="Import, first and later starts, memory.")] = False,
    json: Annotated[Path | None, typer.Option(metavar="F", help="Write machine and results as JSON.")] = None,
) -> int:
    """Time networks beside other engines, in turn, each in a process of its own."""
    if ablation + startup + (streams > 0) > 1:
        raise OptionError("--ablation, --streams and --startup are runs of their own; wanted one of them")
    asked = Asked(_peers(peers), _counts(threads), seconds, streams)
    networks = _networks(model, cfg, weights)
    here = describe_machine(asked.threads)
    say(bench_table.heading(here))
    if ablation:
        results = _ablations(networks, asked)
    elif streams:
        results = _flows(networks, asked)
    elif startup:
        results = _starts(networks, asked)
    else:
        results = _comparisons(networks, asked, here)
    if json is not None:
        report = {"machine": here.to_json(engine_versions([OUR_ENGINE, *asked.peers])), "results": results}
        write_bytes(json, dump_json(report, file=json, error=OptionError, indent=1).encode() + b"\n", error=OptionError)
    return 0


def _comparisons(networks: Sequence[Named], asked: Asked, here: Machine) -> Report:
    report: Report = []
    for name, network in networks:
        with _subject(name, network) as subject:
            for count in asked.threads:
                rounds = rounds_within(asked.seconds)
                results, absent = compare(
                    subject, asked.peers, threads=count, rounds=rounds, seed=SEED, peak_gflops=here.peak_gflops[count]
                )
                _print(bench_table.comparison(subject, results), absent)
                report += [result.to_json() for result in results]
    return report


def _ablations(networks: Sequence[Named], asked: Asked) -> Report:
    report: Report = []
    for name, network in networks:
        result = ablate(name, network, seconds=asked.seconds, seed=SEED)
        _print(bench_table.ablation(result), [])
        report.append(asdict(result))
    return report


def _flows(networks: Sequence[Named], asked: Asked) -> Report:
    report: Report = []
    for name, network in networks:
        with _subject(name, network) as subject:
            rounds = rounds_within(asked.seconds, turn=SECONDS)
            flows, absent = measure_throughput(subject, asked.peers, streams=asked.streams, rounds=rounds, seed=SEED)
        _print(bench_table.flows(flows), absent)
        report += [asdict(flow) for flow in flows]
    return report


def _starts(networks: Sequence[Named], asked: Asked) -> Report:
    report: Report = []
    for name, network in networks:
        with _subject(name, network) as subject:
            times = measure_start(subject)
            peaks, absent = measure_memory(subject, asked.peers)
        _print(bench_table.starts(times, peaks), absent)
        report.append({**asdict(times), "peak_rss_mb": {peak.engine: peak.peak_rss_mb for peak in peaks}})
    return report


def _print(lines: Sequence[str], absent: Sequence[MissingEngine]) -> None:
    for one in absent:
        note(f"{one.model}: {one.engine} takes no part: {one.reason}")
    say("", *lines)
    flush()


@contextmanager
def _subject(name: str, network: Network) -> Iterator[Subject]:
    with TemporaryDirectory() as folder:
        yield benchmark_subject(name, network, Path(folder))


def _networks(model: list[str] | None, cfg: Path | None, weights: Path | None) -> list[Named]:
    if cfg is None and weights is None:
        return [named(name) for name in model or [DEFAULT_MODEL]]
    if model:
        raise OptionError("--model and --cfg/--weights name several networks; wanted one of them")
    if cfg is None:
        raise OptionError("--cfg is missing; --weights goes with it")
    return [random(cfg) if weights is None else (cfg.stem, Network.load(cfg, weights))]


def _peers(text: str) -> tuple[str, ...]:
    """Names in the order given, each once; `find_engine` complains of those it does not know."""
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    for name in names:
        find_engine(name)
    return tuple(name for name in names if name != OUR_ENGINE)


def _counts(text: str) -> tuple[int, ...]:
    words = [word.strip() for word in text.split(",")]
    if not all(word.isascii() and word.isdigit() and int(word) > 0 for word in words):
        raise OptionError(f"--threads {text}: wanted numbers from 1, with commas between them")
    return tuple(dict.fromkeys(map(int, words)))
