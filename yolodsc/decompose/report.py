"""Reports on a decomposition in Markdown, JSON and as a chart, and the comparison of both networks."""

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from yolodsc import engine
from yolodsc.arrays import Array
from yolodsc.decompose.agreement import agreed_detections, f1_of
from yolodsc.decompose.search.time_model import Timer
from yolodsc.decompose.settings import Decomposition
from yolodsc.errors import MissingExtraError, WeightsError
from yolodsc.files import replacing
from yolodsc.network import Candidates, Network
from yolodsc.schemas import dump_json, replace_nonfinite


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two networks on the same images; every pair is (original, decomposed)."""

    multiply_adds: tuple[int, int]
    bytes: tuple[int, int]
    milliseconds: tuple[float, float]
    agreement: float | None
    """F1 of the decomposed network's detections at .25 against the original's, IoU over .5, per class."""


def compare_networks(original: Network, decomposed: Network, images: Array, *, threads: int) -> Comparison:
    """Cost and agreement; times are the best of interleaved rounds."""
    timer = Timer(threads)
    times = [(timer.network(original), timer.network(decomposed)) for _ in range(3)]
    both = original, decomposed
    total = [network.multiply_adds for network in both]
    sizes = [sum(a.nbytes for arrays in network.weights for a in arrays.values()) + network.header.size for network in both]
    agreement = _agreement(original, decomposed, images, threads) if original.heads else None
    first, second = (min(column) for column in zip(*times, strict=True))
    return Comparison((total[0], total[1]), (sizes[0], sizes[1]), (first, second), agreement)


def report_markdown(result: Decomposition, comparison: Comparison | None = None) -> str:
    """The table of layers and, if given, the table of the comparison."""
    lines = ["| layer | form | MMAC | parameters | error, calibration | error, held back | |", "|---|---|---|---|---|---|---|"]
    for r in result.layers:
        cost = f"{r.multiply_adds[0] / 1e6:.2f} → {r.multiply_adds[1] / 1e6:.2f}"
        size = f"{r.parameters[0]} → {r.parameters[1]}"
        lines.append(f"| {r.index} | {r.choice} | {cost} | {size} | {r.error:.3f} | {r.held_back:.3f} | {r.reason} |")
    lines += ["", f"Output error on held-back images: {result.output_error:.3f}. Time taken: {result.seconds:.0f} s."]
    if comparison is not None:
        lines += ["", "| | original | decomposed | ratio |", "|---|---|---|---|", *_rows(comparison)]
        if comparison.agreement is not None:
            lines += ["", f"Detections that agree (F1, score .25, IoU .5): {comparison.agreement:.3f}"]
    return "\n".join(lines) + "\n"


def write_report(folder: Path, result: Decomposition, comparison: Comparison) -> None:
    """``report.md``, ``report.json`` and ``report.png``; a `MissingExtraError` without Matplotlib."""
    folder.mkdir(parents=True, exist_ok=True)
    data = {
        "settings": asdict(result.settings),
        "seconds": result.seconds,
        "output_error": result.output_error,
        "layers": [asdict(layer) for layer in result.layers],
        "network": asdict(comparison),
    }
    data = replace_nonfinite(data)  # null: the error of a layer whose outputs are 0
    json = dump_json(data, file=folder / "report.json", error=WeightsError, indent=1)
    for name, text in (("report.md", report_markdown(result, comparison)), ("report.json", json + "\n")):
        with replacing(folder / name, error=WeightsError) as file:
            file.write(text.encode())
    _draw(folder / "report.png", result)


def _rows(c: Comparison) -> list[str]:
    pairs = (
        ("MMAC", c.multiply_adds[0] / 1e6, c.multiply_adds[1] / 1e6),
        ("weights, kB", c.bytes[0] / 1e3, c.bytes[1] / 1e3),
        ("ms an image", *c.milliseconds),
    )
    return [f"| {name} | {a:.2f} | {b:.2f} | {b / a:.3f} |" for name, a, b in pairs]


def _draw(path: Path, result: Decomposition) -> None:
    """Draw error and cost of every layer."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingExtraError("plots", needed_for="the report's image") from None
    figure = Figure(figsize=(8, 5), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True)
    labels = [f"{r.index}\n{r.choice}" for r in result.layers]
    at = np.arange(len(labels))
    above.bar(at, [r.held_back for r in result.layers], color="tab:red")
    above.set_ylabel("relative error,\nheld-back images")
    for shift, column, label in ((-0.2, 0, "original"), (0.2, 1, "decomposed")):
        below.bar(at + shift, [r.multiply_adds[column] / 1e6 for r in result.layers], width=0.4, label=label)
    below.set_ylabel("MMAC")
    below.set_xticks(at, labels, fontsize=7)
    below.legend()
    with replacing(path, error=WeightsError) as file:
        figure.savefig(file, format="png", dpi=120)


def _agreement(original: Network, decomposed: Network, images: Array, threads: int) -> float:
    expected, found = (_detections(network, images, threads) for network in (original, decomposed))
    return f1_of(expected, found)


def _detections(network: Network, images: Array, threads: int) -> list[Candidates]:
    with engine.compile(network, threads=threads) as runner:
        return [agreed_detections(network, runner(image)) for image in images]
