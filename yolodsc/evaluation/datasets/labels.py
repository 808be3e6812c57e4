"""Where the label files of images are, and lists of images."""

from collections.abc import Sequence
from pathlib import Path

from yolodsc.errors import DatasetError
from yolodsc.files import exists, is_file, text_of

_CUT = (".jpg", ".jpeg", ".png", ".bmp", ".ppm", ".tiff")
_FOLDERS = tuple((f"/images/{part}/", f"/labels/{part}/") for part in ("train2017", "val2017", "train2014", "val2014"))


def label_path(image: str) -> Path:
    """Where Darknet looks for the labels of an image (``utils.c: replace_image_to_label``)."""
    text = image.strip().replace("\\", "/")
    for image_folder, label_folder in (*_FOLDERS, ("/JPEGImages/", "/labels/")):
        text = text.replace(image_folder, label_folder, 1)
    path = Path(text)
    return path.with_suffix(".txt") if path.suffix.lower() in _CUT else Path(text + ".txt")


def label_file(image: str) -> Path | None:
    """An image's label file: where Darknet looks, or in ``labels`` beside a folder ``images``; None where there is none.

    Of endings that Darknet does not know (``.webp``), ``a.webp.txt`` comes before ``a.txt``.
    """
    usual = label_path(image)
    candidates = [usual, usual.with_name(Path(image.replace("\\", "/")).stem + ".txt")]
    for candidate in tuple(candidates):
        parts = candidate.parts
        if "images" in parts[:-1]:
            last = len(parts) - 1 - parts[::-1].index("images")
            candidates.append(Path(*parts[:last], "labels", *parts[last + 1 :]))
    return next((candidate for candidate in candidates if is_file(candidate)), None)


def listed_images(source: Path) -> tuple[Path, ...]:
    """The images of a list, one a line; relative ones as they stand, beside the list, or in the folder above it."""
    lines = text_of(source, error=DatasetError, errors="surrogateescape").splitlines()
    if any("\0" in line for line in lines):
        raise DatasetError(f"{source}: has NUL bytes; expected a list of paths, one a line")
    paths = [Path(line.strip().replace("\\", "/")) for line in lines if line.strip()]
    if not paths:
        raise DatasetError(f"{source}: empty; expected one image a line")
    beside = source.parent
    return tuple(
        path if path.is_absolute() else next((p for p in (path, beside / path, beside.parent / path) if exists(p)), beside / path)
        for path in paths
    )


def labels_of(images: Sequence[Path]) -> list[Path]:
    """The label files of images, those that are missing where Darknet looks for them; a `DatasetError` for none at all."""
    files = [label_file(str(image)) for image in images]
    candidates = [label_path(str(image)) for image in images]
    if not any(files):
        raise DatasetError(f"no label files of {len(files)} images; looked for {candidates[0]} first")
    return [file or expected for file, expected in zip(files, candidates, strict=True)]
