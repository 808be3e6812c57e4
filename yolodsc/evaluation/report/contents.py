"""The data of each kind of page: an evaluation, a comparison of two, detections without ground truth, an audit."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from yolodsc.evaluation.audit.ranking import FAULTS, Audit, Suspect
from yolodsc.evaluation.comparison.bootstrap import RESAMPLES, Difference
from yolodsc.evaluation.evaluation import Evaluation
from yolodsc.evaluation.metrics.score import ClassResult
from yolodsc.evaluation.report.gallery import MAX_IMAGES, cards, gallery_of, image_entry, relative_box, thinned

MAX_POINTS = 240
"""Points of a curve."""
MAX_SUSPECTS = 300


def evaluation_page(
    evaluation: Evaluation, *, comparison: dict[str, Any] | None = None, images: int = MAX_IMAGES
) -> dict[str, Any]:
    """Verdict, tables, curves, confusion matrix, calibration, errors, and the images with most errors."""
    headline, dataset, truth = evaluation.headline, evaluation.dataset, evaluation.dataset.ground_truth
    content = evaluation.to_json()
    present = set(truth.class_id.tolist())
    occurring = [c for c in range(len(dataset.names)) if c in present or evaluation.confusion.matrix[:, c].any()]
    kept = [*occurring, len(dataset.names)]
    return {
        "kind": "evaluation",
        "title": f"{headline.rule.name} {_percent(headline.mean_ap)}",
        "names": list(dataset.names),
        "thresh": evaluation.thresh,
        "verdict": {
            "rule": headline.rule.name,
            "program": headline.rule.program,
            "images": len(dataset.ids),
            "difficult": int((truth.difficult | truth.crowd).sum()),
            "detections": len(evaluation.detections),
            **content["headline"],
        },
        "rules": [
            {"name": name, "program": result.rule.program, "mean_ap": result.mean_ap, "figures": result.figures}
            for name, result in evaluation.results.items()
        ],
        "classes": [_class(evaluation, c) for c in sorted(present) if headline.classes[c] is not None],
        "absent": [name for c, name in enumerate(dataset.names) if c not in present],
        "confusion": {
            "names": [dataset.names[c] for c in occurring],
            "matrix": evaluation.confusion.matrix[np.ix_(kept, kept)].tolist(),
        },
        "calibration": content["calibration"],
        "errors": content["errors"],
        "speed": evaluation.speed,
        "notes": list(evaluation.notes),
        "comparison": comparison,
        "images": cards(gallery_of(dataset, evaluation.detections), thresh=evaluation.thresh, limit=images),
        "of": len(dataset.ids),
    }


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.2f} %"


def _class(evaluation: Evaluation, number: int) -> dict[str, Any]:
    name = evaluation.dataset.names[number]
    found: ClassResult | None = evaluation.headline.classes[number]
    entry = evaluation.to_json_class(number)
    points = np.zeros(0, np.int64)
    if found is not None and len(found.curve.score):
        points = np.unique(np.linspace(0, len(found.curve.score) - 1, MAX_POINTS).astype(np.int64))
    curve = None if found is None else found.curve
    columns = () if curve is None else (("score", curve.score), ("precision", curve.precision), ("recall", curve.recall))
    return {
        "name": name,
        **entry,
        "aps": {rule: _ap(result.classes[number]) for rule, result in evaluation.results.items()},
        "curve": {key: thinned(values, points) for key, values in columns},
    }


def _ap(found: ClassResult | None) -> float | None:
    return None if found is None else found.ap


def comparison_content(differences: dict[str, Difference], *, rule: str, images: int, a: str, b: str) -> dict[str, Any]:
    """Two runs by class; ``a`` and ``b`` are their names."""
    rows = [
        {"name": name, "a": d.a, "b": d.b, "difference": d.value, "low": d.low, "high": d.high} for name, d in differences.items()
    ]
    return {"rule": rule, "images": images, "draws": RESAMPLES, "a": a, "b": b, "rows": rows}


def comparison_page(comparison: dict[str, Any]) -> dict[str, Any]:
    """A page of two runs alone."""
    return {"kind": "comparison", "title": f"{comparison['b']} against {comparison['a']}", "comparison": comparison, "names": []}


def detections_page(names: Sequence[str], images: list[dict[str, Any]], *, of: int) -> dict[str, Any]:
    """Images with detections; there is no ground truth."""
    return {"kind": "detections", "title": f"{of:,} images", "names": list(names), "images": images, "of": of, "thresh": 0.0}


def audit_page(audit: Audit, *, limit: int = MAX_SUSPECTS) -> dict[str, Any]:
    """The most suspicious labels, each with the image around it."""
    shown = list(audit.suspects[:limit])
    images = {suspect.image: image_entry(audit.dataset, suspect.image) for suspect in shown}
    return {
        "kind": "audit",
        "title": f"{len(audit.suspects):,} labels and detections",
        "names": list(audit.dataset.names),
        "faults": list(FAULTS),
        "images": list(images.values()),
        "suspects": [
            {"rank": rank, "entry": list(images).index(suspect.image), **_suspect(audit, suspect)}
            for rank, suspect in enumerate(shown, 1)
        ],
        "of": len(audit.suspects),
        "labels": int((~audit.dataset.ground_truth.difficult).sum()),
        "all_images": len(audit.dataset.ids),
    }


def _suspect(audit: Audit, suspect: Suspect) -> dict[str, Any]:
    truth, found = audit.dataset.ground_truth, audit.detections
    label, detection = suspect.label, suspect.detection
    return {
        "fault": suspect.fault,
        "suspicion": round(suspect.suspicion, 4),
        "label": None
        if label is None
        else {"class": int(truth.class_id[label]), "box": relative_box(audit.dataset, suspect.image, truth.boxes_xyxy[label])},
        "detection": None
        if detection is None
        else {
            "class": int(found.class_id[detection]),
            "score": round(float(found.score[detection]), 4),
            "box": relative_box(audit.dataset, suspect.image, found.boxes_xyxy[detection]),
        },
    }
