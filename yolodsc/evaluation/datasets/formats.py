"""Ground truth and detections by the name of their format."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, cast, get_args

from yolodsc.errors import DatasetError, OptionError
from yolodsc.evaluation.datasets.coco_json import read_coco, read_results
from yolodsc.evaluation.datasets.comp4 import read_comp4
from yolodsc.evaluation.datasets.dataset import Dataset, InputReport, to_table
from yolodsc.evaluation.datasets.described import read_darknet_data, read_tree, read_yaml, tree_splits
from yolodsc.evaluation.datasets.journal import JOURNAL_FILE, read_journal
from yolodsc.evaluation.datasets.labelme import is_labelme, read_labelme
from yolodsc.evaluation.datasets.text import Corners, read_folder, read_folder_detections
from yolodsc.evaluation.datasets.text import Format as TextFormat
from yolodsc.evaluation.datasets.voc import read_annotations, read_voc
from yolodsc.evaluation.metrics.tables import DetectionTable
from yolodsc.files import exists, is_file, is_folder

FormatName = Literal["voc", "yolo", "cartucho", "coco", "rafael", "labelme"]
YAML = (".yaml", ".yml")


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """How ground truth and detections are written.

    Attributes
    ----------
    name
        ``voc`` (XML), ``yolo``, ``cartucho``, ``rafael`` (one text file an image), ``coco`` (JSON) or ``labelme`` (JSON an image).
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


def read_ground_truth(path: Path, form: Format, report: InputReport) -> Dataset:
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
    if form.name == "labelme":
        return read_labelme(path, report, names=form.names, images=form.images)
    return read_folder(path, form.name, report, names=form.names, corners=form.corners, images=form.images)


def read_dataset(path: Path, form: Format, report: InputReport, *, chosen: str | None = None) -> Dataset:
    """A dataset of any kind, recognised by its files.

    Darknet's ``.data`` file, Ultralytics' YAML file or the folder that holds it, a VOC tree, a tree of ``images`` and ``labels``,
    COCO's JSON file, a folder of LabelMe's JSON files, of VOC's XML files or of YOLO's text files, or a list of images.

    Parameters
    ----------
    path
    form
        Class names and the folder of the images; the name of the format is not used.
    chosen
        Split or image set.
    """
    if not exists(path):
        raise DatasetError(f"{path}: no such file or folder")
    if is_folder(path):
        return _read_folder_of(path, form, report, chosen)
    ending = path.suffix.lower()
    if ending in YAML:
        return read_yaml(path, report, chosen=chosen, names=form.names)
    if ending not in (".json", ".txt"):
        return read_darknet_data(path, report, chosen=chosen, names=form.names)
    if chosen is not None:
        expected = "a VOC tree, a .data or YAML file, or a tree of splits"
        raise DatasetError(f"{path}: has no sets to select {chosen} from; expected {expected}")
    if ending == ".json":
        return read_coco(path, report, images=form.images)
    return read_folder(path, "yolo", report, names=form.names)


def _read_folder_of(folder: Path, form: Format, report: InputReport, chosen: str | None) -> Dataset:
    """A dataset that is a folder; a description in it counts before its layout."""
    files = sorted(file for file in folder.iterdir() if is_file(file))
    described = [file for file in files if file.suffix.lower() in YAML]
    if len(described) == 1:
        return read_yaml(described[0], report, chosen=chosen, names=form.names)
    if is_folder(folder / "Annotations") and is_folder(folder / "ImageSets"):
        return read_voc(folder, chosen or "test", report, names=form.names)
    if tree_splits(folder):
        return read_tree(folder, report, chosen=chosen, names=form.names)
    json = [file for file in files if file.suffix.lower() == ".json"]
    if len(json) == 1 and not is_labelme(json[0]):
        return read_coco(json[0], report, images=form.images)
    if json:
        return read_labelme(folder, report, names=form.names, images=form.images)
    endings = {file.suffix.lower() for file in files}
    if is_folder(folder / "Annotations") or endings & {".xml", ".txt"}:
        xml = is_folder(folder / "Annotations") or ".xml" in endings
        return read_ground_truth(folder, replace(form, name="voc" if xml else "yolo"), report)
    raise DatasetError(
        f"{folder}: no dataset in it; expected a VOC tree, folders images and labels, data.yaml, JSON, XML or label files"
    )


def require_objects(dataset: Dataset, source: Path, report: InputReport) -> Dataset:
    """Return the dataset; raise a `DatasetError`, with the first problem of its files, if it has no object."""
    if len(dataset.ground_truth):
        return dataset
    reason = f": {report.notes[0]}" if report.notes else ""
    raise DatasetError(f"{source}: no object in the labels of {len(dataset.ids)} images{reason}")


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
    text = "cartucho" if form.name in {"voc", "labelme"} else cast(TextFormat, form.name)
    rows = read_folder_detections(path, text, dataset, report, names=form.names, corners=form.corners)
    return to_table(dataset, rows, report), frozenset()


def _is_comp4(folder: Path, dataset: Dataset) -> bool:
    """Whether files are named after classes and not after images."""
    known = set(dataset.ids)
    return any(folder.glob("*_det_*.txt")) or not any(path.stem in known for path in folder.glob("*.txt"))
