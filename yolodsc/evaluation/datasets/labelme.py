"""LabelMe: one JSON file an image, with polygons, rectangles and circles."""

from collections.abc import Sequence
from math import dist
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from msgspec import Meta, Struct

from yolodsc.errors import DatasetError
from yolodsc.evaluation.datasets.dataset import Dataset, InputReport, ground_truth_of, image_sizes, images_in
from yolodsc.files import MAX_DATA_BYTES, is_file, text_of
from yolodsc.schemas import Finite, Side, Text, checked, parse_json

Point = Annotated[list[Finite], Meta(min_length=2, max_length=2)]


class LabelMeShape(Struct, frozen=True, kw_only=True):
    """One of ``shapes``; ``difficult`` is an addition of X-AnyLabeling."""

    label: Text
    points: list[Point]
    shape_type: Text = "polygon"
    difficult: bool = False


class LabelMeImage(Struct, frozen=True, kw_only=True, rename="camel"):
    """A whole file; the pixels in ``imageData`` are left aside."""

    shapes: list[LabelMeShape]
    image_path: Text | None = None
    image_width: Side | None = None
    image_height: Side | None = None


def is_labelme(path: Path) -> bool:
    """Whether a JSON file is one of LabelMe's: it has ``shapes``."""
    text = text_of(path, error=DatasetError, max_bytes=MAX_DATA_BYTES)
    return '"shapes"' in text and '"annotations"' not in text


def read_labelme(folder: Path, report: InputReport, *, names: Sequence[str] = (), images: Path | None = None) -> Dataset:
    """All files of a folder; images where ``images`` says, where the files say, or beside them.

    A shape becomes the box around it. Points, lines and shapes without area are reported and skipped; so is a file that is not
    LabelMe's.
    """
    read: dict[Path, LabelMeImage] = {}
    for path in sorted(folder.glob("*.json")):
        content = _content(path, report)
        if content is not None:
            read[path] = content
    if not read:
        raise DatasetError(f"{folder}: no JSON file of LabelMe in it; expected one an image")
    rows: list[tuple[int, str, list[float], bool]] = []
    for i, (path, content) in enumerate(read.items()):
        boxes = [(shape, _box(shape, path.name, report)) for shape in content.shapes]
        rows += [(i, shape.label, box, shape.difficult) for shape, box in boxes if box is not None]
    classes = tuple(names) + tuple(sorted({row[1] for row in rows} - set(names)))
    ids = tuple(path.stem for path in read)
    beside = images_in(images or folder, ids)
    paths = tuple(_image(path, content, found) for (path, content), found in zip(read.items(), beside, strict=True))
    written = [(content.image_width or np.nan, content.image_height or np.nan) for content in read.values()]
    actual = image_sizes(paths, exif=report.exif)
    sizes = np.where(np.isnan(actual), np.array(written, np.float64), actual)
    ground_truth = ground_truth_of([(i, classes.index(name), box, difficult) for i, name, box, difficult in rows])
    return Dataset(classes, ids, ground_truth, sizes, paths)


def _content(path: Path, report: InputReport) -> LabelMeImage | None:
    """A parsed file; None, and a report, where it is no file of LabelMe's."""
    try:
        content: Any = parse_json(text_of(path, error=DatasetError, max_bytes=MAX_DATA_BYTES), file=path, error=DatasetError)
        return checked(content, LabelMeImage, file=path, error=DatasetError)
    except DatasetError as error:
        report.problem(f"{error}; the file is left out")
        return None


def _image(path: Path, content: LabelMeImage, beside: Path) -> Path:
    """The image of a file: the one beside it, or the one that it names."""
    if is_file(beside) or content.image_path is None:
        return beside
    return path.parent / content.image_path.replace("\\", "/")


def _box(shape: LabelMeShape, file: str, report: InputReport) -> list[float] | None:
    """Corners of the box around a shape; None, and a report, where it has no area."""
    points = shape.points
    if shape.shape_type == "circle" and len(points) == 2:  # its centre and a point on it
        (x, y), radius = points[0], dist(points[0], points[1])
        points = [[x - radius, y - radius], [x + radius, y + radius]]
    columns = tuple(zip(*points, strict=True)) or ((0.0,), (0.0,))
    left, top, right, bottom = min(columns[0]), min(columns[1]), max(columns[0]), max(columns[1])
    if shape.shape_type in {"point", "points", "line", "linestrip"} or right <= left or bottom <= top:
        report.problem(f"{file}: {shape.shape_type} {shape.label} has no area; skipped")
        return None
    return [left, top, right, bottom]
