"""Valid JSON documents of each kind, and the commands that read them."""

import copy
import json
from pathlib import Path
from typing import Any

GROUND_TRUTH: dict[str, Any] = {
    "images": [
        {"id": 1, "file_name": "a.jpg", "width": 100, "height": 80},
        {"id": 2, "file_name": "b.jpg", "width": 100, "height": 80},
    ],
    "categories": [{"id": 1, "name": "dog"}, {"id": 3, "name": "tea pot"}],
    "annotations": [
        {"image_id": 1, "category_id": 1, "bbox": [1, 2, 30, 40], "area": 1200.0, "iscrowd": 0},
        {"image_id": 2, "category_id": 3, "bbox": [1, 2, 30, 40]},
    ],
}
RESULTS: list[dict[str, Any]] = [
    {"image_id": 1, "category_id": 1, "bbox": [1, 2, 30, 40], "score": 0.9},
    {"image_id": 2, "category_id": 3, "bbox": [5, 2, 30, 40], "score": 0.5},
]
_PLACE = {"center_x": 0.2, "center_y": 0.3, "width": 0.3, "height": 0.5}
FRAMES: list[dict[str, Any]] = [
    {"filename": "1.jpg", "objects": [{"name": "dog", "relative_coordinates": _PLACE, "confidence": 0.9}]},
    {"filename": "2.jpg", "objects": []},
]
JOURNAL: list[dict[str, Any]] = [
    {"names": ["dog", "tea pot"], "origin": 0.0},
    {"id": "1", "class": [0, 1], "score": [0.9, 0.2], "box": [[1, 2, 31, 42], [1, 2, 3, 4]], "seconds": [0.1, 0.2, 0.3]},
    {"id": "2", "class": [], "score": [], "box": []},
]
EVALUATION: dict[str, Any] = {
    "rules": {"voc10": {"mean_ap": 1.0, "classes": {"dog": {"ap": 1.0, "positives": 1}, "tea pot": {"ap": None, "positives": 0}}}},
    "pictures": ["1", "2"],
    "matches": {
        "rule": "voc10",
        "classes": {
            "dog": {"positives": [0, 1], "picture": [0, 1, 1], "right": "110"},
            "tea pot": {"positives": [], "picture": [0], "right": "0"},
        },
    },
}
VALID: dict[str, Any] = {
    "truth": GROUND_TRUTH,
    "results": RESULTS,
    "frames": FRAMES,
    "journal": JOURNAL,
    "evaluation": EVALUATION,
}


def written(folder: Path, kind: str, text: str) -> list[object]:
    """Write ``text`` as the only doubtful document of its kind; return the command that reads it."""
    folder.mkdir(exist_ok=True)
    for name, document in (("truth", GROUND_TRUTH), ("results", RESULTS), ("evaluation", EVALUATION)):
        (folder / f"{name}.json").write_text(json.dumps(document))
    path = folder / "run" / "detections.jsonl" if kind == "journal" else folder / f"doubtful-{kind}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    if kind == "evaluation":
        return ["evaluate", "--compare", folder / "evaluation.json", path]
    truth = path if kind == "truth" else folder / "truth.json"
    found = folder / "results.json" if kind == "truth" else path.parent if kind == "journal" else path
    return ["evaluate", "--gt", truth, "--format", "coco", "--detections", found, "--quiet"]


def text_of(kind: str, document: Any) -> str:
    """Return the document as its file contains it."""
    return "".join(json.dumps(line) + "\n" for line in document) if kind == "journal" else json.dumps(document)


def changed(document: Any, path: tuple[str | int, ...], value: Any) -> Any:
    """Return a copy with another value at a path; `...` removes the entry."""
    new = copy.deepcopy(document)
    parent = new
    for step in path[:-1]:
        parent = parent[step]
    if value is ...:
        del parent[path[-1]]
    elif path:
        parent[path[-1]] = value
    return new if path else value
