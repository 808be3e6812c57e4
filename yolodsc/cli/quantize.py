"""``yolodsc quantize``."""

from pathlib import Path
from typing import Annotated

import typer

from yolodsc.cli import options
from yolodsc.cli.cluster import ClusterOptions
from yolodsc.cli.network_files import class_list, model_files
from yolodsc.cli.outputs import ensure_directory_possible, ensure_writable, save_network
from yolodsc.cli.progress import fitting_progress
from yolodsc.cli.tables.quantization import quantization_lines
from yolodsc.cli.terminal import note, say
from yolodsc.decompose import read_images
from yolodsc.detection import image_paths, read_network
from yolodsc.precision import write_quantization
from yolodsc.quantize import QuantizeSettings, image_doubts, quantized_cost, result_doubts, write_quantization_report
from yolodsc.quantize import quantize as quantize_network
from yolodsc.values import Value


class PrecisionOptions(Value, kw_only=True):
    """Which layers run in int8."""

    keep_agreement: Annotated[
        float,
        typer.Option(
            metavar="F1",
            help="Agreement (F1) with the detections in float32 for which sensitive layers run in bf16, "
            "at most half of the multiplications.",
        ),
    ] = 0.99
    budget_ms: Annotated[
        float | None,
        typer.Option(metavar="MS", help="Milliseconds for each image on this machine; the most accurate network within them."),
    ] = None
    no_equalization: Annotated[
        bool, typer.Option("--no-equalization", help="Leave the weights of the .weights file as they are.")
    ] = False
    seed: Annotated[int, typer.Option(min=0, help="Seed of the sampled positions.")] = 0

    def settings(self, threads: int) -> QuantizeSettings:
        """The settings of the library."""
        return QuantizeSettings(
            keep_agreement=self.keep_agreement,
            budget_ms=self.budget_ms,
            equalize=not self.no_equalization,
            seed=self.seed,
            threads=threads,
        )


def quantize(
    *,
    images: Annotated[str, typer.Option(metavar="DIR|LIST", help="Directory or list of unlabelled images to calibrate on.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Directory for the new files.")],
    network: options.NetworkOptions,
    names: options.NamesFile = None,
    count: Annotated[int, typer.Option(min=2, metavar="N", help="Number of images to use.")] = 300,
    name: Annotated[str | None, typer.Option(help="Stem of the new files.", show_default="CFG-int8")] = None,
    how: PrecisionOptions,
    report_to: Annotated[
        Path | None, typer.Option("--report", metavar="DIR", help="Write tables, JSON and a plot to this directory.")
    ] = None,
    profile: options.ProfileName = "alexeyab",
    threads: options.Threads = 1,
    cluster: ClusterOptions,
    quiet: options.Quiet = False,
) -> int:
    """Calibrate a network for --precision int8 on unlabelled images."""
    files = model_files(network, options.ClassOptions(names=names))
    cluster.check()
    threads, _ = options.cores(threads, quiet=quiet)
    settings = how.settings(threads)
    stem = name or f"{files.cfg.stem}-int8"
    ensure_writable(out, stem, "quant.npz")
    if report_to is not None:
        ensure_directory_possible(report_to)
    original = read_network(files, profile=profile)
    class_list(files.names, original)
    with cluster.reading(quiet=quiet) as read:
        calibration = read_images(original, image_paths([images]), count=count, seed=how.seed, read=read)
    with fitting_progress(quiet) as report:
        result = quantize_network(original, calibration, settings, progress=report)
    if not quiet and (doubts := [*image_doubts(calibration), *result_doubts(result)]):
        note(f"--images {images}: {'; '.join(doubts)}")
    save_network(result.network, out, stem, files.names)
    write_quantization(out / f"{stem}.quant.npz", result.network, result.quantization)
    cost = quantized_cost(original, result, threads=threads)
    if report_to is not None:
        write_quantization_report(report_to, result, cost)
    if not quiet:
        say(*quantization_lines(result, cost))
        reported = f", report to {report_to}/" if report_to is not None else ""
        note(f"wrote {out / stem}.cfg, .weights{', .names' if files.names else ''} and .quant.npz{reported}")
    return 0
