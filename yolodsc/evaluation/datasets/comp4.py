"""VOC's files of detections: ``comp4_det_test_CLASS.txt``, one a class, ``id score xmin ymin xmax ymax`` a line."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from yolodsc.errors import DatasetError
from yolodsc.evaluation.datasets.dataset import Dataset, DetectionRows, InputReport
from yolodsc.evaluation.metrics.tables import DetectionTable
from yolodsc.files import MAX_DATA_BYTES, replacing, text_of


def read_comp4(folder: Path, names: Sequence[str], report: InputReport) -> tuple[DetectionRows, frozenset[int]]:
    """All files of a folder, and the classes that have none."""
    files = {name: _file_of(folder, name) for name in names}
    missing = frozenset(i for i, name in enumerate(names) if files[name] is None)
    if len(missing) == len(names):
        raise DatasetError(f"{folder}: no file such as comp4_det_test_{names[0] if names else 'CLASS'}.txt")
    if missing:
        listed = ", ".join(names[i] for i in sorted(missing))
        report.note(f"{folder}: no file for {listed}: left out of the mean")
    ids: list[str] = []
    classes: list[str] = []
    numbers = []
    for name, path in files.items():
        if path is None:
            continue
        image_ids, values = _read(path, report)
        ids += image_ids
        classes += [name] * len(image_ids)
        numbers.append(values)
    table = np.concatenate(numbers)
    return DetectionRows(ids, classes, table[:, 0], table[:, 1:]), missing


def _file_of(folder: Path, name: str) -> Path | None:
    """The file whose name ends with the class (blanks aside); the shortest, so that ``test_car`` is not ``test_race_car``."""
    spelling = "".join(_written(name).split())
    fitting = []
    for path in filter(Path.is_file, folder.glob("*.txt")):
        stem = "".join(path.stem.split())
        if stem == spelling or stem.endswith(f"_{spelling}"):
            fitting.append(path)
    return min(fitting, key=lambda path: (len(path.name), path.name), default=None)


def _read(path: Path, report: InputReport) -> tuple[list[str], "np.ndarray[tuple[int, int], np.dtype[np.float64]]"]:
    text = text_of(path, error=DatasetError, errors="surrogateescape", max_bytes=MAX_DATA_BYTES)
    tokens = text.split()
    try:
        if len(tokens) == 6 * (text.strip().count("\n") + bool(tokens)):
            names = tokens[0::6]
            del tokens[0::6]
            return names, np.fromiter(map(float, tokens), np.float64, len(tokens)).reshape(-1, 5)
    except ValueError:
        pass  # a header or a broken line: read line by line
    ids, rows = [], []
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        try:
            values = [float(word) for word in words[-5:]]
            if len(words) < 6:
                raise ValueError
        except ValueError:
            if number > 1:
                report.problem(f"{path.name}:{number}: {line.strip()[:40]!r} is no 'id score xmin ymin xmax ymax'; skipped")
            continue
        ids.append(" ".join(words[:-5]))
        rows.append(values)
    return ids, np.array(rows, np.float64).reshape(-1, 5)


def write_comp4(folder: Path, dataset: Dataset, detections: DetectionTable, *, chosen: str) -> None:
    """One file a class, as ``detector valid`` writes them (``detector.c: print_detector_detections``): cut at the borders."""
    cut = detections.clipped()
    for class_id, name in enumerate(dataset.names):
        with replacing(folder / f"comp4_det_{chosen}_{_written(name)}.txt", error=DatasetError, mode="w") as file:
            for i in np.flatnonzero(cut.class_id == class_id):
                box = " ".join(f"{side:f}" for side in cut.boxes_xyxy[i])
                file.write(f"{dataset.ids[cut.image[i]]} {cut.score[i]:f} {box}\n")


def _written(name: str) -> str:
    """A class in a file's name."""
    return name.replace("/", "_").replace("\\", "_")
