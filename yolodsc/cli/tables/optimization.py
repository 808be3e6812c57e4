"""Tables of ``yolodsc optimize``."""

from collections.abc import Sequence

from yolodsc.bench import Result
from yolodsc.cli.tables.table import aligned
from yolodsc.cli.terminal import styled
from yolodsc.optimize import Measurement, Optimization, pareto_front


def optimization_lines(result: Optimization, others: Sequence[Result]) -> list[str]:
    """The Pareto front, the choice in all precisions and on other engines."""
    chosen = result.chosen
    lines = [*_measured(result, pareto_front(list(result.measurements))), ""]
    same = [m for m in result.measurements if m.candidate.stem == chosen.candidate.stem]
    lines += [*_measured(result, same), ""]
    rows = [
        ("engine", "precision", "ms", "ratio"),
        *((r.engine, r.precision, f"{r.median_ms:.2f}", f"{r.ratio:.2f}") for r in others),
    ]
    lines += [*aligned(rows, left=2), ""]
    share = chosen.milliseconds / result.original.milliseconds
    quality = chosen.quality / max(result.original.quality, 1e-9)
    text = f"chosen: {chosen.candidate}, {share:.3f} of the original's time, {100 * quality:.1f} % of its quality"
    return [*lines, styled(text if result.reached else f"{text}; no candidate reaches the goal", "bold")]


def _measured(result: Optimization, measurements: Sequence[Measurement]) -> list[str]:
    rows: list[tuple[str, ...]] = [("input", "form", "precision", "ms", "ratio", "F1", "mAP")]
    for m in measurements:
        c = m.candidate
        scored = "" if m.mean_ap is None else f"{100 * m.mean_ap:.2f}"
        ratio = f"{m.milliseconds / result.original.milliseconds:.3f}"
        rows.append((f"{c.width}x{c.height}", c.form, c.precision, f"{m.milliseconds:.2f}", ratio, f"{m.agreement:.3f}", scored))
    return aligned(rows, left=3)
