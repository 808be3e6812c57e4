"""The journal of a run: the detections, one line an image, not clipped and in full precision, so that a run can resume."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from yolodsc.errors import DatasetError
from yolodsc.evaluation.datasets.dataset import Dataset, DetectionRows
from yolodsc.evaluation.datasets.journal_schema import check_journal_entry, check_journal_settings
from yolodsc.files import exists, regular_size
from yolodsc.schemas import dump_json, parse_json

JOURNAL_FILE = "detections.jsonl"
"""Name of the journal in the folder of the detections."""


@dataclass(frozen=True, slots=True)
class ImageDetections:
    """The detections of one image as plain lists, or the error; seconds of reading, network and postprocessing."""

    id: str
    class_ids: list[int]
    scores: list[float]
    boxes: list[list[float]]
    seconds: tuple[float, float, float] = (0.0, 0.0, 0.0)
    error: str | None = None

    def line(self) -> str:
        """Return the journal's line."""
        entry = {"id": self.id, "class": self.class_ids, "score": self.scores, "box": self.boxes, "seconds": self.seconds}
        return dump_json(entry, file=JOURNAL_FILE, error=DatasetError) + "\n"


@dataclass(frozen=True, slots=True)
class Journal:
    """The content of a journal: the settings that the detections depend on, and the images that are done."""

    settings: Mapping[str, Any]
    entries: Sequence[ImageDetections]

    def rows(self, dataset: Dataset) -> DetectionRows:
        """All detections by name, in the dataset's coordinates."""
        names = self.settings["names"]
        boxes = np.array([box for entry in self.entries for box in entry.boxes], np.float64).reshape(-1, 4)
        return DetectionRows(
            [entry.id for entry in self.entries for _ in entry.scores],
            [names[class_id] for entry in self.entries for class_id in entry.class_ids],
            np.array([score for entry in self.entries for score in entry.scores], np.float64),
            boxes + (dataset.origin - self.settings["origin"]),
            open=True,
        )


def read_journal(path: Path) -> Journal | None:
    """Return the journal of an interrupted run without a truncated last line; None if the first line is incomplete."""
    lines = _whole(path).decode("utf-8", "replace").split("\n")[:-1]
    if not lines:
        return None
    settings, entries, seen = _parsed(path, 1, lines[0]), [], set()
    names = check_journal_settings(settings, line=f"{path}:1").names
    for number, line in enumerate(lines[1:], 2):
        entry = check_journal_entry(_parsed(path, number, line), classes=len(names), line=f"{path}:{number}")
        if entry.id in seen:
            raise DatasetError(
                f"{path}:{number}: got {entry.id!r} once more, expected each image once; delete the file to begin anew"
            )
        seen.add(entry.id)
        boxes = [list(box) for box in entry.box]
        entries.append(ImageDetections(entry.id, entry.class_ids, entry.score, boxes, entry.seconds))
    return Journal(settings, entries)


def _parsed(path: Path, number: int, line: str) -> dict[str, Any]:
    try:
        entry = parse_json(line, file=f"{path}:{number}", error=DatasetError)
    except DatasetError as error:
        raise DatasetError(f"{path}:{number}: no line of a run; delete the file to begin anew ({error})") from None
    if not isinstance(entry, dict):
        raise DatasetError(f"{path}:{number}: no line of a run; delete the file to begin anew")
    return entry


def resume_journal(path: Path, settings: Mapping[str, Any]) -> Sequence[ImageDetections]:
    """Return the images that an earlier run finished; raise a `DatasetError` if its settings differ."""
    journal = read_journal(path) if exists(path) else None
    if journal is None:
        return ()
    earlier = {"decoder": _decoder_of(journal.settings), "precision": "f32", **journal.settings}
    for key, expected in settings.items():
        found = earlier.get(key)
        if found != expected:
            difference = "another file" if key in ("cfg", "weights") else f"{_short(found)}, now {_short(expected)}"
            raise DatasetError(f"{path}: a run with other settings, {key}: {difference}; expected the same, or another folder")
    return journal.entries


def _decoder_of(settings: Mapping[str, Any]) -> str:
    """Return the JPEG decoder of a run whose journal does not name it: journals of earlier versions do not."""
    return "fast" if settings.get("profile") == "opencv" or settings.get("exif") else "darknet"


@contextmanager
def append_journal(path: Path, settings: Mapping[str, Any]) -> Iterator[TextIO]:
    """Open the journal for appending; each line is flushed at once. A new journal begins with the settings."""
    whole = len(_whole(path)) if exists(path) else 0
    try:
        with path.open("a", encoding="utf-8", buffering=1) as file:
            file.truncate(whole)
            if not whole:
                file.write(dump_json(settings, file=path, error=DatasetError) + "\n")
            yield file
    except OSError as error:
        raise DatasetError(f"{path}: cannot be written: {error.strerror or error}") from None


def _whole(path: Path) -> bytes:
    """Return the file up to its last newline."""
    regular_size(path, error=DatasetError)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read: {error.strerror or error}") from None
    return content[: content.rfind(b"\n") + 1]


def _short(value: Any) -> str:
    text = dump_json(value, file=JOURNAL_FILE, error=DatasetError)
    return text if len(text) <= 40 else f"{text[:37]}..."
