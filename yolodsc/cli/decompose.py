"""``yolodsc decompose``."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from yolodsc.cli import options
from yolodsc.cli.terminal import printable, say
from yolodsc.darknet import profile_named
from yolodsc.decompose import DecomposeSettings, ProgressCallback, compare_networks, read_images, report_markdown, write_report
from yolodsc.decompose import decompose as decompose_network
from yolodsc.detection import image_paths
from yolodsc.errors import OptionError
from yolodsc.network import Network


def decompose(
    images: Annotated[str, typer.Option(metavar="DIR|LIST", help="Unlabelled images to calibrate on.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where the new pair goes.")],
    model: options.Model = None,
    cfg: options.CfgFile = None,
    weights: options.WeightsFile = None,
    names: options.NamesFile = None,
    count: Annotated[int, typer.Option(min=2, metavar="N", help="How many of the images.")] = 300,
    size: Annotated[
        int | None, typer.Option(min=32, metavar="N", help="Side of the images that it will read; the cfg's own unless given.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="Stem of the new files.")] = None,
    method: Annotated[
        str, typer.Option(help="auto, pdp, als, bs, channel, weights, paper-plain, paper-compensated, paper-multilayer.")
    ] = "auto",
    rank: Annotated[float, typer.Option(metavar="R", help="Filters a channel; pdp and channel: as many as cost the same.")] = 1.0,
    budget: Annotated[float, typer.Option(metavar="SHARE", help="auto: share of the multiplications that may be left.")] = 0.25,
    budget_ms: Annotated[float | None, typer.Option(metavar="MS", help="auto: milliseconds an image, on this machine.")] = None,
    keep: Annotated[str, typer.Option(metavar="0,12", help="Layers to leave alone.")] = "",
    seed: Annotated[int, typer.Option(min=0, help="Of the places that are sampled.")] = 0,
    report_to: Annotated[Path | None, typer.Option("--report", metavar="DIR", help="Tables, JSON and an image.")] = None,
    profile: options.ProfileName = "alexeyab",
    threads: options.Threads = 1,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print errors only.")] = False,
) -> int:
    """Make the regular convolutions of a trained network separable."""
    files = options.model_files(model, cfg, weights, names)
    threads, _ = options.cores(threads, quiet=quiet)
    settings = DecomposeSettings(
        method=method, rank=rank, budget=budget, budget_ms=budget_ms, keep=_numbers(keep), seed=seed, threads=threads
    )
    stem = name or f"{files.cfg.stem}-separable"
    options.free(out, stem)
    if report_to is not None:
        options.may_be_folder(report_to)
    network = Network.load(files.cfg, files.weights, profile=profile_named(profile))
    if size:
        network = network.resized(size, size)
    options.classes(files.names, network)
    shown = read_images(network, image_paths([images]), count=count, seed=seed)
    with _progress(quiet) as tell:
        result = decompose_network(network, shown, settings, progress=tell)
    options.save(result.network, out, stem, files.names)
    comparison = compare_networks(network, result.network, shown[-max(len(shown) // 10, 1) :], threads=threads)
    if report_to is not None:
        write_report(report_to, result, comparison)
    if not quiet:
        say(*report_markdown(result, comparison).rstrip("\n").split("\n"))
    return 0


def _numbers(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(",") if part)
    except ValueError:
        raise OptionError(f"--keep {text}: wanted layer numbers with commas, such as 0,12") from None


@contextmanager
def _progress(quiet: bool) -> Iterator[ProgressCallback]:
    """A bar on a terminal, nothing elsewhere."""
    if quiet or not sys.stderr.isatty():
        yield lambda what, share: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    columns = (BarColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=1.0)
        yield lambda what, share: bar.update(task, description=printable(what), completed=share)
