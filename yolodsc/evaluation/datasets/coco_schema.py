"""COCO's ground truth and results."""

from pathlib import Path
from typing import Annotated, Any

from msgspec import Meta, Struct

from yolodsc.errors import DatasetError
from yolodsc.schemas import Box, Finite, Positive, Side, Text, Whole, checked, unique

Name = Whole | Text
"""Image ids and categories are numbers; other programs write names."""


class Image(Struct, frozen=True, kw_only=True):
    """One of ``images``; width and height are missing in some files."""

    id: Name
    file_name: Text | None = None
    width: Side | None = None
    height: Side | None = None


class Category(Struct, frozen=True, kw_only=True):
    """One of ``categories``."""

    id: Name
    name: Text


class Annotation(Struct, frozen=True, kw_only=True):
    """One of ``annotations``: ``bbox`` is left, top, width, height."""

    image_id: Name
    category_id: Name
    bbox: tuple[Finite, Finite, Positive, Positive]
    iscrowd: bool | Annotated[int, Meta(ge=0, le=1)] = 0
    area: Positive | None = None


class CocoGroundTruth(Struct, frozen=True, kw_only=True):
    """A file such as ``instances_val2017.json``."""

    images: Annotated[list[Image], Meta(min_length=1)]
    categories: list[Category]
    annotations: list[Annotation]


class CocoResult(Struct, frozen=True, kw_only=True):
    """One detection of a results file."""

    image_id: Name
    category_id: Name
    bbox: Box
    score: Finite


def coco_ground_truth(content: Any, *, file: Path) -> CocoGroundTruth:
    """Ground truth whose ids are unique, and of one kind so that they can be sorted."""
    ground_truth = checked(content, CocoGroundTruth, file=file, error=DatasetError)
    for field, entries in (("images", ground_truth.images), ("categories", ground_truth.categories)):
        ids = [entry.id for entry in entries]
        unique(map(str, ids), at=f"$.{field}", field=".id", file=file, error=DatasetError)
        if len({type(one) for one in ids}) > 1:
            raise DatasetError(f"{file}: at $.{field}: got ids that are integers and strings, expected one kind")
    return ground_truth


def coco_results(content: Any, *, file: Path) -> list[CocoResult]:
    """A list of detections."""
    return checked(content, list[CocoResult], file=file, error=DatasetError)
