"""Ground truth and detections by the name of their format."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from yolodsc.errors import DatasetError, OptionError
from yolodsc.evaluation.datasets.coco_json import read_coco, read_results
from yolodsc.evaluation.datasets.comp4 import read_comp4
from yolodsc.evaluation.datasets.dataset import Dataset, InputReport, to_table
from yolodsc.evaluation.datasets.journal import JOURNAL_FILE, read_journal
from yolodsc.evaluation.datasets.text import Corners, read_folder, read_folder_detections
from yolodsc.evaluation.datasets.voc import read_annotations
from yolodsc.evaluation.metrics.tables import DetectionTable
from yolodsc.files import exists, is_file, is_folder

FormatName = Literal["voc", "yolo", "cartucho", "coco", "rafael"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """How ground truth and detections are written.

    Attributes
    ----------
    name
        ``voc`` (XML), ``yolo``, ``cartucho``, ``rafael`` (one text file an image) or ``coco`` (JSON).
    corners
        Whether boxes of text files are ``xywh`` or ``xyxy``; ``auto``: whatever fits all of them.
    names
        Class names in the order of class numbers, where the caller knows them.
    images
        Folder of the images, where the ground truth does not say it.
    """

    name: FormatName = "voc"
    corners: Corners = "auto"
    names: tuple[str, ...] = ()
    images: Path | None = None

    def __post_init__(self) -> None:
        for option, given, choices in (("format", self.name, FormatName), ("boxes", self.corners, Corners)):
            if given not in get_args(choices):
                raise OptionError(f"{option} {given}: expected {', '.join(get_args(choices))}")


def read_truth(path: Path, form: Format, report: InputReport) -> Dataset:
    """Ground truth from a folder or file; a folder of XML files is read as VOC's whatever the format of the detections."""
    if not exists(path):
        raise DatasetError(f"{path}: no such file or folder")
    if form.name == "coco":
        return read_coco(path, report, images=form.images)
    folder = path / "Annotations" if is_folder(path / "Annotations") else path
    ids = sorted(file.stem for file in folder.glob("*.xml"))
    if ids:
        beside = folder.parent / "JPEGImages"
        images = form.images or (beside if is_folder(beside) else None)
        return read_annotations(folder, ids, report, names=form.names, images=images)
    if form.name == "voc":
        raise DatasetError(f"{path}: no .xml files in it; expected VOC annotations, or another format")
    return read_folder(path, form.name, report, names=form.names, corners=form.corners, images=form.images)


def read_detections(path: Path, dataset: Dataset, form: Format, report: InputReport) -> tuple[DetectionTable, frozenset[int]]:
    """Detections that a program wrote, and the classes of which it wrote no file.

    JSON (COCO's, or Darknet's ``-out``), the folder of an earlier run, comp4 files (one a class), or text files (one a
    image).
    """
    if is_file(path):
        return to_table(dataset, read_results(path, dataset, report), report), frozenset()
    if not is_folder(path):
        raise DatasetError(f"{path}: no such file or folder")
    if is_file(path / JOURNAL_FILE) and (journal := read_journal(path / JOURNAL_FILE)) is not None:
        return to_table(dataset, journal.rows(dataset), report), frozenset()
    if form.name == "coco" or (form.name == "voc" and _is_comp4(path, dataset)):
        rows, missing = read_comp4(path, dataset.names, report)
        return to_table(dataset, rows, report), missing
    text = "cartucho" if form.name == "voc" else form.name
    rows = read_folder_detections(path, text, dataset, report, names=form.names, corners=form.corners)
    return to_table(dataset, rows, report), frozenset()


def _is_comp4(folder: Path, dataset: Dataset) -> bool:
    """Whether files are named after classes and not after images."""
    known = set(dataset.ids)
    return any(folder.glob("*_det_*.txt")) or not any(path.stem in known for path in folder.glob("*.txt"))
