"""COCO: ground truth, and results as a list of ``image_id category_id bbox score``; Darknet's own ``-out`` JSON."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from yolodsc.errors import DatasetError
from yolodsc.evaluation.datasets.coco_schema import CocoDetection, Image, coco_ground_truth, coco_results
from yolodsc.evaluation.datasets.darknet_schema import DarknetFrame, darknet_frames, is_darknet
from yolodsc.evaluation.datasets.dataset import Dataset, DetectionRows, InputReport
from yolodsc.evaluation.metrics.tables import GroundTruth
from yolodsc.files import MAX_DATA_BYTES, is_file, text_of
from yolodsc.schemas import parse_json

_LONE_BACKSLASH = re.compile(r'\\(?!["\\/])')


def load_json(path: Path) -> Any:
    """Parse a file; Darknet's unescaped backslashes are forgiven, and its malformed empty list."""
    text = text_of(path, error=DatasetError, errors="strict", max_bytes=MAX_DATA_BYTES)
    if text.strip() in {"", "]", "[\n]"}:
        return []
    return parse_json(text, file=path, error=DatasetError, mend=lambda broken: _LONE_BACKSLASH.sub(r"\\\\", broken))


def read_coco(path: Path, report: InputReport, *, images: Path | None = None) -> Dataset:
    """Ground truth; images in the order of their ids, as pycocotools walks them."""
    content = coco_ground_truth(load_json(path), file=path)
    entries = sorted(content.images, key=lambda entry: entry.id)
    categories = {entry.id: entry.name for entry in sorted(content.categories, key=lambda entry: entry.id)}
    index = {entry.id: i for i, entry in enumerate(entries)}
    number = {category: i for i, category in enumerate(categories)}
    rows = [entry for entry in content.annotations if entry.image_id in index and entry.category_id in number]
    if len(rows) < len(content.annotations):
        report.problem(f"{path}: {len(content.annotations) - len(rows)} annotations of unknown images or categories; skipped")
    boxes = np.array([entry.bbox for entry in rows], np.float64).reshape(-1, 4)
    boxes[:, 2:] += boxes[:, :2]
    crowd = np.array([bool(entry.iscrowd) for entry in rows], bool)
    ground_truth = GroundTruth(
        np.array([index[entry.image_id] for entry in rows], np.int64),
        np.array([number[entry.category_id] for entry in rows], np.int64),
        boxes,
        crowd.copy(),  # to the other rules a crowd is what a difficult object is
        crowd,
        np.array([_number(entry.area) for entry in rows], np.float64),
    )
    sizes = np.array([(_number(entry.width), _number(entry.height)) for entry in entries], np.float64).reshape(-1, 2)
    folder = images or _folder_of(entries, path)
    paths = None if folder is None else _paths(folder, entries, path)
    return Dataset(
        tuple(categories.values()), tuple(str(entry.id) for entry in entries), ground_truth, sizes, paths, categories=categories
    )


def _number(given: float | None) -> float:
    return np.nan if given is None else given


def _folder_of(images: Sequence[Image], path: Path) -> Path | None:
    """The folder of the images where COCO, Roboflow and others keep it; None if the first image is in none of them."""
    split = path.stem.rsplit("_", 1)[-1]  # instances_val2017.json
    beside, above = path.parent, path.parent.parent
    candidates = (beside, beside / "images", above, above / "images", above / split, above / "images" / split, beside / split)
    first = images[0].file_name or ""
    return next((folder for folder in candidates if first and is_file(folder / first)), None)


def _paths(folder: Path, images: Sequence[Image], path: Path) -> tuple[Path, ...]:
    """Where the images are; a `DatasetError` where the ground truth does not name one."""
    for entry in images:
        if entry.file_name is None:
            raise DatasetError(f"{path}: image {entry.id} has no file_name, which the folder of images needs")
    return tuple(folder / (entry.file_name or "") for entry in images)


def read_results(path: Path, dataset: Dataset, report: InputReport) -> DetectionRows:
    """Detections from JSON, COCO's or Darknet's; boxes come out in the dataset's coordinates."""
    content = load_json(path)
    if not isinstance(content, list):
        raise DatasetError(f"{path}: expected a list of detections, COCO's or Darknet's")
    if is_darknet(content):
        return _darknet(darknet_frames(content, file=path), dataset, report)
    return _coco(coco_results(content, file=path), dataset)


def _coco(entries: list[CocoDetection], dataset: Dataset) -> DetectionRows:
    known: Mapping[int | str, str] = dataset.categories or dict(enumerate(dataset.names))
    boxes = np.array([entry.bbox for entry in entries], np.float64).reshape(-1, 4)
    boxes[:, 2:] += boxes[:, :2]
    names = [known.get(entry.category_id, str(entry.category_id)) for entry in entries]
    score = np.array([entry.score for entry in entries], np.float64)
    return DetectionRows([_image(entry.image_id, dataset) for entry in entries], names, score, boxes + dataset.origin)


def _image(given: Any, dataset: Dataset) -> str:
    """An image's id; VOC's six digits for numbers that lost their zeros."""
    text = str(given)
    return text.zfill(6) if dataset.origin and text.isdecimal() else text


def _darknet(frames: list[DarknetFrame], dataset: Dataset, report: InputReport) -> DetectionRows:
    stems = {name: i for i, name in enumerate(dataset.ids)}
    ids, names, score, boxes = [], [], [], []
    for frame in frames:
        file = frame.filename.replace("\\", "/").rsplit("/", 1)[-1]
        name = file if file in stems else file.rsplit(".", 1)[0]
        size = dataset.sizes[stems[name]] if name in stems else np.array([1.0, 1.0])
        if np.isnan(size).any():
            report.problem(f"{file}: relative boxes, but the size of the image is unknown; skipped")
            continue
        for entry in frame.objects:
            box = entry.relative_coordinates
            centre = np.array([box.center_x, box.center_y]) * size
            half = np.array([box.width, box.height]) * size / 2
            ids.append(name)
            names.append(entry.name)
            score.append(entry.confidence)
            boxes.append([*(centre - half), *(centre + half)])
    corners = np.array(boxes, np.float64).reshape(-1, 4) + dataset.origin
    return DetectionRows(ids, names, np.array(score, np.float64), corners, open=True)
