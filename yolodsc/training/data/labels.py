"""Darknet label files: where they are, what they say."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from yolodsc.arrays import Array
from yolodsc.errors import DatasetError
from yolodsc.evaluation import label_file, label_path
from yolodsc.files import text_of

SMALLEST = 0.005
"""Objects of which less is left, relative to the image, are dropped."""


def read_labels(images: Sequence[str], *, classes: int) -> tuple[list[Array], int]:
    """Objects (M, 5) of every image: class, centre, size, relative; and how many images have no label file.

    An image without a file has no objects, as for Darknet.

    Raises
    ------
    DatasetError
        No image has a file, or a line is no object of one of the network's classes.
    """
    files = [label_file(image) for image in images]
    missing = sum(file is None for file in files)
    if missing == len(files):
        raise DatasetError(f"{images[0]}: no label file {label_path(images[0])}, nor for any other image; wanted --labels' files")
    return [np.zeros((0, 5), np.float32) if file is None else _read(file, classes) for file in files], missing


def within(objects: Array) -> Array:
    """Objects (M, 5) cut at the image's border; those of which nothing is left are dropped."""
    half = objects[:, 3:] / 2
    low, high = (objects[:, 1:3] - half).clip(0, 1), (objects[:, 1:3] + half).clip(0, 1)  # (M, 2)
    left = (high - low).min(axis=1, initial=1.0) > SMALLEST
    return np.concatenate([objects[:, :1], (low + high) / 2, high - low], axis=1)[left]


def _read(file: Path, classes: int) -> Array:
    rows = []
    for number, line in enumerate(text_of(file, error=DatasetError).splitlines(), 1):
        if line.strip():
            rows.append(_row(line, classes, place=f"{file}:{number}"))
    return np.array(rows, np.float32).reshape(-1, 5)


def _row(line: str, classes: int, *, place: str) -> list[float]:
    try:
        kind, x, y, w, h = map(float, line.split()[:5])
    except ValueError:
        raise DatasetError(f"{place}: {line.strip()[:40]!r}; wanted class x y w h") from None
    if not (kind.is_integer() and 0 <= kind < classes):
        raise DatasetError(f"{place}: class {kind:g}; the network has classes 0 to {classes - 1}")
    if not (0 < w <= 2 and 0 < h <= 2 and -1 <= x <= 2 and -1 <= y <= 2):
        raise DatasetError(f"{place}: box {x:g} {y:g} {w:g} {h:g}; wanted centre and size relative to the image")
    return [kind, x, y, w, h]
