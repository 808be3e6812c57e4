"""Darknet label files."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from yolodsc.arrays import Array
from yolodsc.errors import DatasetError
from yolodsc.evaluation import label_file, label_path
from yolodsc.files import text_of

MIN_SIDE = 0.005
"""Smallest width and height of an object, relative to the image, after it is cut at the border."""
VISIBLE = 0.3
"""Smallest fraction of an object's area that augmentation may leave; what remains of other objects has no label.

A network cannot know the last tenth of an object, so its label teaches nothing but to detect the background. The loss of a trained
network on images with a jitter of .2 is least with .3 to .5 (Yolo-Fastest on VOC: 18.4 with 0, 18.0 with .3, 18.7 with .7).
"""


def read_labels(images: Sequence[str], *, classes: int) -> tuple[list[Array], int]:
    """Return objects (M, 5) of every image (class, centre, size, relative), and the number of images without a label file.

    An image without a label file has no objects, as in Darknet.

    Raises
    ------
    DatasetError
        No image has a label file, or a line is not an object of one of the network's classes.
    """
    files = [label_file(image) for image in images]
    missing = sum(file is None for file in files)
    if missing == len(files):
        raise DatasetError(
            f"{images[0]}: no label file {label_path(images[0])}, nor for any other image; expected one beside each image"
        )
    return [np.zeros((0, 5), np.float32) if file is None else _read(file, classes) for file in files], missing


def within(objects: Array, *, visible: float = 0.0) -> Array:
    """Return objects (M, 5) cut at the border of the image, without those of which too little is left.

    ``visible`` is the smallest fraction of an object's area that must be left.
    """
    half = objects[:, 3:] / 2
    low, high = (objects[:, 1:3] - half).clip(0, 1), (objects[:, 1:3] + half).clip(0, 1)  # (M, 2)
    sides = high - low
    kept = (sides.min(axis=1, initial=1.0) > MIN_SIDE) & (sides.prod(axis=1) >= visible * objects[:, 3:].prod(axis=1))
    return np.concatenate([objects[:, :1], (low + high) / 2, sides], axis=1)[kept]


def _read(file: Path, classes: int) -> Array:
    rows = []
    for number, line in enumerate(text_of(file, error=DatasetError).splitlines(), 1):
        if line.strip():
            rows.append(_row(line, classes, where=f"{file}:{number}"))
    return np.array(rows, np.float32).reshape(-1, 5)


def _row(line: str, classes: int, *, where: str) -> list[float]:
    try:
        kind, x, y, w, h = map(float, line.split()[:5])
    except ValueError:
        raise DatasetError(f"{where}: {line.strip()[:40]!r}; expected class x y w h") from None
    if not (kind.is_integer() and 0 <= kind < classes):
        raise DatasetError(f"{where}: class {kind:g}; the network has classes 0 to {classes - 1}")
    if not (0 < w <= 2 and 0 < h <= 2 and -1 <= x <= 2 and -1 <= y <= 2):
        raise DatasetError(f"{where}: box {x:g} {y:g} {w:g} {h:g}; expected centre and size relative to the image")
    return [kind, x, y, w, h]
