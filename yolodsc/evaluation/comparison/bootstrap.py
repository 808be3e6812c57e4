"""Is B better than A, or was it the images? A paired bootstrap over images (Efron and Tibshirani, 1993, chapter 13)."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from yolodsc.arrays import Ints
from yolodsc.errors import DatasetError
from yolodsc.evaluation.comparison.schema import ClassMatches, EvaluationFile, check_evaluation
from yolodsc.evaluation.metrics.rules import RECALL_POINTS, RULES
from yolodsc.evaluation.metrics.tables import Doubles

RESAMPLES, SEED, LEVEL = 1000, 20070, 0.95
MAX_WEIGHTS = 2**24
"""Weights of images that are drawn at once: memory does not grow with the number of images."""


@dataclass(frozen=True, slots=True)
class Difference:
    """B minus A, with the interval that holds the middle 95 % of the draws; None where a class has no objects."""

    a: float | None
    b: float | None
    low: float | None
    high: float | None

    @property
    def value(self) -> float | None:
        """The difference itself."""
        return None if self.a is None or self.b is None else self.b - self.a


def read_evaluation(content: Any, *, file: str | Path) -> EvaluationFile:
    """The evaluation in a parsed ``--json`` file; a `DatasetError` names the first field that cannot be used."""
    return check_evaluation(content, file=file, rules=tuple(RULES))


def compare(a: EvaluationFile, b: EvaluationFile, *, draws: int = RESAMPLES, seed: int = SEED) -> dict[str, Difference]:
    """Difference per class and, under ``""``, of the mean AP between two evaluations of the same images by the same rule."""
    rule = RULES[a.matches.rule]
    if b.matches.rule != rule.name or a.images != b.images:
        raise DatasetError("the two evaluations differ in their images or in their first rule; expected the same in both")
    names = [name for name in a.matches.classes if name in b.matches.classes]
    if not names:
        raise DatasetError("the two evaluations have no class in common; expected at least one")
    images = len(a.images)
    rng = np.random.default_rng(seed)
    blocks: list[list[Doubles]] = []
    for first in range(0, draws, block := max(1, MAX_WEIGHTS // images)):
        weights = rng.multinomial(images, np.full(images, 1 / images), size=min(block, draws - first))
        blocks.append([np.stack([_aps(side.matches.classes[name], weights, rule.name) for name in names]) for side in (a, b)])
    drawn = [np.concatenate(parts, axis=1) for parts in zip(*blocks, strict=True)]
    measured = [[side.rules[rule.name].classes[name].ap for name in names] for side in (a, b)]
    if rule.empty == "zero":
        drawn = [np.nan_to_num(aps) for aps in drawn]
    differences = {
        name: Difference(measured[0][i], measured[1][i], *_interval(drawn[1][i] - drawn[0][i])) for i, name in enumerate(names)
    }
    means = [_mean(aps) for aps in drawn]
    a_mean, b_mean = (float(np.mean(known)) if (known := [ap for ap in side if ap is not None]) else None for side in measured)
    return {"": Difference(a_mean, b_mean, *_interval(means[1] - means[0])), **differences}


def _aps(matches: ClassMatches, weights: Ints, rule: str) -> Doubles:
    from yolodsc.evaluation.comparison.resampled import resampled_ap

    recalls = RECALL_POINTS[RULES[rule].interpolation]
    right = np.frombuffer(matches.right.encode(), np.uint8) == ord("1")
    image, positives = np.array(matches.image, np.int64), np.array(matches.positives, np.int64)
    aps: Doubles = resampled_ap(image, right, positives, weights, np.zeros(0) if recalls is None else recalls)
    return aps


def _mean(aps: Doubles) -> Doubles:
    """Mean over classes that have objects in the draw: (B,)."""
    known = ~np.isnan(aps)
    return np.asarray(np.where(known, aps, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1))


def _interval(values: Doubles) -> tuple[float | None, float | None]:
    known = values[~np.isnan(values)]
    if not len(known):
        return None, None
    low, high = np.quantile(known, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)
