"""``yolodsc decompose``."""

from pathlib import Path
from typing import Annotated

import typer

from yolodsc.cli import options
from yolodsc.cli.cluster import ClusterOptions
from yolodsc.cli.network_files import class_list, model_files
from yolodsc.cli.outputs import ensure_directory_possible, ensure_writable, save_network
from yolodsc.cli.progress import fitting_progress
from yolodsc.cli.signals import advice_on_interrupt
from yolodsc.cli.tables.decomposition import decomposition_lines
from yolodsc.cli.terminal import note, say
from yolodsc.decompose import DecomposeSettings, compare_networks, read_images, write_report
from yolodsc.decompose import decompose as decompose_network
from yolodsc.detection import image_paths, read_network
from yolodsc.errors import OptionError
from yolodsc.evaluation import require_matplotlib
from yolodsc.values import Value


class MethodOptions(Value, kw_only=True):
    """How convolutions are decomposed."""

    method: Annotated[
        str, typer.Option(help="Method: auto, pdp, als, bs, channel, weights, paper-plain, paper-compensated or paper-multilayer.")
    ] = "auto"
    rank: Annotated[
        float, typer.Option(metavar="R", help="Filters for each channel; pdp and channel use as many components as cost the same.")
    ] = 1.0
    budget: Annotated[float, typer.Option(metavar="SHARE", help="Share of the multiplications that method auto may keep.")] = 0.25
    budget_ms: Annotated[
        float | None,
        typer.Option(
            metavar="MS",
            help="Milliseconds for each image, on one thread or --threads N, as budget of method auto.",
        ),
    ] = None
    keep: Annotated[str, typer.Option(metavar="0,12", help="Indices of layers to leave unchanged.")] = ""
    seed: Annotated[int, typer.Option(min=0, help="Seed of the sampled positions.")] = 0

    def settings(self, threads: int) -> DecomposeSettings:
        """The settings of the library."""
        keep, seed = _numbers(self.keep), self.seed
        return DecomposeSettings(
            method=self.method, rank=self.rank, budget=self.budget, budget_ms=self.budget_ms, keep=keep, seed=seed, threads=threads
        )


def decompose(
    *,
    images: Annotated[str, typer.Option(metavar="DIR|LIST", help="Directory or list of unlabelled images to calibrate on.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Directory for the new .cfg and .weights files.")],
    network: options.NetworkOptions,
    names: options.NamesFile = None,
    count: Annotated[int, typer.Option(min=2, metavar="N", help="Number of images to use.")] = 300,
    size: options.Size = None,
    name: Annotated[str | None, typer.Option(help="Stem of the new files.", show_default="CFG-separable")] = None,
    how: MethodOptions,
    report_to: Annotated[
        Path | None, typer.Option("--report", metavar="DIR", help="Write tables, JSON and a plot to this directory.")
    ] = None,
    profile: options.ProfileName = "alexeyab",
    threads: options.WorkThreads = None,
    cluster: ClusterOptions,
    quiet: options.Quiet = False,
) -> int:
    """Make the regular convolutions of a trained network separable."""
    files = model_files(network, options.ClassOptions(names=names))
    alone = threads is None and how.budget_ms is not None  # a budget in time is that of one thread, unless --threads says otherwise
    cluster.check()
    threads, _ = options.cores(1 if alone else threads, quiet=quiet)
    settings = how.settings(threads)
    stem = name or f"{files.cfg.stem}-separable"
    ensure_writable(out, stem)
    if report_to is not None:
        require_matplotlib()
        ensure_directory_possible(report_to)
    original = read_network(files, profile=profile, size=size)
    class_list(files.names, original)
    with cluster.reading(quiet=quiet) as read:
        calibration = read_images(original, image_paths([images]), count=count, seed=how.seed, read=read)
    with advice_on_interrupt(lambda: "nothing was written", quiet=quiet), fitting_progress(quiet) as report:
        result = decompose_network(original, calibration, settings, progress=report)
    save_network(result.network, out, stem, files.names)
    held_back = calibration[-max(len(calibration) // 10, 1) :]
    comparison = compare_networks(original, result.network, held_back, threads=threads)
    if report_to is not None:
        write_report(report_to, result, comparison)
    if not quiet:
        say(*decomposition_lines(result, comparison))
        reported = f", report to {report_to}/" if report_to is not None else ""
        note(f"wrote {out / stem}.cfg and .weights{' and .names' if files.names else ''}{reported}")
    return 0


def _numbers(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(",") if part)
    except ValueError:
        raise OptionError(f"--keep {text}: expected layer numbers with commas, such as 0,12") from None
