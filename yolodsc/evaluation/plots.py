"""Curves of an evaluation as PNG (extra ``plots``) and as JSON."""

import math
import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from yolodsc.errors import DatasetError, MissingExtraError
from yolodsc.evaluation.evaluation import Evaluation, write_json
from yolodsc.evaluation.metrics.score import ClassResult
from yolodsc.files import replacing


def write_plots(folder: Path, evaluation: Evaluation) -> None:
    """``overview.png``, ``pr_CLASS.png``, ``f1_CLASS.png`` and ``curves.json`` by the first rule."""
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
