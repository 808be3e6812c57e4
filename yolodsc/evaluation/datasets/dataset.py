"""Datasets, and detections by name resolved against them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from yolodsc.errors import DatasetError
from yolodsc.evaluation.metrics.tables import DetectionTable, Doubles, GroundTruth
from yolodsc.files import is_folder

IMAGES = (".jpg", ".jpeg", ".png", ".bmp", ".ppm", ".tif", ".tiff")
"""Endings of images in either case, the preferred one first."""


@dataclass(slots=True)
class InputReport:
    """Problems of the input: collected, or raised at once if ``strict``; ``exif`` says whether images are turned as EXIF says."""

    strict: bool = False
    exif: bool = False
    notes: list[str] = field(default_factory=list)

    def problem(self, text: str) -> None:
        """Something was skipped."""
        if self.strict:
            raise DatasetError(text)
        self.notes.append(text)

    def note(self, text: str) -> None:
        """Something worth knowing that is not wrong."""
        self.notes.append(text)


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """Images and what is in them.

    Attributes
    ----------
    names
        Class names.
    ids
        What each image is called in files of detections.
    ground_truth
        The labelled objects.
    sizes : (P, 2) float64
        Width and height; NaN where unknown.
    paths
        Expected paths of the images; None if unknown.
    origin
        Coordinate of the left and upper edge's pixel: 1 in VOC, 0 elsewhere.
    relative
        Whether boxes are relative to images of unknown size, so that rules of whole pixels make no sense.
    categories
        COCO's names by id, for results that have ids only.
    listed
        How many of the names came from a list that class numbers count, None for all; further ones are classes of the labels.
    exif
        Whether boxes are those of images turned as their EXIF orientation says.
    """

    names: tuple[str, ...]
    ids: tuple[str, ...]
    ground_truth: GroundTruth
    sizes: Doubles
    paths: tuple[Path, ...] | None = None
    origin: float = 0.0
    relative: bool = False
    categories: Mapping[int | str, str] | None = None
    listed: int | None = None
    exif: bool = False

    @property
    def limits(self) -> Doubles:
        """What ``detector valid`` leaves of boxes, [1, w] or [0, w]: (P, 4) float64; unlimited where sizes are unknown."""
        high = np.where(np.isnan(self.sizes), np.inf, self.sizes)
        low = np.where(np.isnan(self.sizes), -np.inf, self.origin)
        return np.concatenate([low, high], axis=1)

    def unsized(self) -> list[Path]:
        """Images that are known but could not be read."""
        return [path for path, (width, _) in zip(self.paths or (), self.sizes, strict=False) if np.isnan(width)]

    def with_names(self, names: Sequence[str]) -> "Dataset":
        """The same with a network's classes first and in its order, and whatever other classes the labels have after them."""
        merged = tuple(names) + tuple(name for name in self.names if name not in names)
        index = np.array([merged.index(name) for name in self.names], np.int64)
        class_id = index[self.ground_truth.class_id] if len(self.ground_truth) else self.ground_truth.class_id
        return replace(self, names=merged, ground_truth=replace(self.ground_truth, class_id=class_id), listed=len(names))


@dataclass(frozen=True, slots=True, eq=False)
class DetectionRows:
    """Detections as files contain them: images and classes by name.

    Attributes
    ----------
    ids, names
        Image and class of each.
    score : (N,) float64
    boxes_xyxy : (N, 4) float64
        In the dataset's coordinates.
    open
        Whether boxes may reach outside of their images because nobody has cut them yet.
    """

    ids: Sequence[str]
    names: Sequence[str]
    score: Doubles
    boxes_xyxy: Doubles
    open: bool = False


def to_table(dataset: Dataset, rows: DetectionRows, report: InputReport) -> DetectionTable:
    """Indices for names; detections of images or classes that the dataset does not have are reported and left out."""
    image = _indices(rows.ids, dataset.ids, "images that are not in the set", report, by_stem=True)
    class_id = _indices(rows.names, dataset.names, "classes that the dataset does not have", report, by_stem=False)
    numbers = np.isfinite(rows.score) & np.isfinite(rows.boxes_xyxy).all(axis=1)
    if not numbers.all():
        report.problem(f"{np.count_nonzero(~numbers)} detections with scores or boxes that are no numbers: left out")
    kept = (image >= 0) & (class_id >= 0) & numbers
    if len(kept) and not kept.any():
        raise DatasetError(f"none of {len(kept)} detections can be used: {report.notes[-1] if report.notes else 'no numbers'}")
    limits = dataset.limits if rows.open else None
    return DetectionTable(image[kept], class_id[kept], rows.score[kept], rows.boxes_xyxy[kept], limits)


def _indices(
    given: Sequence[str], known: Sequence[str], what: str, report: InputReport, *, by_stem: bool
) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
    index = {name: i for i, name in enumerate(known)}
    known_indices = {name: index.get(name, -1) for name in set(given)}
    unknown = sorted(name for name, i in known_indices.items() if i < 0)
    if unknown:
        spare = _spellings(index, by_stem=by_stem)
        for name in unknown:
            known_indices[name] = spare.get(_spelling(name, by_stem=by_stem), -1)
        unknown = [name for name in unknown if known_indices[name] < 0]
    indices = np.fromiter((known_indices[name] for name in given), np.int64, len(given))
    if unknown:
        shown = ", ".join(repr(name) for name in unknown[:3]) + (" …" if len(unknown) > 3 else "")
        report.problem(f"{np.count_nonzero(indices < 0)} detections of {len(unknown)} {what} ({shown}): left out")
    return indices


def _spelling(name: str, *, by_stem: bool) -> str:
    """An image without folder and from its first dot on (Darknet's ``basecfg``), a class without blanks."""
    return name.replace("\\", "/").rsplit("/", 1)[-1].split(".", 1)[0] if by_stem else "".join(name.split()).lower()


def _spellings(index: dict[str, int], *, by_stem: bool) -> dict[str, int]:
    """Other spellings of the known names, where they are not ambiguous."""
    spellings: dict[str, int] = {}
    for name, i in index.items():
        short = _spelling(name, by_stem=by_stem)
        spellings[short] = -1 if short in spellings else i
    return spellings


def ground_truth_of(rows: Sequence[tuple[int, int, Sequence[float] | Doubles, bool]]) -> GroundTruth:
    """Columns out of rows of image, class, box and difficult."""
    return GroundTruth.of(
        np.array([row[0] for row in rows], np.int64),
        np.array([row[1] for row in rows], np.int64),
        np.array([row[2] for row in rows], np.float64).reshape(-1, 4),
        np.array([row[3] for row in rows], bool),
    )


def images_in(folder: Path, ids: Iterable[str]) -> tuple[Path, ...]:
    """The image of each id, whatever its ending; where there is none, the path of the JPEG that should be there."""
    known: dict[str, Path] = {}
    listed = [path for path in folder.iterdir() if path.suffix.lower() in IMAGES] if is_folder(folder) else []
    for path in sorted(listed, key=lambda path: IMAGES.index(path.suffix.lower())):
        known.setdefault(path.stem, path)
    return tuple(known.get(name, folder / f"{name}.jpg") for name in ids)


def image_sizes(paths: Sequence[Path], *, exif: bool) -> Doubles:
    """Width and height of each image (P, 2) float64, read from its header; NaN where that cannot be done.

    With ``exif``, of the image turned as its EXIF orientation says.
    """
    from yolodsc.images import image_size, open_image, transposes

    sizes = np.full((len(paths), 2), np.nan)
    for i, path in enumerate(paths):
        try:
            if not exif:
                sizes[i] = image_size(path)
                continue
            with open_image(path) as image:
                sizes[i] = image.size[::-1] if transposes(image) else image.size
        except Exception:  # decoders raise whatever their authors chose; whoever reads the image reports it
            continue
    return sizes
