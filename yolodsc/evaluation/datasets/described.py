"""Datasets that a file or the layout of folders describes: Darknet's ``.data``, Ultralytics' YAML, ``images/`` and ``labels/``."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from msgspec import Struct

from yolodsc.darknet import read_data, read_names
from yolodsc.errors import DatasetError
from yolodsc.evaluation.datasets.dataset import IMAGES, Dataset, InputReport
from yolodsc.evaluation.datasets.labels import listed_images
from yolodsc.evaluation.datasets.text import mark_difficult, read_labelled
from yolodsc.files import exists, is_file, is_folder, text_of
from yolodsc.schemas import Index, Text, checked

SPLITS = ("val", "valid", "validation", "test", "train")
"""Names of splits; the first that a dataset has is evaluated unless another one is selected."""
DARKNET_LISTS = ("valid", "train")
"""Entries of a ``.data`` file that name lists of images; the first is evaluated unless the other one is selected."""
_ENDINGS = {*IMAGES, ".webp"}


class UltralyticsYaml(Struct, frozen=True, kw_only=True):
    """A ``data.yaml``: a folder, a file of paths or a list of them for each split, and class names by number."""

    path: Text | None = None
    train: Text | list[Text] | None = None
    val: Text | list[Text] | None = None
    valid: Text | list[Text] | None = None
    test: Text | list[Text] | None = None
    names: list[Text] | dict[Index, Text] | None = None
    nc: Index | None = None

    def splits(self) -> dict[str, list[str]]:
        """The paths of each split that is given."""
        given = {name: getattr(self, name) for name in ("val", "valid", "test", "train")}
        return {name: [paths] if isinstance(paths, str) else paths for name, paths in given.items() if paths}

    def class_names(self, file: Path) -> tuple[str, ...]:
        """Names in the order of class numbers."""
        if self.names is None:
            return tuple(map(str, range(self.nc or 0)))
        names = dict(enumerate(self.names)) if isinstance(self.names, list) else self.names
        if sorted(names) != list(range(len(names))):
            raise DatasetError(f"{file}: at $.names: got the numbers {sorted(names)[:5]}…, expected 0 to {len(names) - 1}")
        return tuple(names[number] for number in range(len(names)))


def read_darknet_data(path: Path, report: InputReport, *, chosen: str | None = None, names: Sequence[str] = ()) -> Dataset:
    """What ``detector map`` scores: the images of ``valid=`` with their label files, and the objects of ``difficult=``.

    ``chosen="train"`` reads the images of ``train=`` instead; ``difficult=`` describes those of ``valid=`` only.
    """
    key = "valid" if chosen in (None, "val") else chosen
    if key not in DARKNET_LISTS:
        raise DatasetError(f"{path}: no list {chosen}; expected one of {', '.join(DARKNET_LISTS)}")
    options = read_data(path)
    if key not in options:
        raise DatasetError(f"{path}: no {key}=; expected the path of a list of images")
    listed = options.get("names") or options.get("labels")
    known = tuple(names) or (read_names(_named_in(path, listed, "names")) if listed else ())
    dataset = read_labelled(listed_images(_named_in(path, options[key], key)), "yolo", report, names=known)
    if key != "valid" or "difficult" not in options:
        return dataset
    return mark_difficult(dataset, _named_in(path, options["difficult"], "difficult"), report)


def _named_in(path: Path, given: str, key: str) -> Path:
    """A file that a ``.data`` file names, relative to the working directory, to its folder or to the one above."""
    found = next((p for p in (Path(given), path.parent / given, path.parent.parent / given) if is_file(p)), None)
    if found is None:
        raise DatasetError(f"{path}: {key}={given}: no such file")
    return found


def has_training_list(path: Path) -> bool:
    """Whether a ``.data`` file names a list of training images."""
    return "train" in read_data(path)


def lists_difficult(path: Path) -> bool:
    """Whether a ``.data`` file names a list of difficult objects."""
    return "difficult" in read_data(path)


@dataclass(frozen=True, slots=True)
class _Split:
    """The images of one split, and the class names of the dataset."""

    name: str
    images: tuple[Path, ...]
    names: tuple[str, ...]


def read_yaml(path: Path, report: InputReport, *, chosen: str | None = None, names: Sequence[str] = ()) -> Dataset:
    """A split of an Ultralytics dataset; see `yaml_content` for the file."""
    content = yaml_content(path)
    splits = content.splits()
    split = _selected(chosen, tuple(splits), path)
    root = _root(path, content.path)
    known = tuple(names) or content.class_names(path)
    images = tuple(image for entry in splits[split] for image in _images_at(root, path, entry))
    return _read_split(_Split(split, images, known), path, report, chosen)


def yaml_content(path: Path) -> UltralyticsYaml:
    """Parse a ``data.yaml``; a `DatasetError` names what does not fit."""
    import yaml

    try:
        content: Any = yaml.load(text_of(path, error=DatasetError, errors="strict"), yaml.SafeLoader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise DatasetError(f"{path}: not YAML: {' '.join(str(error).split())[:200]}") from None
    return checked(content, UltralyticsYaml, file=path, error=DatasetError)


def yaml_names(path: Path) -> tuple[str, ...]:
    """Class names of a ``data.yaml``."""
    return yaml_content(path).class_names(path)


def _root(file: Path, given: str | None) -> Path:
    """``path:`` as it stands, beside the file, or in a folder ``datasets`` beside or above it, where Ultralytics downloads to."""
    if given is None:
        return file.parent
    beside = file.parent
    candidates = [Path(given), beside / given, beside / "datasets" / given, beside.parent / "datasets" / given]
    return next((candidate for candidate in candidates if is_folder(candidate)), beside)


def _images_at(root: Path, file: Path, entry: str) -> tuple[Path, ...]:
    """The images of one entry: a folder, or a file of paths; Roboflow writes ``../valid/images`` for a folder beside the file."""
    candidates = [root / entry, file.parent / entry, file.parent / entry.removeprefix("../")]
    found = next((candidate for candidate in candidates if exists(candidate)), None)
    if found is None:
        raise DatasetError(f"{file}: {candidates[0]}: no such file or folder; expected the images of a split")
    return listed_images(found) if is_file(found) else tuple(_images_below(found))


def _images_below(folder: Path) -> Iterator[Path]:
    """All images of a folder and the folders in it, sorted."""
    yield from sorted(path for path in folder.rglob("*") if path.suffix.lower() in _ENDINGS and is_file(path))


def _selected(chosen: str | None, present: Sequence[str], source: Path) -> str:
    if not present:
        raise DatasetError(f"{source}: no split; expected one of {', '.join(SPLITS)}")
    if chosen is None:
        return next((name for name in SPLITS if name in present), present[0])
    if chosen not in present:
        raise DatasetError(f"{source}: no split {chosen}; expected one of {', '.join(present)}")
    return chosen


def tree_splits(root: Path) -> dict[str, Path]:
    """Folders of images by split: ``images/val``, ``val/images``, or all of ``images`` under the name ``""``."""
    if is_folder(root / "images"):
        nested = {path.name: path for path in sorted((root / "images").iterdir()) if is_folder(path)}
        labelled = {name: path for name, path in nested.items() if is_folder(root / "labels" / name)}
        return labelled or ({"": root / "images"} if is_folder(root / "labels") else {})
    inside = sorted(path for path in root.iterdir() if is_folder(path))
    return {path.name: path / "images" for path in inside if is_folder(path / "images") and is_folder(path / "labels")}


def read_tree(root: Path, report: InputReport, *, chosen: str | None = None, names: Sequence[str] = ()) -> Dataset:
    """A split of a tree of ``images`` and ``labels``; class names of a ``classes.txt`` or ``.names`` file in it."""
    splits = tree_splits(root)
    split = _selected(chosen, tuple(splits), root)
    files = [root / "classes.txt", root / "labels" / "classes.txt", *sorted(root.glob("*.names"))]
    known = tuple(names) or next((read_names(file) for file in files if is_file(file)), ())
    return _read_split(_Split(split, tuple(_images_below(splits[split])), known), splits[split], report, chosen)


def _read_split(split: _Split, source: Path, report: InputReport, chosen: str | None) -> Dataset:
    if not split.images:
        raise DatasetError(f"{source}: no images in split {split.name or 'images'}; expected files such as 1.jpg")
    if chosen is None and split.name:
        report.note(f"split {split.name}: {len(split.images)} images")
    return read_labelled(split.images, "yolo", report, names=split.names)
