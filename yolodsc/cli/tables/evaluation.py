"""Tables and CSV of ``yolodsc evaluate``."""

import csv
from collections.abc import Sequence
from io import StringIO

from yolodsc.cli.tables.table import aligned
from yolodsc.detection import text_cell
from yolodsc.evaluation import RESAMPLES, Difference, Evaluation, RuleResult


def evaluation_lines(evaluation: Evaluation) -> list[str]:
    """AP of every class by every rule, counts by the first rule, COCO's figures, errors and speed."""
    names, results = evaluation.dataset.names, list(evaluation.results.values())
    rows = [["AP %", *(result.rule.name for result in results)]]
    for c, name in enumerate(names):
        rows.append([name, *(_percent(found.ap if (found := result.classes[c]) else None) for result in results)])
    rows.append(["mean", *(_percent(result.mean_ap) for result in results)])
    lines = [*aligned(rows, left=1), "", *_counts(evaluation), ""]
    lines += [f"{', '.join(rules)}: {figures}" for figures, rules in _figures(results).items()]
    costs, counts = evaluation.errors.costs, evaluation.errors.counts
    lines.append("errors (TIDE), AP lost: " + ", ".join(f"{kind} {100 * costs[kind]:.2f} ({counts[kind]})" for kind in costs))
    if evaluation.speed:
        lines.append("ms an image: " + ", ".join(f"{stage} {time:.1f}" for stage, time in evaluation.speed.items()))
    return lines


def _figures(results: Sequence[RuleResult]) -> dict[str, list[str]]:
    """Figures besides AP, each with the rules that report them."""
    rules_by_figures: dict[str, list[str]] = {}
    for result in results:
        if result.figures:
            shown = (f"{name} {_percent(value if value >= 0 else None)}" for name, value in result.figures.items())
            rules_by_figures.setdefault(", ".join(shown), []).append(result.rule.name)
    return rules_by_figures


def _counts(evaluation: Evaluation) -> list[str]:
    first = next(iter(evaluation.results.values()))
    head = [f"{first.rule.name}, score > {evaluation.thresh:g}", "GT", "TP", "FP", "precision", "recall", "best F1", "at score"]
    rows = [head]
    for name, found in zip(evaluation.dataset.names, first.classes, strict=True):
        if found is not None:
            numbers = [str(found.positives), str(found.true_positives), str(found.false_positives)]
            rates = [_percent(found.precision), _percent(found.recall), _percent(found.best_f1), f"{found.best_f1_score:.3f}"]
            rows.append([name, *numbers, *rates])
    return aligned(rows, left=1)


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.2f}"


def comparison_lines(differences: dict[str, Difference], *, rule: str, images: int) -> list[str]:
    """One line for each class and one for the mean; a star marks intervals that exclude zero."""
    rows = [[f"AP %, {rule}", "A", "B", "B - A", "95 % low", "high", ""]]
    for name, difference in [*((n, d) for n, d in differences.items() if n), ("mean", differences[""])]:
        known = difference.low is not None and difference.high is not None
        star = "*" if known and not (difference.low or 0.0) <= 0.0 <= (difference.high or 0.0) else ""
        values = (difference.a, difference.b, difference.value, difference.low, difference.high)
        rows.append([name, *(_percent(value) for value in values), star])
    return [*aligned(rows, left=1), "", f"*: {RESAMPLES:,} draws of {images:,} images leave 0 outside of the interval"]


def csv_text(evaluation: Evaluation) -> str:
    """CSV with one line for each rule and class."""
    text = StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow("rule class ap positives detections tp fp precision recall best_f1 best_f1_score".split())
    for rule, content in evaluation.to_json()["rules"].items():
        for name, found in content["classes"].items():
            writer.writerow([rule, text_cell(name), *found.values()])
    return text.getvalue()
