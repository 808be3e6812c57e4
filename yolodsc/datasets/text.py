"""Folders with one text file a picture: YOLO's, Cartucho's and rafaelpadilla's."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from yolodsc.datasets.dataset import Dataset, Report, Rows, truth_of
from yolodsc.errors import DatasetError
from yolodsc.metrics.tables import Doubles

Format = Literal["yolo", "cartucho", "rafael"]
Corners = Literal["auto", "xywh", "xyxy"]
PICTURES = (".jpg", ".jpeg", ".png", ".bmp", ".ppm", ".tiff")
_FOLDERS = tuple((f"/images/{part}/", f"/labels/{part}/") for part in ("train2017", "val2017", "train2014", "val2014"))


def label_path(picture: str) -> Path:
    """Where Darknet looks for the labels of a picture (``utils.c: replace_image_to_label``)."""
    text = picture.strip().replace("\\", "/")
    for image_folder, label_folder in (*_FOLDERS, ("/JPEGImages/", "/labels/")):
        text = text.replace(image_folder, label_folder)
    path = Path(text)
    return path.with_suffix(".txt") if path.suffix.lower() in PICTURES else Path(text + ".txt")


def read_folder(place: Path, form: Format, report: Report, *, names: Sequence[str] = (), corners: Corners = "auto") -> Dataset:
    """Ground truth: a folder of label files, or (``yolo``) a list of pictures."""
    pictures: list[Path] | None = None
    if place.is_file():
        lines = [line.strip() for line in place.read_text(encoding="utf-8").splitlines() if line.strip()]
        pictures = [path if path.is_absolute() or path.exists() else place.parent / path for path in map(Path, lines)]
        files = [label_path(str(path)) for path in pictures]
    else:
        files = sorted(path for path in place.glob("*.txt") if path.name not in {"classes.txt", "train.txt", "test.txt"})
    if not files:
        raise DatasetError(f"{place}: no label files; wanted one .txt a picture")
    ids = [path.stem for path in (pictures or files)]
    if pictures is None and form == "yolo":
        pictures = _beside(place, ids)
    sizes = _sizes(pictures, len(ids))
    entries = [(p, *entry) for p, path in enumerate(files) for entry in _lines(path, 4, report)]
    class_names = [_named(entry[1], names) for entry in entries]
    numbers = np.array([entry[2] for entry in entries], np.float64).reshape(-1, 4)
    classes = list(names) + sorted(set(class_names) - set(names), key=_natural)
    picture = np.array([entry[0] for entry in entries], np.int64)
    boxes = _corners(numbers, form, corners, sizes[picture], "ground truth", report)
    relative = form == "yolo" and bool(np.isnan(sizes).any())
    rows = [(p, classes.index(n), box, bool(e[3])) for p, n, box, e in zip(picture, class_names, boxes, entries, strict=True)]
    return Dataset(tuple(classes), tuple(ids), truth_of(rows), sizes, tuple(pictures) if pictures else None, relative=relative)


def read_folder_detections(
    folder: Path, form: Format, dataset: Dataset, report: Report, *, names: Sequence[str] = (), corners: Corners = "auto"
) -> Rows:
    """Detections: ``class score box`` a line; ``yolo``: ``class cx cy w h score``, as Ultralytics writes."""
    files = sorted(folder.glob("*.txt"))
    if not files:
        raise DatasetError(f"{folder}: no .txt files in it; wanted one a picture")
    entries = [(path.stem, *entry) for path in files for entry in _lines(path, 5, report)]
    table = np.array([entry[2] for entry in entries], np.float64).reshape(-1, 5)
    score, numbers = (table[:, 4], table[:, :4]) if form == "yolo" else (table[:, 0], table[:, 1:])
    index = {name: i for i, name in enumerate(dataset.ids)}
    unknown = np.full((1, 2), np.nan)
    sizes = np.concatenate([dataset.sizes, unknown])[[index.get(entry[0], -1) for entry in entries]]
    boxes = _corners(numbers, form, corners, sizes, "detections", report) + (dataset.origin if form == "yolo" else 0.0)
    return Rows([entry[0] for entry in entries], [_named(entry[1], names) for entry in entries], score, boxes)


def _lines(path: Path, columns: int, report: Report) -> Iterator[tuple[str, list[float], bool]]:
    """Class, numbers and the word ``difficult`` of each line; class names may have blanks."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except FileNotFoundError:
        report.problem(f"{path}: no such file; taken as a picture without objects")
        return
    for number, line in enumerate(lines, 1):
        words = line.replace(",", " ").split()
        if not words:
            continue
        difficult = words[-1] == "difficult"
        words = words[:-1] if difficult else words
        try:
            if len(words) <= columns:
                raise ValueError
            yield " ".join(words[:-columns]), [float(word) for word in words[-columns:]], difficult
        except ValueError:
            report.problem(f"{path.name}:{number}: {line.strip()[:40]!r} is no class and {columns} numbers; skipped")


def _corners(numbers: Doubles, form: Format, corners: Corners, sizes: Doubles, what: str, report: Report) -> Doubles:
    """Corners in pixels out of what the format says."""
    if form == "yolo":
        half = numbers[:, 2:] / 2
        scale = np.where(np.isnan(sizes), 1.0, sizes)
        return np.concatenate([(numbers[:, :2] - half) * scale, (numbers[:, :2] + half) * scale], axis=1)
    if form == "cartucho" and corners == "auto":
        corners = "xyxy"
    if corners == "auto":
        corners = "xyxy" if bool((numbers[:, 2:] >= numbers[:, :2]).all()) else "xywh"
        report.note(f"{what}: read as {corners}, which is what fits all of its boxes (--boxes says otherwise)")
    if corners == "xywh":
        return np.concatenate([numbers[:, :2], numbers[:, :2] + numbers[:, 2:]], axis=1)
    return numbers


def _named(word: str, names: Sequence[str]) -> str:
    """The name of a class that is given by number."""
    return names[int(word)] if word.isdecimal() and int(word) < len(names) else word


def _natural(name: str) -> tuple[int, str]:
    return (int(name), "") if name.isdecimal() else (10**9, name)


def _beside(folder: Path, ids: Iterable[str]) -> list[Path] | None:
    """Pictures next to their labels, or in the sibling folders where YOLO datasets keep them; None unless all are there."""
    for place in (folder, folder.parent / "images", folder.parent / "JPEGImages"):
        found = [next((place / f"{name}{end}" for end in PICTURES if (place / f"{name}{end}").is_file()), None) for name in ids]
        if found and all(found):
            return [path for path in found if path is not None]
    return None


def _sizes(pictures: Sequence[Path] | None, count: int) -> Doubles:
    sizes = np.full((count, 2), np.nan)
    if pictures is None:
        return sizes
    from PIL import Image

    for i, path in enumerate(pictures):
        try:
            with Image.open(path) as picture:
                sizes[i] = picture.size
        except OSError:
            continue  # whoever reads the picture reports it
    return sizes
