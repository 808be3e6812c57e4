"""COCO: ground truth, and results as a list of ``image_id category_id bbox score``; Darknet's own ``-out`` JSON."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np

from yolodsc.datasets.dataset import Dataset, Report, Rows
from yolodsc.errors import DatasetError
from yolodsc.metrics import Truth


def load_json(path: Path) -> Any:
    """Parse a file; Darknet's unescaped backslashes are forgiven, and its malformed empty list."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if text.strip() in {"", "]", "[\n]"}:
        return []
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        try:
            return json.loads(re.sub(r'\\(?!["\\/])', r"\\\\", text))
        except json.JSONDecodeError as error:
            raise DatasetError(f"{path}:{error.lineno}: no JSON: {error.msg}") from None


def read_coco(path: Path, report: Report, *, pictures: Path | None = None) -> Dataset:
    """Ground truth; pictures in the order of their ids, as pycocotools walks them."""
    content = load_json(path)
    try:
        images = sorted(content["images"], key=lambda entry: entry["id"])
        categories = {entry["id"]: entry["name"] for entry in sorted(content["categories"], key=lambda entry: entry["id"])}
        index = {entry["id"]: i for i, entry in enumerate(images)}
        number = {category: i for i, category in enumerate(categories)}
        rows = [entry for entry in content["annotations"] if entry["image_id"] in index and entry["category_id"] in number]
        boxes = np.array([entry["bbox"] for entry in rows], np.float64).reshape(-1, 4)
    except (KeyError, TypeError, ValueError) as error:
        raise DatasetError(f"{path}: no COCO ground truth ({type(error).__name__}: {error})") from None
    if len(rows) < len(content["annotations"]):
        report.problem(f"{path}: {len(content['annotations']) - len(rows)} annotations of unknown images or categories; skipped")
    boxes[:, 2:] += boxes[:, :2]
    crowd = np.array([bool(entry.get("iscrowd")) for entry in rows], bool)
    truth = Truth(
        np.array([index[entry["image_id"]] for entry in rows], np.int64),
        np.array([number[entry["category_id"]] for entry in rows], np.int64),
        boxes,
        crowd.copy(),  # to the other rules a crowd is what a difficult object is
        crowd,
        np.array([entry.get("area", np.nan) for entry in rows], np.float64),
    )
    sizes = np.array([(entry.get("width", np.nan), entry.get("height", np.nan)) for entry in images], np.float64).reshape(-1, 2)
    paths = None if pictures is None else tuple(pictures / entry["file_name"] for entry in images)
    names = tuple(categories.values())
    return Dataset(names, tuple(str(entry["id"]) for entry in images), truth, sizes, paths, categories=categories)


def read_results(path: Path, dataset: Dataset, report: Report) -> Rows:
    """Detections from JSON, COCO's or Darknet's; boxes come out in the dataset's coordinates."""
    entries = load_json(path)
    if not isinstance(entries, list):
        raise DatasetError(f"{path}: wanted a list of detections, COCO's or Darknet's")
    try:
        if (entries and "relative_coordinates" in json.dumps(entries[0])) or (entries and "objects" in entries[0]):
            return _darknet(entries, dataset, report)
        return _coco(entries, dataset)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DatasetError(f"{path}: a detection lacks a field ({type(error).__name__}: {error})") from None


def _coco(entries: list[dict[str, Any]], dataset: Dataset) -> Rows:
    known = dataset.categories or dict(enumerate(dataset.names))
    boxes = np.array([entry["bbox"] for entry in entries], np.float64).reshape(-1, 4)
    boxes[:, 2:] += boxes[:, :2]
    names = [known.get(entry["category_id"], str(entry["category_id"])) for entry in entries]
    score = np.array([entry["score"] for entry in entries], np.float64)
    return Rows([_image(entry["image_id"], dataset) for entry in entries], names, score, boxes + dataset.origin)


def _image(given: Any, dataset: Dataset) -> str:
    """An image's id; VOC's six digits for numbers that lost their zeros."""
    text = str(given)
    return text.zfill(6) if dataset.origin and text.isdecimal() else text


def _darknet(frames: list[dict[str, Any]], dataset: Dataset, report: Report) -> Rows:
    stems = {name: i for i, name in enumerate(dataset.ids)}
    ids, names, score, boxes = [], [], [], []
    for frame in frames:
        file = str(frame["filename"]).replace("\\", "/").rsplit("/", 1)[-1]
        name = file if file in stems else file.rsplit(".", 1)[0]
        size = dataset.sizes[stems[name]] if name in stems else np.array([1.0, 1.0])
        if np.isnan(size).any():
            report.problem(f"{file}: relative boxes, but the size of the picture is unknown; skipped")
            continue
        for entry in frame.get("objects", ()):
            place = entry["relative_coordinates"]
            centre = np.array([place["center_x"], place["center_y"]]) * size
            half = np.array([place["width"], place["height"]]) * size / 2
            ids.append(name)
            names.append(str(entry["name"]))
            score.append(float(entry["confidence"]))
            boxes.append([*(centre - half), *(centre + half)])
    corners = np.array(boxes, np.float64).reshape(-1, 4) + dataset.origin
    return Rows(ids, names, np.array(score, np.float64), corners, open=True)
