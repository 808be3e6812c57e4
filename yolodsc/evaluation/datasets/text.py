"""Folders with one text file an image: YOLO's, Cartucho's and rafaelpadilla's."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np

from yolodsc.darknet import read_names
from yolodsc.errors import DatasetError
from yolodsc.evaluation.datasets.dataset import Dataset, DetectionRows, InputReport, ground_truth_of, image_sizes, images_in
from yolodsc.evaluation.datasets.labels import labels_of, listed_images
from yolodsc.evaluation.metrics.tables import Doubles
from yolodsc.files import is_file, text_of
from yolodsc.schemas import MAX_FINITE

MAX_DIGITS = 9
"""Of a class number; longer ones are names."""
Format = Literal["yolo", "cartucho", "rafael"]
Corners = Literal["auto", "xywh", "xyxy"]


def read_folder(
    source: Path,
    form: Format,
    report: InputReport,
    *,
    names: Sequence[str] = (),
    corners: Corners = "auto",
    images: Path | None = None,
) -> Dataset:
    """Ground truth: a folder of label files, or (``yolo``) a list of images; ``images`` says where the images lie."""
    if is_file(source):
        return read_labelled(listed_images(source), form, report, names=names, corners=corners)
    files = _label_files(source)
    paths = _beside(source, _ids(files), images) if form == "yolo" or images else None
    return _read(files, paths, form, report, names=tuple(names) or _names_of(source), corners=corners)


def read_labelled(
    images: Sequence[Path], form: Format, report: InputReport, *, names: Sequence[str] = (), corners: Corners = "auto"
) -> Dataset:
    """Ground truth of images, from the label file of each; an image without one has no objects, which is reported."""
    files = labels_of(images)
    missing = [file for file in files if not is_file(file)]
    if missing:
        report.problem(f"{missing[0]}: no such file; {len(missing)} of {len(files)} images are taken as images without objects")
    return _read(files, tuple(images), form, report, names=names, corners=corners)


def _read(
    files: Sequence[Path],
    paths: tuple[Path, ...] | None,
    form: Format,
    report: InputReport,
    *,
    names: Sequence[str],
    corners: Corners,
) -> Dataset:
    ids = _ids(paths or files)
    sizes = np.full((len(ids), 2), np.nan) if paths is None else image_sizes(paths, exif=report.exif)
    known = tuple(names)
    rows = _labelled(files, form, report, names=known, corners=corners, sizes=sizes)
    classes = known + tuple(sorted({row[1] for row in rows} - set(known), key=_natural))
    ground_truth = ground_truth_of([(image, classes.index(name), box, difficult) for image, name, box, difficult in rows])
    return Dataset(
        classes, ids, ground_truth, sizes, paths, relative=form == "yolo" and bool(np.isnan(sizes).any()), listed=len(known)
    )


def mark_difficult(dataset: Dataset, listed: Path, report: InputReport) -> Dataset:
    """The dataset with the objects of Darknet's ``difficult=`` list: the images in the same order, with labels of their own."""
    files = labels_of(listed_images(listed))
    if len(files) != len(dataset.ids):
        raise DatasetError(f"{listed}: {len(files)} images; expected the {len(dataset.ids)} of the ground truth, in its order")
    rows = _labelled(files, "yolo", report, names=dataset.names, corners="auto", sizes=dataset.sizes)
    index = {name: i for i, name in enumerate(dataset.names)}
    added = ground_truth_of([(image, index[name], box, True) for image, name, box, _ in rows if name in index])
    if len(added) < len(rows):
        report.problem(f"{listed}: {len(rows) - len(added)} objects of classes that the ground truth does not have; skipped")
    return replace(dataset, ground_truth=dataset.ground_truth.with_more(added))


def read_folder_detections(
    folder: Path, form: Format, dataset: Dataset, report: InputReport, *, names: Sequence[str] = (), corners: Corners = "auto"
) -> DetectionRows:
    """Detections: ``class score box`` a line; ``yolo``: ``class cx cy w h score``, as Ultralytics writes."""
    files = _label_files(folder)
    entries = [(path.stem, *entry) for path in files for entry in _lines(path, 5, form, report)]
    table = np.array([entry[2] for entry in entries], np.float64).reshape(-1, 5)
    score, numbers = (table[:, 4], table[:, :4]) if form == "yolo" else (table[:, 0], table[:, 1:])
    index = {name: i for i, name in enumerate(dataset.ids)}
    unknown = np.full((1, 2), np.nan)
    sizes = np.concatenate([dataset.sizes, unknown])[[index.get(entry[0], -1) for entry in entries]]
    boxes = _corners(numbers, form, corners, sizes, "detections", report) + (dataset.origin if form == "yolo" else 0.0)
    known = tuple(names) or dataset.names[: dataset.listed]
    return DetectionRows([entry[0] for entry in entries], [_named(entry[1], known) for entry in entries], score, boxes)


def _labelled(
    files: Sequence[Path], form: Format, report: InputReport, *, names: Sequence[str], corners: Corners, sizes: Doubles
) -> list[tuple[int, str, Doubles, bool]]:
    """Image, class, corners and difficult of every object in the label files, one file an image."""
    entries = [(p, *entry) for p, path in enumerate(files) for entry in _lines(path, 4, form, report)]
    if form == "yolo" and names:
        entries = [entry for entry in entries if _in_range(entry[1], names, files[entry[0]], report)]
    numbers = np.array([entry[2] for entry in entries], np.float64).reshape(-1, 4)
    image = np.array([entry[0] for entry in entries], np.int64)
    boxes = _corners(numbers, form, corners, sizes[image], "ground truth", report)
    return [(entry[0], _named(entry[1], names), box, entry[3]) for entry, box in zip(entries, boxes, strict=True)]


def _label_files(folder: Path) -> list[Path]:
    listed = (path for path in folder.glob("*.txt") if path.name not in {"classes.txt", "train.txt", "test.txt"})
    files = sorted(path for path in listed if is_file(path))
    if not files:
        raise DatasetError(f"{folder}: no label files; expected one .txt an image")
    return files


def _ids(paths: Sequence[Path]) -> tuple[str, ...]:
    """File names without extension; with their folders where that alone is ambiguous."""
    stems = tuple(path.stem for path in paths)
    return stems if len(set(stems)) == len(stems) else tuple(str(path.with_suffix("")) for path in paths)


def _names_of(source: Path) -> tuple[str, ...]:
    """LabelImg's ``classes.txt`` beside the labels, where there is one."""
    file = source / "classes.txt"
    return read_names(file) if is_file(file) else ()


def _lines(path: Path, columns: int, form: Format, report: InputReport) -> Iterator[tuple[str, list[float], bool]]:
    """Class, numbers and the word ``difficult`` of each line; class names may have blanks, YOLO's numbers don't."""
    if not is_file(path):
        return
    scored = 0
    for number, line in enumerate(text_of(path, error=DatasetError).splitlines(), 1):
        words = line.replace(",", " ").split()
        if not words:
            continue
        difficult = words[-1] == "difficult"
        words = words[:-1] if difficult else words
        try:
            label, numbers = _yolo_line(words, columns) if form == "yolo" else _line(words, columns)
        except ValueError:
            report.problem(f"{path.name}:{number}: {line.strip()[:40]!r} is no class and {columns} numbers; skipped")
            continue
        scored += form == "yolo" and columns == 4 and len(words) == 6
        yield label, numbers, difficult
    if scored:
        report.note(f"{path.name}: {scored} lines have a sixth column, which is not part of ground truth (a score); ignored")


def _line(words: Sequence[str], columns: int) -> tuple[str, list[float]]:
    """Class name and the last ``columns`` words as numbers; a `ValueError` unless the line has them."""
    numbers = [float(word) for word in words[-columns:]]
    if len(words) <= columns or not all(abs(n) <= MAX_FINITE for n in numbers):
        raise ValueError
    return " ".join(words[:-columns]), numbers


def _yolo_line(words: Sequence[str], columns: int) -> tuple[str, list[float]]:
    """The same for YOLO: a score after the box is left aside in ground truth, and a polygon stands for its bounding box."""
    if columns == 4 and len(words) == 6:
        words = words[:5]
    if columns == 4 and len(words) >= 7 and len(words) % 2:
        label, points = _line(words, len(words) - 1)
        left, right, top, bottom = min(points[0::2]), max(points[0::2]), min(points[1::2]), max(points[1::2])
        return label, [(left + right) / 2, (top + bottom) / 2, right - left, bottom - top]
    if len(words) != columns + 1:
        raise ValueError
    return _line(words, columns)


def _corners(numbers: Doubles, form: Format, corners: Corners, sizes: Doubles, what: str, report: InputReport) -> Doubles:
    """Corners in pixels out of what the format says."""
    if form == "yolo":
        half = numbers[:, 2:] / 2
        scale = np.where(np.isnan(sizes), 1.0, sizes)
        return np.concatenate([(numbers[:, :2] - half) * scale, (numbers[:, :2] + half) * scale], axis=1)
    if len(numbers) and numbers.min() >= 0 and numbers.max() <= 1:
        report.note(f"{what}: all numbers lie in 0..1; relative boxes belong to format yolo")
    if form == "cartucho" and corners == "auto":
        corners = "xyxy"
    if corners == "auto":
        corners = "xyxy" if bool((numbers[:, 2:] >= numbers[:, :2]).all()) else "xywh"
        report.note(f"{what}: read as {corners}, which is what fits all of its boxes (boxes selects another reading)")
    if corners == "xywh":
        return np.concatenate([numbers[:, :2], numbers[:, :2] + numbers[:, 2:]], axis=1)
    return numbers


def _named(word: str, names: Sequence[str]) -> str:
    """The name of a class that is given by number."""
    number = _class_number(word)
    return names[number] if number is not None and number < len(names) else word


def _in_range(word: str, names: Sequence[str], path: Path, report: InputReport) -> bool:
    """Whether a class that is given by number has a name; a report where it has none."""
    number = _class_number(word)
    if word in names or not word.lstrip("-").isdecimal() or (number is not None and number < len(names)):
        return True
    report.problem(f"{path.name}: class {word[:40]}; expected 0 to {len(names) - 1}; skipped")
    return False


def _class_number(word: str) -> int | None:
    """A class given by number; None for a name, and for more digits than a class can have."""
    return int(word) if word.isdecimal() and len(word) <= MAX_DIGITS else None


def _natural(name: str) -> tuple[int, str]:
    number = _class_number(name)
    return (10**MAX_DIGITS, name) if number is None else (number, "")


def _beside(folder: Path, ids: Sequence[str], given: Path | None) -> tuple[Path, ...] | None:
    """Images where ``given`` says, next to their labels, or where YOLO datasets keep them; None unless all are there."""
    if given is not None:
        return images_in(given, ids)
    for candidate in (folder, folder.parent / "images", folder.parent / "JPEGImages"):
        paths = images_in(candidate, ids)
        if all(is_file(path) for path in paths):
            return paths
    return None
