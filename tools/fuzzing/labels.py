"""Targets: annotations, labels and detections that are text."""

import numpy as np

from tools.fuzzing import scratch
from tools.fuzzing.target import Target
from yolodsc.errors import YolodscError
from yolodsc.evaluation.datasets.comp4 import read_comp4, write_comp4
from yolodsc.evaluation.datasets.dataset import Dataset, InputReport, to_table, truth_of
from yolodsc.evaluation.datasets.formats import Format, FormatName, read_detections, read_truth
from yolodsc.evaluation.datasets.voc import read_annotations
from yolodsc.evaluation.evaluation import evaluate
from yolodsc.evaluation.metrics.rules import rules_named
from yolodsc.evaluation.metrics.tables import DetectionTable

NAMES = ("cat", "dog")


def known() -> Dataset:
    """Two images with an object each."""
    rows = [(0, 0, (10.0, 10.0, 40.0, 40.0), False), (1, 1, (5.0, 5.0, 50.0, 60.0), True)]
    return Dataset(NAMES, ("a", "b"), truth_of(rows), np.array([[100.0, 80.0], [np.nan, np.nan]]), origin=1.0)


def read_voc(data: bytes) -> None:
    """An annotation; its objects are scored against themselves."""
    folder = scratch.folder("voc")
    (folder / "a.xml").write_bytes(data)
    dataset = read_annotations(folder, ["a"], InputReport(), usual=NAMES)
    _score(dataset, dataset)


def read_comp4_file(data: bytes) -> None:
    """Detections of one class, beside a file that is right; what was read can be written."""
    folder = scratch.folder("comp4")
    (folder / "comp4_det_test_cat.txt").write_bytes(data)
    (folder / "comp4_det_test_dog.txt").write_text("a 0.5 1 2 30 40\n")
    dataset = known()
    rows, _ = read_comp4(folder, NAMES, InputReport())
    found = to_table(dataset, rows, InputReport())
    write_comp4(scratch.folder("written"), dataset, found, chosen="test")
    evaluate(dataset, found, rules_named("voc07"))


def _text(form: FormatName, data: bytes) -> None:
    """The same file as ground truth and as detections."""
    folder = scratch.folder(form)
    (folder / "a.txt").write_bytes(data)
    (folder / "b.txt").write_bytes(b"")
    options = Format(name=form, names=NAMES)
    errors: list[YolodscError] = []
    try:
        dataset = read_truth(folder, options, InputReport())
        _score(dataset, dataset)
    except YolodscError as error:
        errors.append(error)
    found, missing = read_detections(folder, known(), options, InputReport())
    evaluate(known(), found, rules_named("voc07"), missing=missing)
    if errors:
        raise errors[0]


def read_yolo(data: bytes) -> None:
    """YOLO's labels, and Ultralytics' with scores."""
    _text("yolo", data)


def read_cartucho(data: bytes) -> None:
    """``class [score] left top right bottom``."""
    _text("cartucho", data)


def read_rafael(data: bytes) -> None:
    """The same, by corners or size."""
    _text("rafael", data)


def _score(dataset: Dataset, found: Dataset) -> None:
    """Score the labels as if they were detections."""
    truth = found.ground_truth
    scores = np.linspace(1, 0, len(truth))
    same = DetectionTable(truth.image, truth.class_id, scores, truth.boxes_xyxy, None)
    evaluate(dataset, same, rules_named("voc07,coco"))


def prepare() -> None:
    """Compile what scores."""
    _score(known(), known())


_NUMBERS = (b" nan", b" inf", b" 1e308", b" -1e308", b" 1e-320", b" 0", b" 1e400")
_XML = tuple(
    f"<{word}>".encode() for word in "annotation object name bndbox xmin ymin xmax ymax difficult size width height".split()
)

TARGETS = (
    Target(
        name="voc",
        prepare=prepare,
        one=read_voc,
        tokens=(*_XML, b"</object>", b"<!DOCTYPE a [<!ENTITY b 'c'>]>", b"&b;", b"<?xml encoding='utf-7'?>"),
    ),
    Target(name="comp4", prepare=prepare, one=read_comp4_file, tokens=(b"a 0.5 1 2 30 40\n", *_NUMBERS)),
    Target(
        name="yolo",
        prepare=prepare,
        one=read_yolo,
        tokens=(b"0 0.5 0.5 0.2 0.2\n", b" difficult", *_NUMBERS, b"\xc2\xb2 ", b"9" * 5000),
    ),
    Target(
        name="cartucho",
        prepare=prepare,
        one=read_cartucho,
        tokens=(b"cat 0.5 1 2 30 40\n", b" difficult", *_NUMBERS, b"\xc2\xb2 ", b"9" * 5000),
    ),
    Target(
        name="rafael",
        prepare=prepare,
        one=read_rafael,
        tokens=(b"cat 0.5 1 2 30 40\n", b" difficult", *_NUMBERS, b"\xc2\xb2 ", b"9" * 5000),
    ),
)
