"""``yolodsc anchors``."""

from pathlib import Path
from typing import Annotated, Any, cast

import numpy as np
import typer

from yolodsc.cli import options
from yolodsc.cli.ground_truth import GroundTruthOptions
from yolodsc.cli.network_files import model_files
from yolodsc.cli.notes import print_notes
from yolodsc.cli.outputs import ensure_outputs_differ_from_inputs, is_standard_output, write_text
from yolodsc.cli.tables.table import aligned
from yolodsc.cli.terminal import note, say, styled
from yolodsc.darknet import profile_named, read_cfg
from yolodsc.detection import read_network
from yolodsc.errors import DatasetError
from yolodsc.evaluation import (
    Anchors,
    InputReport,
    box_sizes,
    draw_anchors,
    fit_anchors,
    measured_anchors,
    require_matplotlib,
)
from yolodsc.network import AnchorHead, Network, RegionLayer, at_size, parse_size
from yolodsc.schemas import dump_json

DEFAULT_COUNT, DEFAULT_SIZE = 9, "416"


def anchors(
    *,
    ground_truth: GroundTruthOptions,
    network: options.ComparedNetworkOptions,
    count: Annotated[
        int | None, typer.Option(min=1, max=1000, metavar="K", help="Number of anchors.", show_default="the network's, or 9")
    ] = None,
    size: Annotated[
        str | None, typer.Option(metavar="N|WxH", help="Input size of the network.", show_default="the network's, or 416")
    ] = None,
    letterbox: Annotated[
        bool, typer.Option("--letterbox/--stretch", help="Fit images with borders, or by stretching as Darknet does.")
    ] = False,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the starts of k-means.")] = 0,
    plot: Annotated[Path | None, typer.Option(metavar="F", help="Write a PNG of boxes and anchors.")] = None,
    json: Annotated[Path | None, typer.Option(metavar="F|-", help="Write anchors and their fit as JSON.")] = None,
    quiet: options.Quiet = False,
) -> int:
    """Find anchors for a dataset by k-means on the IoU of its boxes, as Darknet's calc_anchors, and compare a network's own."""
    ground_truth.ensure_present()
    if plot is not None:
        require_matplotlib()
    ensure_outputs_differ_from_inputs({"--plot": plot, "--json": json}, ground_truth.paths)
    head = _head(network, size)
    width, height = parse_size(size or (head[0] if head else DEFAULT_SIZE))
    report = InputReport()
    dataset = ground_truth.for_training.read(report)
    if not quiet:
        print_notes(report.notes, rest="of the same kind")
    sizes = box_sizes(dataset, width=width, height=height, letterbox=letterbox)
    found = fit_anchors(sizes, count or (len(head[1]) if head else DEFAULT_COUNT), seed=seed)
    own = measured_anchors(head[1], sizes) if head else None
    if plot is not None:
        draw_anchors(plot, found, sizes, width=width, height=height)
        if not quiet:
            note(f"wrote {plot}")
    if json is not None:
        content = {"width": width, "height": height, "boxes": len(sizes), **_content(found), "network": own and _content(own)}
        write_text(json, dump_json(content, file=json, error=DatasetError, indent=1) + "\n", error=DatasetError, quiet=quiet)
    if not quiet and not is_standard_output(json):
        say(*_lines(found, own, cell=head[2] if head else (1.0, 1.0), boxes=len(sizes), size=f"{width}x{height}"))
    return 0


def _head(network: options.NetworkOptions, size: str | None) -> tuple[tuple[int, int], Any, tuple[float, float]] | None:
    """Input size, anchors (K, 2) in its pixels, and the unit of the cfg's anchors in pixels; None if no network is named."""
    if not network.given:
        return None
    files = None if network.cfg is not None and network.weights is None else model_files(network)
    cfg = cast(Path, network.cfg) if files is None else files.cfg
    profile = profile_named("alexeyab")
    whole = read_network(files, profile=profile) if files and files.archive else Network.build(read_cfg(cfg), profile=profile)
    built = at_size(whole, size)
    heads = [layer for layer in built.heads if isinstance(layer, AnchorHead | RegionLayer)]
    if not heads:
        raise DatasetError(f"{cfg}: no head with anchors; expected [yolo], [Gaussian_yolo] or [region]")
    _, height, width = built.input_shape
    grid = heads[0].shape
    cell = (width / grid.width, height / grid.height) if isinstance(heads[0], RegionLayer) else (1.0, 1.0)
    pairs = sorted({pair for head in heads for pair in head.anchors})
    return (width, height), np.array(pairs, np.float64) * cell, cell


def _content(found: Anchors) -> dict[str, Any]:
    return {"anchors": found.sizes.round(3).tolist(), "average_iou": found.average_iou, "boxes_of_each": list(found.counts)}


def _lines(found: Anchors, own: Anchors | None, *, cell: tuple[float, float], boxes: int, size: str) -> list[str]:
    """The line for the cfg, the fit, and a table of the anchors."""
    rows = [("anchor", "width", "height", "boxes", "share")]
    for number, ((w, h), members) in enumerate(zip(found.sizes, found.counts, strict=True)):
        rows.append((str(number), f"{w:.1f}", f"{h:.1f}", str(members), f"{100 * members / boxes:.1f} %"))
    numbers = (found.sizes / cell).tolist()
    form = "{:.2f},{:.2f}" if cell != (1.0, 1.0) else "{:.0f},{:.0f}"
    compared = f" (the network's own anchors: {100 * own.average_iou:.2f} %)" if own else ""
    return [
        styled(f"anchors = {',  '.join(form.format(*pair) for pair in numbers)}", "bold"),
        f"average IoU {100 * found.average_iou:.2f} %{compared}; {boxes} boxes at {size}",
        "",
        *aligned(rows),
    ]
