"""Targets: JSON files."""

import contextlib
import io
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tools.fuzzing import scratch
from tools.fuzzing.labels import known, prepare
from tools.fuzzing.target import Bytewise, Target
from yolodsc.cli import run
from yolodsc.evaluation.datasets.coco_json import read_coco, read_results
from yolodsc.evaluation.datasets.dataset import Dataset, InputReport, to_table
from yolodsc.evaluation.datasets.journal import read_journal
from yolodsc.evaluation.evaluation import evaluate
from yolodsc.evaluation.metrics.rules import rules_named


def read_coco_file(data: bytes) -> None:
    """Ground truth; results are read against it."""
    dataset = read_coco(scratch.file("coco.json", data), InputReport(), images=scratch.folder("images"))
    entry = [{"image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4], "score": 0.5}]
    _scored(dataset, scratch.file("coco-results.json", json.dumps(entry)))


def read_results_file(data: bytes) -> None:
    """COCO's results or Darknet's."""
    _scored(known(), scratch.file("results.json", data))


def _scored(dataset: Dataset, results: Path) -> None:
    found = to_table(dataset, read_results(results, dataset, InputReport()), InputReport())
    evaluate(dataset, found, rules_named("voc07,coco"))


def read_journal_file(data: bytes) -> None:
    """What an interrupted run has left."""
    journal = read_journal(scratch.file("detections.jsonl", data))
    if journal is not None:
        found = to_table(known(), journal.rows(known()), InputReport())
        evaluate(known(), found, rules_named("voc07"))


def compare(data: bytes) -> None:
    """``evaluate --compare`` of a file with itself and with one that is right."""
    path, whole = scratch.file("fuzz.json", data), _whole()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        for pair in ((path, path), (whole, path)):
            if (status := run(["evaluate", "--compare", *map(str, pair)])) not in (0, 2):
                raise AssertionError(f"exit status {status}")


def _whole() -> Path:
    path = scratch.folder("compare") / "whole.json"
    if not path.exists():
        dataset = known()
        found = to_table(dataset, read_results(scratch.file("none.json", "[]"), dataset, InputReport()), InputReport())
        path.write_text(json.dumps(evaluate(dataset, found, rules_named("voc07")).to_json()))
    return path


_ODD: tuple[Any, ...] = (
    *(None, True, -1, 0, 1, 2, 10**30, -(2**63), 2**63, 1e308, float("nan"), float("inf"), "", "1", "a", "\ud800", "\0"),
    *([], [1], [1, 2], [[1]], [1, 2, 3, 4], [None] * 4, ["1"] * 4, {}, {"a": 1}),
)


def mutated_json(data: bytes, rng: random.Random, bytewise: Bytewise) -> bytes:
    """Replace, remove or duplicate a value in the tree; rarely nest it without limit."""
    lines = data.split(b"\n") if data.count(b"\n{") else [data]
    at = rng.randrange(len(lines))
    try:
        content = json.loads(lines[at])
    except (ValueError, RecursionError):
        return bytewise(data)
    if rng.random() < 0.02:
        lines[at] = b"[" * 100_000 + b"]" * rng.choice((0, 100_000))
        return b"\n".join(lines)
    for _ in range(rng.choice((1, 1, 2))):
        content = _changed(content, rng)
    lines[at] = json.dumps(content).encode()
    return b"\n".join(lines)


def _changed(content: Any, rng: random.Random) -> Any:
    """A copy with one change, at a random position in the tree."""
    if not isinstance(content, (dict, list)) or not content or rng.random() < 0.15:
        return rng.choice(_ODD)
    keys: list[Any] = list(content) if isinstance(content, dict) else list(range(len(content)))
    key = rng.choice(keys)
    copy: Any = content.copy()
    choice = rng.random()
    if choice < 0.08:
        del copy[key]
    elif choice < 0.16 and isinstance(copy, list):
        copy.append(copy[key])
    elif choice < 0.2 and isinstance(copy, dict):
        copy[rng.choice(("", "a", "id", "bbox", "0"))] = copy.pop(key)
    else:
        copy[key] = _changed(content[key], rng)
    return copy


def _target(name: str, one: Callable[[bytes], None], words: str) -> Target:
    tokens = tuple(f'"{word}": '.encode() for word in words.split())
    return Target(name=name, one=one, prepare=prepare, mutate=mutated_json, tokens=(*tokens, b"NaN", b"1e999", b"\\u0000", b"[[[["))


TARGETS = (
    _target(
        "coco",
        read_coco_file,
        "images categories annotations id name bbox area iscrowd image_id category_id file_name width height",
    ),
    _target(
        "results",
        read_results_file,
        "image_id category_id bbox score filename objects name relative_coordinates confidence center_x",
    ),
    _target("compare", compare, "rules matches classes images rule positives image right ap"),
    _target("journal", read_journal_file, "names origin id class score box seconds"),
)
