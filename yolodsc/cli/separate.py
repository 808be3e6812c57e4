"""``yolodsc separate``: the paper's Figure 3 for one layer."""

from typing import Annotated

import typer

from yolodsc.cli import options
from yolodsc.cli.calibration import calibration_images
from yolodsc.cli.network_files import model_files
from yolodsc.cli.progress import fitting_progress
from yolodsc.cli.tables.table import aligned
from yolodsc.cli.terminal import say
from yolodsc.decompose import MAX_RANK, separation_errors, separation_target
from yolodsc.detection import read_network
from yolodsc.errors import OptionError


def separate(
    *,
    images: Annotated[str, typer.Option(metavar="DIR|LIST", help="Directory or list of unlabelled images to calibrate on.")],
    layer: Annotated[int, typer.Option(metavar="I", help="Index of the convolution in the network.")],
    network: options.NetworkOptions,
    count: Annotated[
        int, typer.Option(min=2, metavar="N", help="Number of images to use; a tenth of them only measures the error.")
    ] = 300,
    ranks: Annotated[str, typer.Option(metavar="1,2,3", help="Ranks to try: filters for each channel.")] = "1,2,3",
    seed: Annotated[int, typer.Option(min=0, help="Seed of the sampled positions.")] = 0,
    profile: options.ProfileName = "alexeyab",
    allow_nonfinite: options.AllowNonfinite = False,
    threads: options.WorkThreads = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print the table and errors only.")] = False,
) -> int:
    """Print the relative error of one layer by method and rank."""
    files = model_files(network)
    loaded = read_network(files, profile=profile, allow_nonfinite=allow_nonfinite)
    separation_target(loaded, layer)
    numbers, (threads, _) = _ranks(ranks), options.cores(threads)
    _, calibration = calibration_images(loaded, images, count=count, seed=seed, quiet=quiet)
    with fitting_progress(quiet) as report:
        rows = separation_errors(loaded, layer, calibration, ranks=numbers, seed=seed, threads=threads, progress=report)
    table = [("method", "rank", "MMAC", "calibration", "held back")]
    table += [(r.method, f"{r.rank:g}", f"{r.multiply_adds / 1e6:.2f}", f"{r.error:.4f}", f"{r.held_back:.4f}") for r in rows]
    say(*aligned(table, left=1))
    return 0


def _ranks(text: str) -> list[float]:
    try:
        ranks = [float(rank) for rank in text.split(",")]
    except ValueError:
        ranks = []
    if not ranks or not all(0 < rank <= MAX_RANK for rank in ranks):
        raise OptionError(f"--ranks {text}: expected numbers above 0 and up to {MAX_RANK} with commas, such as 1,2,3")
    return ranks
