"""The file of ``evaluate --json``, as ``--compare`` reads it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from msgspec import Meta, Struct, field

from yolodsc.errors import DatasetError
from yolodsc.schemas import Finite, Index, Share, Text, below, checked, joined, refuse


class ClassFigures(Struct, frozen=True, kw_only=True):
    """One class by one rule."""

    ap: Share | None
    positives: Index = 0
    detections: Index = 0
    tp: Index = 0
    fp: Index = 0
    precision: Share | None = None
    recall: Share | None = None
    best_f1: Share = 0.0
    best_f1_score: Finite = 1.0


class RuleFigures(Struct, frozen=True, kw_only=True):
    """All classes by one rule."""

    classes: dict[Text, ClassFigures]
    mean_ap: Share | None = None


class ClassMatches(Struct, frozen=True, kw_only=True, rename={"image": "picture"}):
    """One class by the first rule: indices of images, and which detections are right.

    Attributes
    ----------
    positives
        The image of each object that is to be found.
    image, right
        Image of each detection, best score first, and ``1`` or ``0``.
    """

    positives: list[Index]
    image: list[Index] = field(name="picture")
    right: Annotated[str, Meta(pattern="^[01]*$")]


class Matches(Struct, frozen=True, kw_only=True):
    """What a paired comparison draws from."""

    rule: Text
    classes: dict[Text, ClassMatches]


class EvaluationFile(Struct, frozen=True, kw_only=True, rename={"images": "pictures"}):
    """The whole file; the fields that nothing reads back are left aside."""

    rules: dict[Text, RuleFigures]
    images: Annotated[list[Text], Meta(min_length=1)] = field(name="pictures")
    matches: Matches


def check_evaluation(content: Any, *, file: str | Path, rules: Sequence[str]) -> EvaluationFile:
    """The evaluation in a parsed file; a `DatasetError` names what does not fit.

    Besides types and ranges: the rule is one of ``rules`` and has figures of each class; indices lie within the images;
    a class has one outcome a detection, and no more right ones than objects.
    """
    evaluation = checked(content, EvaluationFile, file=file, error=DatasetError)
    name = evaluation.matches.rule
    if name not in rules or name not in evaluation.rules:
        refuse("$.matches.rule", name, "a rule that $.rules has figures of", file=file, error=DatasetError)
    for label, class_matches in evaluation.matches.classes.items():
        at = joined("$.matches.classes", label)
        if label not in evaluation.rules[name].classes:
            refuse(at, label, f"a class that {joined('$.rules', name)} has figures of", file=file, error=DatasetError)
        _fitting(class_matches, len(evaluation.images), at=at, file=file)
    return evaluation


def _fitting(class_matches: ClassMatches, count: int, *, at: str, file: str | Path) -> None:
    below(class_matches.positives, count, at=f"{at}.positives", file=file, error=DatasetError)
    below(class_matches.image, count, at=f"{at}.picture", file=file, error=DatasetError)
    if len(class_matches.right) != len(class_matches.image):
        raise DatasetError(
            f"{file}: at {at}.right: got {len(class_matches.right)} outcomes, expected {len(class_matches.image)}, one a detection"
        )
    if class_matches.right.count("1") > len(class_matches.positives):
        right, objects = class_matches.right.count("1"), len(class_matches.positives)
        raise DatasetError(f"{file}: at {at}.right: got {right} right detections, expected at most {objects}, one an object")
