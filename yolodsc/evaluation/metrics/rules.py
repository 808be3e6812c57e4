"""The rules of average precision in use, each as one value: what one program counts, and how.

Programs report results that differ by 2 to 17 points for the same detections. Everything in which they differ is a field of `Rule`;
nothing else in the package knows the name of a rule.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from yolodsc.errors import OptionError
from yolodsc.evaluation.metrics.tables import Doubles

Interpolation = Literal["area", "11 arange", "11 colon", "11 product", "101 product", "101 exact", "101 linspace"]
"""How a curve becomes a number: the area under its envelope, or the mean of the envelope at so many recalls."""

_COLON = np.array([0.1 * i for i in range(6)] + [1 - 0.1 * i for i in range(4, -1, -1)])
RECALL_POINTS: dict[Interpolation, Doubles | None] = {
    "area": None,
    "11 arange": np.arange(0.0, 1.1, 0.1),  # NumPy: 3 * 0.1 and 6 * 0.1 exceed 0.3 and 0.6 by one bit
    "11 colon": _COLON,  # MATLAB's 0:0.1:1 counts from both ends, so that only 3 * 0.1 exceeds
    "11 product": np.arange(11.0) * (1 / 10),  # Darknet writes i / 10, its compiler (-Ofast) multiplies: the printed APs show it
    "101 product": np.arange(101.0) * (1 / 100),
    "101 exact": np.arange(101) / 100.0,
    "101 linspace": np.linspace(0.0, 1.0, 101),
}
"""The recalls themselves. A curve that reaches recall 3/10 exactly has not reached 3 * 0.1, which is one bit more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One program's way of scoring.

    Attributes
    ----------
    name
        Its name in `RULES`.
    program
        The program that scores by it.
    offset
        Added to widths and heights: 1 where corners are inclusive pixels, 0 where they are continuous.
    iou
        Overlaps that a match needs; the result is the mean over them.
    accept
        Whether a match needs at least the overlap, or more.
    matching
        ``best``: a detection belongs to the one object of its class that it overlaps most, taken or not.
        ``free``: to the best one that is not taken yet.
    difficult
        ``ignore``: difficult objects need not be found, and a detection that matches one counts neither way.
        ``drop``: they are not there, so that whoever finds one is wrong.
        ``list``: as ``drop``, but a wrong detection that overlaps one leaves the curve (though not TP and FP at a
        threshold).
    interpolation
        See `Interpolation`.
    empty
        Classes without objects: left out of the mean, or counted as 0.
    ties
        Order of equal scores: as ``given`` in the files, or by ``image`` and then as given.
    borders
        Whether boxes that reach outside of their image are cut at its borders (``clip``) or not (``open``);
        concerns detections that know their image's size.
    per_image
        How many detections of a class count in one image, best first; None: all.
    counts
        In which order detections of one object compete for the TP at a threshold: by ``score``, or as ``given``.
    """

    name: str
    program: str
    offset: float
    iou: tuple[float, ...] = (0.5,)
    accept: Literal[">=", ">"]
    matching: Literal["best", "free"] = "best"
    difficult: Literal["ignore", "drop", "list"] = "ignore"
    interpolation: Interpolation
    empty: Literal["skip", "zero"] = "skip"
    ties: Literal["given", "image"] = "given"
    borders: Literal["clip", "open"] = "clip"
    per_image: int | None = None
    counts: Literal["score", "given"] = "score"


def _darknet(name: str, points: str, interpolation: Interpolation) -> Rule:
    """AlexeyAB ``detector.c: validate_detector_map`` with one value of ``-points``."""
    return Rule(
        name=name,
        program=f"AlexeyAB darknet, detector map -points {points}",
        offset=0.0,
        accept=">",
        difficult="drop",
        interpolation=interpolation,
        empty="zero",
        ties="image",
        borders="open",
        counts="given",
    )


_PRESETS = (
    Rule(
        name="voc07",
        program="VOC devkit 2007 (VOCevaldet.m), 11 points",
        offset=1.0,
        accept=">=",
        interpolation="11 colon",
    ),
    Rule(name="voc10", program="VOC devkit 2010 and later, all points", offset=1.0, accept=">=", interpolation="area"),
    Rule(
        name="py-faster-rcnn-07",
        program="py-faster-rcnn voc_eval.py, use_07_metric=True",
        offset=1.0,
        accept=">",
        interpolation="11 arange",
    ),
    Rule(name="py-faster-rcnn", program="py-faster-rcnn voc_eval.py", offset=1.0, accept=">", interpolation="area"),
    _darknet("darknet", "0", "area"),
    _darknet("darknet-11", "11", "11 product"),
    _darknet("darknet-101", "101", "101 product"),
    Rule(
        name="coco",
        program="pycocotools COCOeval, bbox",
        offset=0.0,
        iou=tuple(np.linspace(0.5, 0.95, 10).tolist()),
        accept=">=",
        matching="free",
        interpolation="101 linspace",
        ties="image",
        per_image=100,
    ),
    Rule(
        name="cartucho",
        program="Cartucho/mAP main.py",
        offset=1.0,
        accept=">=",
        interpolation="area",
        ties="image",
    ),
)

RULES = {rule.name: rule for rule in _PRESETS}
"""All presets by name, in the order of the table that is printed."""


def rules_named(names: str) -> tuple[Rule, ...]:
    """The rules of a list like ``voc07,darknet`` (commas or blanks; ``all``: every one), in the order asked for."""
    requested = names.replace(",", " ").split()
    if requested == ["all"]:
        return tuple(RULES.values())
    unknown = [name for name in requested if name not in RULES]
    if unknown or not requested:
        raise OptionError(f"rules {names}: {unknown or 'nothing'} is no rule; expected some of {', '.join(RULES)}")
    return tuple(RULES[name] for name in dict.fromkeys(requested))


def with_headline(rules: Sequence[Rule], name: str) -> tuple[Rule, ...]:
    """The rules with the one of this name first; it is added if it is not among them."""
    if name not in RULES:
        raise OptionError(f"rule={name}: expected one of {', '.join(RULES)}", parameter="rule")
    return (next((rule for rule in rules if rule.name == name), RULES[name]), *(rule for rule in rules if rule.name != name))


def adjust_rule(rule: Rule, *, iou: float | None = None, difficult: Literal["drop", "list"] = "drop") -> Rule:
    """The rule with the overlap and the way with difficult objects that its program was asked for.

    Parameters
    ----------
    iou
        Stands for the one overlap of a rule (Darknet: ``-iou_thresh``); COCO's ten stay.
    difficult
        Darknet without (``drop``) or with (``list``) ``difficult=`` in its ``.data``; other programs have no choice.
    """
    changed = rule if iou is None or len(rule.iou) > 1 else replace(rule, iou=(iou,))
    return changed if changed.difficult == "ignore" else replace(changed, difficult=difficult)
