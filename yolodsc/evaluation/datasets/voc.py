"""PASCAL VOC trees: ``Annotations``, ``ImageSets/Main``, ``JPEGImages``."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from yolodsc.errors import DatasetError
from yolodsc.evaluation.datasets.dataset import Dataset, InputReport, ground_truth_of, image_sizes, images_in
from yolodsc.evaluation.metrics.tables import Doubles
from yolodsc.files import is_file, is_folder, regular_size, text_of
from yolodsc.schemas import MAX_FINITE

NAMES = (
    "aeroplane bicycle bird boat bottle bus car cat chair cow diningtable dog horse motorbike person pottedplant sheep sofa "
    "train tvmonitor"
).split()
"""The twenty classes, in the order of Darknet's ``voc.names``."""


@dataclass(frozen=True, slots=True)
class VocAnnotation:
    """One image's XML: width and height (NaN if missing), and objects as name, corners, difficult."""

    size: tuple[float, float]
    objects: tuple[tuple[str, tuple[float, float, float, float], bool], ...]


def read_voc(root: Path, chosen: str, report: InputReport, *, names: Sequence[str] = ()) -> Dataset:
    """One image set of a VOC tree.

    Parameters
    ----------
    root
        The folder with ``Annotations``.
    chosen
        Name of a set in ``ImageSets/Main``, or a file with one id (or path) a line.
    names
        Class names; by default VOC's twenty, or those of the annotations where they have others.
    """
    ids, images = read_set(root, chosen), root / "JPEGImages"
    return read_annotations(root / "Annotations", ids, report, names=names, usual=NAMES, images=images)


def image_set_file(root: Path, chosen: str) -> Path:
    """Return the file of an image set: one of the tree, or any file; raise a `DatasetError` if there is none."""
    if not is_folder(root / "Annotations"):
        raise DatasetError(f"{root}: no folder 'Annotations' in it; expected a VOC tree such as VOCdevkit/VOC2007")
    candidates = [root / "ImageSets" / "Main" / f"{chosen}.txt", Path(chosen)]
    path = next((path for path in candidates if is_file(path)), None)
    if path is None:
        raise DatasetError(f"set {chosen}: no file {candidates[0]}; expected the name of an image set, or a file")
    return path


def read_set(root: Path, chosen: str) -> list[str]:
    """Ids of an image set, each once; a second column (``aeroplane_test.txt``) is left aside."""
    path = image_set_file(root, chosen)
    lines = text_of(path, error=DatasetError).splitlines()
    ids = [_id(line.split()[0]) for line in lines if line.strip()]
    if not ids:
        raise DatasetError(f"{path}: empty; expected one image a line")
    return list(dict.fromkeys(ids))


def _id(entry: str) -> str:
    """An id as it stands; of a path to an image, the file's name without extension."""
    return Path(entry).stem if "/" in entry or Path(entry).suffix.lower() in {".jpg", ".jpeg", ".png"} else entry


def read_annotations(
    folder: Path,
    ids: Sequence[str],
    report: InputReport,
    *,
    names: Sequence[str] = (),
    usual: Sequence[str] = (),
    images: Path | None = None,
) -> Dataset:
    """The annotations of given ids; images without a readable one are reported and left out.

    Classes are ``names``; else the ``usual`` ones where they suffice; else those of the annotations.
    """
    read: dict[str, VocAnnotation] = {}
    for name in ids:
        annotation = _annotation(folder / f"{name}.xml", report)
        if annotation is not None:
            read[name] = annotation
    if not read:
        raise DatasetError(f"{folder}: no readable annotation of the {len(ids)} images of the set")
    seen = {entry[0] for annotation in read.values() for entry in annotation.objects}
    classes = list(names or (usual if seen <= set(usual) else ()))
    classes += sorted(seen - set(classes))
    index = {name: i for i, name in enumerate(classes)}
    rows = [(p, index[n], box, hard) for p, annotation in enumerate(read.values()) for n, box, hard in annotation.objects]
    sizes = np.array([annotation.size for annotation in read.values()], np.float64)
    paths = None if images is None else images_in(images, read)
    if paths is not None:
        sizes = _checked(sizes, paths, report)
    return Dataset(tuple(classes), tuple(read), ground_truth_of(rows), sizes, paths, origin=1.0)


def _checked(sizes: Doubles, paths: Sequence[Path], report: InputReport) -> Doubles:
    """Return the sizes (P, 2), from the images if the XML files disagree."""
    actual = image_sizes(paths, exif=report.exif)
    known = ~np.isnan(actual)
    for i in np.flatnonzero((known & ~np.isnan(sizes) & (actual != sizes)).any(axis=1)).tolist():
        written, decoded = ("x".join(f"{side:g}" for side in pair) for pair in (sizes[i], actual[i]))
        report.problem(f"{paths[i].stem}.xml: size {written}, but the image has {decoded}")
    return np.where(known, actual, sizes)


def _annotation(path: Path, report: InputReport) -> VocAnnotation | None:
    """Parse one file; None, and a report, where that cannot be done."""
    from xml.etree.ElementTree import ParseError

    from defusedxml import DefusedXmlException

    try:
        regular_size(path, error=DatasetError)
        root = _root(path.read_bytes())
    except DatasetError as error:
        report.problem(f"{error}; the image is left out")
        return None
    except FileNotFoundError:
        report.problem(f"{path}: no such file; the image is left out")
        return None
    except (ParseError, DefusedXmlException, OSError, ValueError, LookupError, RecursionError) as error:
        report.problem(f"{path}: cannot be parsed as safe XML ({type(error).__name__}); the image is left out")
        return None
    size = (_number(root.findtext("size/width")) or np.nan, _number(root.findtext("size/height")) or np.nan)
    objects = [_object(element, path.name, size, report) for element in root.iter("object")]
    return VocAnnotation(size, tuple(entry for entry in objects if entry is not None))


def _root(content: bytes) -> Any:
    """The root of an XML file; errors of the parser, or of defusedxml for a file that defines entities.

    Only a document type declaration defines entities. Files without one go to the parser in C, which takes a third of the
    time. A declaration has this spelling in all encodings that expat reads, except in those of two bytes, which have zero bytes.
    """
    if b"<!DOCTYPE" in content or b"\0" in content:
        from defusedxml import ElementTree

        return ElementTree.fromstring(content)
    from xml.etree.ElementTree import fromstring

    return fromstring(content)


def _object(element: Any, file: str, size: tuple[float, float], report: InputReport) -> Any:
    """Name, corners and difficult of one ``<object>``; None, and a report, where it cannot be used."""
    name = (element.findtext("name") or "").strip()
    sides = [_number(element.findtext(f"bndbox/{side}")) for side in ("xmin", "ymin", "xmax", "ymax")]
    corners = [side for side in sides if side is not None]
    if not name or len(corners) < 4:
        report.problem(f"{file}: object {name or 'without name'} lacks a field of its box; skipped")
        return None
    x1, y1, x2, y2 = corners
    if x2 <= x1 or y2 <= y1:
        report.problem(f"{file}: {name} has a box without area ({x1:g} {y1:g} {x2:g} {y2:g}); skipped")
        return None
    if x1 > size[0] or y1 > size[1]:
        report.problem(f"{file}: {name} lies outside of the image of {size[0]:g}x{size[1]:g}; skipped")
        return None
    return name, (x1, y1, x2, y2), (element.findtext("difficult") or "0").strip() in {"1", "true", "True"}


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if abs(value) <= MAX_FINITE else None
