"""Reports on an optimization in Markdown, JSON and as a chart of the Pareto front."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import msgspec

from yolodsc.bench import Result
from yolodsc.errors import MissingExtraError, OptionError
from yolodsc.files import folder as make_folder
from yolodsc.files import replacing
from yolodsc.optimize.measurement import (
    BASELINES,
    BF16,
    COMBINED,
    DECOMPOSED,
    INT8,
    SMALLER,
    Measurement,
    baseline_of,
    best_within,
    pareto_front,
)
from yolodsc.optimize.settings import Optimization
from yolodsc.schemas import dump_json, replace_nonfinite

COLOURS = {
    SMALLER: "tab:gray",
    BF16: "tab:cyan",
    INT8: "tab:blue",
    DECOMPOSED: "tab:orange",
    COMBINED: "tab:purple",
    "": "tab:red",
}


def optimization_markdown(result: Optimization, others: Sequence[Result] = ()) -> str:
    """The choice, its comparison with the baselines, the front, all candidates, and times on other engines."""
    lines = [
        *_summary(result),
        "",
        *_compared(result),
        "",
        "## Pareto front",
        "",
        *_table(result, pareto_front(list(result.measurements))),
    ]
    lines += ["", "## All candidates", "", *_table(result, sorted(result.measurements, key=lambda m: m.milliseconds))]
    lines += ["", "## The chosen network in every precision", "", *_table(result, _precisions(result))]
    if others:
        lines += [
            "",
            "## The chosen network on other engines",
            "",
            "| engine | precision | ms (median) | ratio |",
            "|---|---|---|---|",
        ]
        lines += [f"| {r.engine} | {r.precision} | {r.median_ms:.2f} | {r.ratio:.2f} |" for r in others]
    return "\n".join(lines) + "\n"


def write_optimization_report(folder: Path, result: Optimization, others: Sequence[Result] = ()) -> None:
    """``report.md``, ``report.json`` and ``report.png``; a `MissingExtraError` without Matplotlib."""
    make_folder(folder, error=OptionError)
    data = {
        "settings": msgspec.to_builtins(result.settings),
        "seconds": result.seconds,
        "reached": result.reached,
        "chosen": _entry(result.chosen),
        "original": _entry(result.original),
        "candidates": [_entry(m) for m in result.measurements],
        "front": [str(m.candidate) for m in pareto_front(list(result.measurements))],
        "engines": [asdict(r) for r in others],
    }
    json = dump_json(replace_nonfinite(data), file=folder / "report.json", error=OptionError, indent=1)
    for name, text in (("report.md", optimization_markdown(result, others)), ("report.json", json + "\n")):
        with replacing(folder / name, error=OptionError) as file:
            file.write(text.encode())
    _draw(folder / "report.png", result)


def relative(result: Optimization, m: Measurement) -> tuple[float, float]:
    """Time and quality relative to the original."""
    return m.milliseconds / result.original.milliseconds, m.quality / max(result.original.quality, 1e-9)


def _summary(result: Optimization) -> list[str]:
    time, quality = relative(result, result.chosen)
    settings = result.settings
    goal = f"within {settings.budget_ms:g} ms" if settings.keep is None else f"keeping {100 * settings.keep:g} % of the quality"
    outcome = "" if result.reached else " No candidate reaches the goal; this is the nearest."
    what = "mean AP" if result.original.mean_ap is not None else "agreement (F1) on held-back images"
    return [
        f"Chosen, {goal}: **{result.chosen.candidate}**, {result.chosen.milliseconds:.2f} ms "
        f"({time:.3f} of the original in float32), {100 * quality:.1f} % of its {what}.{outcome}",
        f"Time taken: {result.seconds:.0f} s, {settings.threads} thread{'s' if settings.threads > 1 else ''}.",
    ]


def _compared(result: Optimization) -> list[str]:
    """The chosen network and the best of each baseline at the same time."""
    lines = ["| at the same time or less | candidate | ms | quality | chosen - baseline |", "|---|---|---|---|---|"]
    for name in BASELINES:
        members = [m for m in result.measurements if baseline_of(m, result.original) == name]
        best = best_within(members, result.chosen.milliseconds * 1.02)
        if best is None:
            lines.append(f"| {name} | none is as fast | | | |")
        else:
            difference = 100 * (result.chosen.quality - best.quality)
            lines.append(f"| {name} | {best.candidate} | {best.milliseconds:.2f} | {100 * best.quality:.2f} | {difference:+.2f} |")
    return lines


def _table(result: Optimization, measurements: Sequence[Measurement]) -> list[str]:
    labelled = result.original.mean_ap is not None
    heading = ["input", "form", "precision", "baseline", "MMAC", "ms", "of the original's", "F1"]
    heading += ["mAP", "of the original's"] if labelled else []
    lines = ["| " + " | ".join(heading) + " |", "|---" * len(heading) + "|"]
    for m in measurements:
        time, quality = relative(result, m)
        c = m.candidate
        cells = [f"{c.width}x{c.height}", c.form, c.precision, baseline_of(m, result.original), f"{m.multiply_adds / 1e6:.1f}"]
        cells += [f"{m.milliseconds:.2f}", f"{time:.3f}", f"{m.agreement:.3f}"]
        cells += [f"{100 * (m.mean_ap or 0):.2f}", f"{100 * quality:.1f} %"] if labelled else []
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def _precisions(result: Optimization) -> list[Measurement]:
    chosen = result.chosen.candidate
    return [m for m in result.measurements if m.candidate.stem == chosen.stem]


def _entry(m: Measurement) -> dict[str, object]:
    return {"name": str(m.candidate), **msgspec.to_builtins(m)}


def _draw(path: Path, result: Optimization) -> None:
    """Draw quality over time: every candidate in the colour of its baseline, the front as a line, the choice as a star."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingExtraError("plots", needed_for="the report's image") from None
    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.subplots()
    for name, colour in COLOURS.items():
        members = [m for m in result.measurements if baseline_of(m, result.original) == name]
        if members:
            points = [m.milliseconds for m in members], [100 * m.quality for m in members]
            axes.scatter(*points, s=22, color=colour, label=name or "decomposed, any size and precision")
    best = pareto_front(list(result.measurements))
    axes.plot([m.milliseconds for m in best], [100 * m.quality for m in best], color="black", linewidth=0.8, label="Pareto front")
    axes.plot([result.chosen.milliseconds], [100 * result.chosen.quality], "*", markersize=14, color="tab:red", label="chosen")
    axes.set(xlabel="ms", ylabel="mAP, %" if result.original.mean_ap is not None else "F1 with the original, %")
    axes.grid(alpha=0.25)
    axes.legend(fontsize=8)
    with replacing(path, error=OptionError) as file:
        figure.savefig(file, format="png", dpi=120)
