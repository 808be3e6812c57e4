"""Tables and CSV of ``yolodsc evaluate``."""

import csv
from collections.abc import Sequence
from io import StringIO

from yolodsc.cli.tables.table import aligned
from yolodsc.cli.terminal import styled
from yolodsc.detection import text_cell
from yolodsc.evaluation import CONFUSION_IOU, RESAMPLES, Difference, Evaluation, RuleResult

MAX_ABSENT, MAX_CONFUSED = 8, 6
"""Classes without objects that are named; pairs of classes that are most often confused."""


def evaluation_lines(evaluation: Evaluation, *, confusion: bool = False) -> list[str]:
    """The verdict, AP of every class by every rule, counts by the headline rule, COCO's figures, errors and speed."""
    results = list(evaluation.results.values())
    present, absent = _present(evaluation)
    names = evaluation.dataset.names
    rows = [["AP %", *(result.rule.name for result in results)]]
    rows += [[names[c], *(_percent(f.ap if (f := result.classes[c]) else None) for result in results)] for c in present]
    rows.append(["mean", *(_percent(result.mean_ap) for result in results)])
    lines = [
        *verdict_lines(evaluation),
        "",
        *aligned(rows, left=1),
        *_absent(evaluation, absent),
        "",
        *_counts(evaluation, present),
    ]
    lines += ["", *(f"{', '.join(rules)}: {figures}" for figures, rules in _figures(results).items())]
    costs, counts = evaluation.errors.costs, evaluation.errors.counts
    lines.append("errors (TIDE), AP lost: " + ", ".join(f"{kind} {100 * costs[kind]:.2f} ({counts[kind]})" for kind in costs))
    lines += [_confused(evaluation), _calibrated(evaluation)]
    if evaluation.speed:
        lines.append("ms an image: " + ", ".join(f"{stage} {time:.1f}" for stage, time in evaluation.speed.items()))
    return [*lines, *(["", *_matrix(evaluation, present)] if confusion else [])]


def verdict_lines(evaluation: Evaluation) -> list[str]:
    """The headline rule and its mean AP, what was scored, and the totals that Darknet prints."""
    headline, found, truth = evaluation.headline, evaluation.totals, evaluation.dataset.ground_truth
    averaged = sum(result is not None and result.ap is not None for result in headline.classes)
    ignored = int((truth.difficult | truth.crowd).sum())
    aside = f" and {ignored:,} difficult or crowd" if ignored else ""
    counts = f"TP {found.true_positives:,}, FP {found.false_positives:,}, FN {found.false_negatives:,}"
    rates = f"precision {_percent(found.precision)}, recall {_percent(found.recall)}, F1 {_percent(found.f1)}"
    return [
        styled(
            f"{headline.rule.name}: mean AP {_percent(headline.mean_ap)} % of {averaged} classes ({headline.rule.program})",
            "bold",
        ),
        f"{len(evaluation.dataset.ids):,} images, {found.objects:,} objects{aside}, {len(evaluation.detections):,} detections",
        f"score > {evaluation.thresh:g}: {counts}; {rates} %",
    ]


def _present(evaluation: Evaluation) -> tuple[list[int], list[int]]:
    """Classes that the dataset has objects of, and those that it has none of."""
    objects = set(evaluation.dataset.ground_truth.class_id.tolist())
    classes = range(len(evaluation.dataset.names))
    return [c for c in classes if c in objects], [c for c in classes if c not in objects]


def _absent(evaluation: Evaluation, classes: Sequence[int]) -> list[str]:
    """One line for the classes without objects, and which rules count them in their means."""
    if not classes:
        return []
    names = [evaluation.dataset.names[c] for c in classes]
    shown = ", ".join(names[:MAX_ABSENT]) + (f" and {len(names) - MAX_ABSENT} more" if len(names) > MAX_ABSENT else "")
    counted = [name for name, result in evaluation.results.items() if result.rule.empty == "zero"]
    note = f"; 0 in the mean of {', '.join(counted)}" if counted else ""
    count = f"{len(classes)} class{'' if len(classes) == 1 else 'es'}"
    return [f"no objects of {count} ({shown}){note}"]


def _confused(evaluation: Evaluation) -> str:
    names = evaluation.dataset.names
    pairs = [f"{names[a]} as {names[b]} {count}" for a, b, count in evaluation.confusion.pairs()[:MAX_CONFUSED]]
    return f"confused, score > {evaluation.thresh:g}: {', '.join(pairs) or 'nothing'}"


def _calibrated(evaluation: Evaluation) -> str:
    found = evaluation.calibration
    figures = f"ECE {_percent(found.ece)} %, mean score {_percent(found.score)}, precision {_percent(found.precision)}"
    return f"calibration, score > {found.thresh:g}: {figures}"


def _matrix(evaluation: Evaluation, present: Sequence[int]) -> list[str]:
    """The confusion matrix of the classes that occur: rows of objects, columns of detections."""
    matrix, names = evaluation.confusion.matrix, evaluation.dataset.names
    last = len(names)
    kept = [c for c in range(last) if c in set(present) or matrix[:, c].any()]
    rows = [["", "confusion", *(str(number) for number in range(1, len(kept) + 1)), "missed"]]
    for number, c in enumerate([*kept, last], 1):
        label = ["-", "background"] if c == last else [str(number), names[c]]
        rows.append([*label, *(str(matrix[c, k]) if matrix[c, k] else "." for k in [*kept, last])])
    return [
        *aligned(rows, left=2),
        f"rows: ground truth; columns: detections with score > {evaluation.thresh:g}, IoU > {CONFUSION_IOU:g}",
    ]


def _figures(results: Sequence[RuleResult]) -> dict[str, list[str]]:
    """Figures besides AP, each with the rules that report them."""
    rules_by_figures: dict[str, list[str]] = {}
    for result in results:
        if result.figures:
            shown = (f"{name} {_percent(value if value >= 0 else None)}" for name, value in result.figures.items())
            rules_by_figures.setdefault(", ".join(shown), []).append(result.rule.name)
    return rules_by_figures


def _counts(evaluation: Evaluation, present: Sequence[int]) -> list[str]:
    first = evaluation.headline
    head = [f"{first.rule.name}, score > {evaluation.thresh:g}", "GT", "TP", "FP", "precision", "recall", "best F1", "at score"]
    rows = [head]
    for c in present:
        name, found = evaluation.dataset.names[c], first.classes[c]
        if found is not None:
            numbers = [str(found.positives), str(found.true_positives), str(found.false_positives)]
            rates = [_percent(found.precision), _percent(found.recall), _percent(found.best_f1), f"{found.best_f1_score:.3f}"]
            rows.append([name, *numbers, *rates])
    return aligned(rows, left=1)


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.2f}"


def comparison_lines(differences: dict[str, Difference], *, rule: str, images: int, a: str, b: str) -> list[str]:
    """One line for each class and one for the mean of the runs ``a`` and ``b``; a star marks intervals that exclude zero."""
    mean = differences[""]
    verdict = f"{rule}: mean AP {_percent(mean.a)} % of A ({a}), {_percent(mean.b)} % of B ({b}), {images:,} images"
    rows = [[f"AP %, {rule}", "A", "B", "B - A", "95 % low", "high", ""]]
    for name, difference in [*((n, d) for n, d in differences.items() if n), ("mean", differences[""])]:
        known = difference.low is not None and difference.high is not None
        star = "*" if known and not (difference.low or 0.0) <= 0.0 <= (difference.high or 0.0) else ""
        values = (difference.a, difference.b, difference.value, difference.low, difference.high)
        rows.append([name, *(_percent(value) for value in values), star])
    return [verdict, "", *aligned(rows, left=1), "", f"*: {RESAMPLES:,} draws of {images:,} images leave 0 outside of the interval"]


def csv_text(evaluation: Evaluation) -> str:
    """CSV with one line for each rule and class."""
    text = StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow("rule class ap positives detections tp fp precision recall best_f1 best_f1_score".split())
    for rule, content in evaluation.to_json()["rules"].items():
        for name, found in content["classes"].items():
            writer.writerow([rule, text_cell(name), *found.values()])
    return text.getvalue()
