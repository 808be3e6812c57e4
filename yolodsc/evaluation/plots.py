"""Curves of an evaluation as PNG (extra ``plots``) and as JSON."""

import math
import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from yolodsc.errors import DatasetError, MissingExtraError
from yolodsc.evaluation.evaluation import Evaluation, write_json
from yolodsc.evaluation.metrics.score import ClassResult
from yolodsc.files import replacing

MAX_COUNTS = 26
"""Rows of a confusion matrix whose counts are written into its cells."""


def write_plots(folder: Path, evaluation: Evaluation) -> None:
    """Curves of each class by the first rule, an overview, the confusion matrix and the reliability diagram.

    ``pr_CLASS.png``, ``f1_CLASS.png``, ``overview.png``, ``confusion.png``, ``reliability.png`` and ``curves.json``.
    """
    require_matplotlib()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")  # class names in scripts that the font lacks
        _write_plots(folder, evaluation)


def require_matplotlib() -> None:
    """A `MissingExtraError` where there is no matplotlib."""
    if find_spec("matplotlib") is None:
        raise MissingExtraError("plots", needed_for="plots")


def _write_plots(folder: Path, evaluation: Evaluation) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    first = next(iter(evaluation.results.values()))
    shown = [(n, c) for n, c in zip(evaluation.dataset.names, first.classes, strict=True) if c is not None and len(c.curve.score)]
    for name, result in shown:
        for kind, draw in (("pr", _draw_pr), ("f1", _draw_f1)):
            figure = Figure(figsize=(5, 4), dpi=110, layout="constrained")
            draw(figure.add_subplot(), name, result)
            _save(folder / f"{kind}_{name.replace('/', '_')}.png", FigureCanvasAgg(figure))
    columns = math.ceil(math.sqrt(len(shown) or 1) * 1.2)
    lines = math.ceil((len(shown) or 1) / columns)
    figure = Figure(figsize=(2.6 * columns, 2.3 * lines + 0.4), dpi=110, layout="constrained")
    mean = "-" if first.mean_ap is None else f"{100 * first.mean_ap:.2f} %"
    figure.suptitle(f"{first.rule.name}: mean AP {mean}")
    for i, (name, result) in enumerate(shown, 1):
        _draw_pr(figure.add_subplot(lines, columns, i), name, result)
    _save(folder / "overview.png", FigureCanvasAgg(figure))
    for file, draw_into in (("confusion.png", _draw_confusion), ("reliability.png", _draw_reliability)):
        figure = Figure(figsize=(7, 6) if file == "confusion.png" else (5, 4.5), dpi=110, layout="constrained")
        draw_into(figure.add_subplot(), evaluation)
        _save(folder / file, FigureCanvasAgg(figure))
    arrays = {name: _arrays(result) for name, result in shown}
    write_json(folder / "curves.json", {"rule": first.rule.name, "classes": arrays})


def _draw_pr(axes: Any, name: str, result: ClassResult) -> None:
    axes.step(result.curve.recall, result.curve.precision, where="post", linewidth=1.4, color="#2166ac")
    axes.fill_between(result.curve.recall, result.curve.precision, step="post", alpha=0.15, color="#2166ac")
    axes.set_title(f"{name}: AP {'-' if result.ap is None else f'{100 * result.ap:.1f}'}", fontsize=9, parse_math=False)
    _axes(axes, "recall", "precision")


def _draw_f1(axes: Any, name: str, result: ClassResult) -> None:
    axes.plot(result.curve.score, result.curve.f1, linewidth=1.4, color="#b2182b")
    axes.axvline(result.best_f1_score, linestyle=":", color="0.4", linewidth=1)
    axes.set_title(f"{name}: best F1 {100 * result.best_f1:.1f} at {result.best_f1_score:.3f}", fontsize=9, parse_math=False)
    _axes(axes, "score threshold", "F1")


def _draw_confusion(axes: Any, evaluation: Evaluation) -> None:
    """Rows of objects, columns of detections, as shares of each row; classes that do not occur are left out."""
    matrix = evaluation.confusion.matrix
    shown = [c for c in range(len(matrix) - 1) if matrix[c].any() or matrix[:, c].any()]
    kept = [*shown, len(matrix) - 1]
    counts = matrix[np.ix_(kept, kept)]
    names = [evaluation.dataset.names[c] for c in shown]
    axes.imshow(counts / np.maximum(counts.sum(axis=1, keepdims=True), 1), cmap="Blues", vmin=0, vmax=1)
    if len(kept) <= MAX_COUNTS:
        for row, column in zip(*np.nonzero(counts), strict=True):
            dark = counts[row, column] > counts[row].sum() / 2
            axes.text(column, row, counts[row, column], ha="center", va="center", fontsize=6, color="w" if dark else "k")
    axes.set_xticks(range(len(kept)), [*names, "missed"], rotation=90, fontsize=7, parse_math=False)
    axes.set_yticks(range(len(kept)), [*names, "background"], fontsize=7, parse_math=False)
    axes.set_xlabel(f"detected, score > {evaluation.thresh:g}", fontsize=8)
    axes.set_ylabel("ground truth", fontsize=8)


def _draw_reliability(axes: Any, evaluation: Evaluation) -> None:
    """Precision of the detections in each bin of scores; the diagonal is perfect calibration."""
    found = evaluation.calibration
    width = 1 / len(found.counts)
    known = found.counts > 0
    axes.bar((np.arange(len(found.counts)) + 0.5)[known] * width, found.mean_precision[known], width * 0.92, color="#2166ac")
    axes.plot((0, 1), (0, 1), linestyle=":", color="0.4", linewidth=1)
    ece = "-" if found.ece is None else f"{100 * found.ece:.2f} %"
    axes.set_title(f"{evaluation.headline.rule.name}: ECE {ece} above {found.thresh:g}", fontsize=9, parse_math=False)
    _axes(axes, "score", "precision")


def _axes(axes: Any, x: str, y: str) -> None:
    axes.set(xlim=(0, 1), ylim=(0, 1.02))
    axes.set_xlabel(x, fontsize=8)
    axes.set_ylabel(y, fontsize=8)
    axes.tick_params(labelsize=7)
    axes.grid(alpha=0.25)


def _save(path: Path, canvas: Any) -> None:
    with replacing(path, error=DatasetError) as file:
        canvas.print_png(file)


def _arrays(result: ClassResult) -> dict[str, list[float]]:
    points = result.curve
    named = {"score": points.score, "precision": points.precision, "recall": points.recall, "f1": points.f1}
    return {name: values.tolist() for name, values in named.items()}
