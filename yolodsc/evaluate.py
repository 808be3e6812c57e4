"""Scoring a detector: run it over a dataset, or read what another program found, and apply every rule."""

import json
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from yolodsc import image
from yolodsc.boxes import joined
from yolodsc.datasets import Dataset
from yolodsc.detect import Detector
from yolodsc.detections import Detections
from yolodsc.errors import DatasetError, ImageError
from yolodsc.files import replacing
from yolodsc.image import Picture
from yolodsc.metrics import Found, Rule, RuleResult, score
from yolodsc.metrics.errors import Breakdown, breakdown
from yolodsc.shape import Array

JOURNAL = "detections.jsonl"
"""One line a picture, uncut, in full precision: what ``--resume`` continues."""
READ_AHEAD = 4


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """Everything that is known after scoring.

    Attributes
    ----------
    dataset, found
    results
        By the rules' names.
    errors
        TIDE's breakdown.
    thresh
        Score above which TP, FP, precision and recall are counted.
    missing
        Classes without detections file: left out of every mean.
    notes
        What was reported of the input.
    speed
        Milliseconds a picture for ``read``, ``network`` and ``post``; empty for detections from files.
    """

    dataset: Dataset
    found: Found
    results: dict[str, RuleResult]
    errors: Breakdown
    thresh: float
    missing: frozenset[int] = frozenset()
    notes: tuple[str, ...] = ()
    speed: dict[str, float] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The content of ``--json``: rules, and per class what a paired comparison needs."""
        names = self.dataset.names
        first = next(iter(self.results.values()))
        return {
            "rules": {name: _rule_json(result, names) for name, result in self.results.items()},
            "errors": self.errors.to_json(),
            "missing": [names[i] for i in sorted(self.missing)],
            "pictures": list(self.dataset.ids),
            "thresh": self.thresh,
            "speed_ms": self.speed,
            "notes": list(self.notes),
            "matches": {"rule": first.rule.name, "classes": _matches(self, first)},
        }


def _rule_json(result: RuleResult, names: Sequence[str]) -> dict[str, Any]:
    classes = {
        name: {
            "ap": found.ap,
            "positives": found.positives,
            "detections": found.detections,
            "tp": found.true_positives,
            "fp": found.false_positives,
            "precision": found.precision,
            "recall": found.recall,
            "best_f1": found.best_f1,
            "best_f1_score": found.best_f1_score,
        }
        for name, found in zip(names, result.classes, strict=True)
        if found is not None
    }
    return {"mean_ap": result.mean_ap, "program": result.rule.program, **result.figures, "classes": classes}


def _matches(evaluation: Evaluation, result: RuleResult) -> dict[str, Any]:
    truth, names = evaluation.dataset.truth, evaluation.dataset.names
    matches: dict[str, Any] = {}
    for c, found in enumerate(result.classes):
        if found is not None:
            wanted = truth.picture[(truth.class_id == c) & ~truth.difficult]
            matches[names[c]] = {
                "positives": wanted.tolist(),
                "picture": found.picture.tolist(),
                "right": "".join("1" if outcome == 1 else "0" for outcome in found.outcomes),
            }
    return matches


def evaluate(
    dataset: Dataset,
    found: Found,
    rules: Iterable[Rule],
    *,
    missing: frozenset[int] = frozenset(),
    thresh: float = 0.25,
    notes: Sequence[str] = (),
    speed: dict[str, float] | None = None,
) -> Evaluation:
    """Score ``found`` against ``dataset`` by several rules; rules of whole pixels are left out where sizes are unknown."""
    chosen = [rule for rule in rules if not (dataset.relative and rule.offset)]
    if not chosen:
        raise DatasetError("boxes are relative and picture sizes unknown: rules of whole pixels need the pictures")
    said = list(notes)
    if dataset.relative:
        said.append("picture sizes unknown: boxes are compared relative to their pictures, by the continuous rules only")
    classes, pictures = len(dataset.names), len(dataset.ids)
    results = score(chosen, dataset.truth, found, classes=classes, pictures=pictures, missing=missing, thresh=thresh)
    errors = breakdown(dataset.truth, found.clipped(), classes=classes)
    return Evaluation(dataset, found, results, errors, thresh, missing, tuple(said), speed or {})


@dataclass(frozen=True, slots=True)
class Scored:
    """One picture's detections as plain lists, or why there are none; times in seconds."""

    id: str
    class_ids: list[int]
    scores: list[float]
    boxes: list[list[float]]
    seconds: tuple[float, float, float] = (0.0, 0.0, 0.0)
    error: str | None = None

    def line(self) -> str:
        """The journal's line."""
        return json.dumps({"id": self.id, "class": self.class_ids, "score": self.scores, "box": self.boxes}) + "\n"


def detections_of(dataset: Dataset, detector: Detector, *, skip: Iterable[str] = ()) -> Iterator[Scored]:
    """Run a detector over the pictures of a dataset, in order, reading ahead in a thread."""
    if dataset.paths is None:
        raise DatasetError(
            "the dataset has no pictures (or not all of them); wanted JPEGImages beside Annotations, or --detections"
        )
    done = set(skip)
    remaining = ((name, path) for name, path in zip(dataset.ids, dataset.paths, strict=True) if name not in done)
    with ThreadPoolExecutor(1, thread_name_prefix="read") as reader:
        waiting: deque[tuple[str, Path, Future[tuple[Picture, float]]]] = deque()
        while True:
            while len(waiting) < READ_AHEAD and (entry := next(remaining, None)) is not None:
                waiting.append((*entry, reader.submit(_read, entry[1], detector)))
            if not waiting:
                return
            yield _scored(*waiting.popleft(), dataset, detector)


def _read(path: Path, detector: Detector) -> tuple[Picture, float]:
    start = perf_counter()
    picture = image.read(path, channels=detector.network.picture.channels, exif=detector.exif)
    return picture, perf_counter() - start


def _scored(name: str, path: Path, reading: "Future[tuple[Picture, float]]", dataset: Dataset, detector: Detector) -> Scored:
    try:
        picture, read = reading.result()
    except ImageError as error:
        return Scored(name, [], [], [], error=str(error))
    height, width = picture.shape[:2]
    start = perf_counter()
    network = detector.network
    fitted, placement = image.fit(picture, network.picture, profile=network.profile, geometry=detector.geometry)
    outputs = detector.runner(fitted)
    middle = perf_counter()
    found = detector.detections(outputs, placement, width=width, height=height, path=str(path))
    found = found[_array_order(found, detector, outputs)]
    seconds = (read, middle - start, perf_counter() - middle)
    boxes = (found.boxes_xyxy.astype(np.float64) + dataset.origin).tolist()
    return Scored(name, found.class_ids.tolist(), found.scores.astype(np.float64).tolist(), boxes, seconds)


def _array_order(found: Detections, detector: Detector, outputs: dict[int, Array]) -> NDArray[np.int64]:
    """The order of Darknet's array after suppression, on which its TP and FP at a threshold depend: (N,).

    ``box.c: do_nms_sort`` sorts the array by each class in turn, so that the last class decides, then the one before it.
    A box is known again by its objectness.
    """
    heads, picture = detector.network.heads, detector.network.picture
    decoded = joined([head.decode(outputs[head.index], picture=picture, thresh=detector.thresh) for head in heads])
    order = np.lexsort(-decoded.probabilities.T)
    objectness = decoded.objectness[order]
    rank = {float(value): i for i, value in reversed(list(enumerate(objectness)))}
    return np.argsort([rank.get(float(value), len(rank)) for value in found.objectness], kind="stable")


def table_of(dataset: Dataset, scored: Sequence[Scored]) -> Found:
    """Columns out of pictures; boxes stay uncut, and know their borders."""
    index = {name: i for i, name in enumerate(dataset.ids)}
    picture = np.concatenate([np.full(len(entry.scores), index[entry.id], np.int64) for entry in scored] or [np.zeros(0, np.int64)])
    class_id = np.array([c for entry in scored for c in entry.class_ids], np.int64)
    scores = np.array([s for entry in scored for s in entry.scores], np.float64)
    boxes = np.array([b for entry in scored for b in entry.boxes], np.float64).reshape(-1, 4)
    return Found(picture, class_id, scores, boxes, dataset.limits)


def speed_of(scored: Sequence[Scored]) -> dict[str, float]:
    """Milliseconds a picture, by stage; the median of the pictures that were run."""
    times = np.array([entry.seconds for entry in scored if entry.error is None and any(entry.seconds)])
    if not len(times):
        return {}
    return dict(zip(("read", "network", "post"), (float(t) for t in np.median(times, axis=0) * 1000), strict=True))


def read_journal(path: Path, names: Sequence[str]) -> list[Scored]:
    """The pictures of an interrupted run; a last line that was cut off is left aside."""
    entries = []
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except FileNotFoundError:
        return []
    for number, line in enumerate(lines[:-1], 1):
        try:
            entry = json.loads(line)
            if number == 1:
                if entry["names"] != list(names):
                    raise DatasetError(f"{path}: detections of a network with other classes; wanted the same one")
                continue
            entries.append(Scored(entry["id"], entry["class"], entry["score"], entry["box"]))
        except (KeyError, TypeError, ValueError):
            raise DatasetError(f"{path}:{number}: no line of a run; delete the file to begin anew") from None
    return entries


def write_json(path: Path, content: Any) -> None:
    """Put JSON in place in one step."""
    with replacing(path, error=DatasetError, mode="w") as file:
        json.dump(content, file)
