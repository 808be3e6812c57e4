"""JSON files with every kind of fault, through the command that reads them."""

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.schemas.complaints import complaint
from tests.schemas.documents import EVALUATION, VALID, changed, text_of, written
from yolodsc.cli import run
from yolodsc.errors import DatasetError, YolodscError
from yolodsc.evaluation.comparison.bootstrap import compare, read_evaluation
from yolodsc.evaluation.datasets.coco_json import load_json, read_coco, read_results
from yolodsc.evaluation.datasets.dataset import InputReport
from yolodsc.evaluation.datasets.journal import read_journal
from yolodsc.evaluation.metrics.rules import RULES
from yolodsc.schemas.document import checked, dump_json, replace_nonfinite

HUGE = "1" * 6000
DOG = ("matches", "classes", "dog")
FAULTS: list[tuple[str, tuple[str | int, ...], Any, str]] = [
    ("evaluation", (*DOG, "positives", 1), 10**12, "at $.matches.classes.dog.positives[1]: got 1000000000000, expected 0 to 1"),
    ("evaluation", (*DOG, "positives", 1), -1, "at $.matches.classes.dog.positives[1]: got -1, expected integer >= 0"),
    ("evaluation", (*DOG, "picture", 2), 2, "at $.matches.classes.dog.picture[2]: got 2, expected 0 to 1"),
    ("evaluation", (*DOG, "picture", 0), 0.5, "at $.matches.classes.dog.picture[0]: got 0.5, expected integer"),
    ("evaluation", (*DOG, "picture"), [0], "dog.right: got 3 outcomes, expected 1, one a detection"),
    ("evaluation", (*DOG, "right"), "11", "dog.right: got 2 outcomes, expected 3"),
    ("evaluation", (*DOG, "right"), "111", "dog.right: got 3 right detections, expected at most 2"),
    ("evaluation", (*DOG, "right"), "12x", 'dog.right: got "12x", expected string matching'),
    ("evaluation", (*DOG, "right"), ..., "at $.matches.classes.dog: field right is missing"),
    ("evaluation", ("matches", "classes", "tea pot", "picture"), [7], 'at $.matches.classes["tea pot"].picture[0]: got 7'),
    ("evaluation", ("matches", "classes", "cow"), VALID["evaluation"]["matches"]["classes"]["dog"], "a class that $.rules.voc10"),
    ("evaluation", ("matches", "rule"), "voc7", 'at $.matches.rule: got "voc7", expected a rule'),
    ("evaluation", ("pictures",), [], "at $.pictures: got an array of 0, expected array of length >= 1"),
    ("evaluation", ("pictures", 1), None, "at $.pictures[1]: got null, expected string"),
    ("evaluation", ("pictures", 1), "c", "differ in their images"),
    ("evaluation", ("rules", "voc10", "classes", "dog", "ap"), float("nan"), "got NaN, expected a finite number"),
    ("evaluation", ("rules", "voc10", "classes", "dog", "ap"), 2, "classes.dog.ap: got 2, expected number <= 1"),
    ("evaluation", ("rules", "voc10", "classes", "dog", "ap"), 10**400, "classes.dog.ap: got a huge integer, expected a number"),
    ("evaluation", ("matches", "classes"), {}, "no class in common"),
    ("evaluation", (), [], "at $: got an array of 0, expected object"),
    ("evaluation", (), None, "at $: got null, expected object"),
    ("truth", ("categories", 0, "name"), None, "at $.categories[0].name: got null, expected string"),
    ("truth", ("categories", 1, "id"), 1, 'at $.categories[1].id: got "1", expected each value once'),
    ("truth", ("categories", 1, "id"), "three", "at $.categories: got ids that are integers and strings"),
    ("truth", ("images", 1, "id"), [1], "at $.images[1].id: got an array of 1, expected integer or string"),
    ("truth", ("images", 1, "id"), {}, "at $.images[1].id: got an object"),
    ("truth", ("images", 1, "id"), 1, "at $.images[1].id: got"),
    ("truth", ("images", 0, "width"), -5, "at $.images[0].width: got -5, expected number >= 1"),
    ("truth", ("images", 0, "height"), 1e300, "at $.images[0].height: got 1e+300"),
    ("truth", ("images",), [], "at $.images: got an array of 0"),
    ("truth", ("annotations", 0, "bbox"), [1, 2, 3], "at $.annotations[0].bbox: got an array of 3, expected array of length 4"),
    ("truth", ("annotations", 0, "bbox", 2), -1, "at $.annotations[0].bbox[2]: got -1, expected number >= 0"),
    ("truth", ("annotations", 0, "bbox", 2), float("inf"), "got Infinity, expected a finite number"),
    ("truth", ("annotations", 0, "area"), "big", 'at $.annotations[0].area: got "big", expected number'),
    ("truth", ("annotations", 0, "iscrowd"), 2, "at $.annotations[0].iscrowd: got 2"),
    ("truth", ("annotations", 0, "category_id"), ..., "at $.annotations[0]: field category_id is missing"),
    ("truth", ("annotations",), {}, "at $.annotations: got an object, expected array"),
    ("results", (0, "bbox"), [1, 2, 3, 4, 5], "at $[0].bbox: got an array of 5, expected array of length 4"),
    ("results", (0, "bbox", 0), [1], "at $[0].bbox[0]: got an array of 1, expected number"),
    ("results", (0, "image_id"), {"a": 1}, "at $[0].image_id: got an object, expected integer or string"),
    ("results", (0, "category_id"), None, "at $[0].category_id: got null"),
    ("results", (1, "score"), "0.5", 'at $[1].score: got "0.5", expected number'),
    ("results", (1, "score"), 1e300, "at $[1].score: got 1e+300"),
    ("results", (1,), 1, "at $[1]: got 1, expected object"),
    ("results", (), {}, "expected a list of detections"),
    ("frames", (0, "objects", 0, "name"), None, "at $[0].objects[0].name: got null, expected string"),
    ("frames", (0, "objects", 0, "relative_coordinates", "width"), "w", "relative_coordinates.width: got"),
    ("frames", (0, "objects", 0, "relative_coordinates"), [1], "relative_coordinates: got an array of 1, expected object"),
    ("frames", (0, "filename"), 3, "at $[0].filename: got 3, expected string"),
    ("frames", (1,), [], "at $[1]: got an array of 0, expected object"),
    ("journal", (0, "names"), [], "detections.jsonl:1: at $.names: got an array of 0"),
    ("journal", (0, "names"), ..., "detections.jsonl:1: at $: field names is missing"),
    ("journal", (0, "origin"), "one", "detections.jsonl:1: at $.origin"),
    ("journal", (1, "class", 1), 2, "detections.jsonl:2: at $.class[1]: got 2, expected 0 to 1"),
    ("journal", (1, "class"), [0], "detections.jsonl:2: at $: got 1 classes, 2 scores and 2 boxes"),
    ("journal", (1, "box", 0), [1, 2, 3], "detections.jsonl:2: at $.box[0]: got an array of 3"),
    ("journal", (1, "score", 0), float("nan"), "detections.jsonl:2: no line of a run"),
    ("journal", (1, "seconds"), [1, 2], "detections.jsonl:2: at $.seconds: got an array of 2"),
    ("journal", (1, "id"), [], "detections.jsonl:2: at $.id: got an array of 0, expected string"),
    ("journal", (2, "id"), "1", "detections.jsonl:3: got '1' once more"),
    ("journal", (2,), [1], "detections.jsonl:3: no line of a run"),
]
TEXTS = [
    ("[" * 100_000, "nested too deeply"),
    ('{"a":' * 100_000, "nested too deeply"),
    (f"[{HUGE}]", "got an integer of thousands of digits"),
    ("[1e999]", "$[0]: got Infinity, expected object"),
    ("[NaN]", "got NaN, expected a finite number"),
    ("[-Infinity]", "got -Infinity, expected a finite number"),
    ('{"images": [], "images": []}', 'got the key "images" twice'),
    (r'[{"image_id": "\ud800"}]', "half of a surrogate pair"),
    ("{", "not JSON"),
    ("[1,]", "not JSON"),
]


@pytest.mark.parametrize("kind", VALID)
def test_a_valid_document_is_read(kind: str, tmp_path: Path) -> None:
    """Otherwise the tests of faults would prove nothing."""
    assert run([str(argument) for argument in written(tmp_path, kind, text_of(kind, VALID[kind]))]) == 0


@pytest.mark.parametrize(("kind", "path", "value", "said"), FAULTS)
def test_a_fault_is_one_line_with_file_and_path(
    kind: str, path: tuple[str | int, ...], value: Any, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The exit status is 2, and the line says what was expected."""
    command = written(tmp_path, kind, text_of(kind, changed(VALID[kind], path, value)))

    assert said in complaint(command, capsys)


@pytest.mark.parametrize("kind", ["truth", "results", "evaluation"])
@pytest.mark.parametrize(("text", "said"), TEXTS, ids=[said for _, said in TEXTS])
def test_a_text_that_is_no_document_is_one_line(
    text: str, said: str, kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Deep nesting, long numbers, literals and repeated keys are refused."""
    line = complaint(written(tmp_path, kind, text), capsys)

    assert f"doubtful-{kind}.json" in line
    assert said in line or (said.startswith("$[0]") and "an array of 1, expected object" in line)


def test_the_faulty_key_is_found_among_many() -> None:
    """The library does not name keys of mappings; the search finds them at any depth."""
    for key in ("a0", "a500", "a999"):
        outer = {f"a{i}": {f"b{j}": [1, 2] for j in range(3)} for i in range(1000)}
        outer[key]["b1"] = [1, "x"]  # type: ignore[list-item]

        with pytest.raises(DatasetError, match=rf'^f: at \$\.{key}\.b1\[1\]: got "x", expected integer$'):
            checked(outer, dict[str, dict[str, list[int]]], file="f", error=DatasetError)


def test_draws_in_blocks_are_the_same_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawing in blocks bounds memory and gives bit-identical intervals."""
    own = random.Random(1)
    names = [str(i) for i in range(30)]
    positives = [own.randrange(30) for _ in range(60)]
    found = {"positives": positives, "picture": positives, "right": "".join(own.choice("01") for _ in positives)}
    content = changed(changed(EVALUATION, ("pictures",), names), ("matches", "classes"), {"dog": found})
    other = changed(content, (*DOG, "right"), "".join(own.choice("01") for _ in positives))
    a, b = (read_evaluation(side, file="x") for side in (content, other))
    whole = compare(a, b)

    monkeypatch.setattr("yolodsc.evaluation.comparison.bootstrap.MAX_WEIGHTS", 30 * 7)

    assert compare(a, b) == whole
    assert whole[""].low != whole[""].high


@pytest.mark.parametrize("value", [float("nan"), float("inf"), np.float64("-inf")])
def test_numbers_that_are_not_finite_are_not_written(value: float) -> None:
    """JSON cannot express them: an error names the field, or null replaces the number if the field may be undefined."""
    with pytest.raises(YolodscError, match=r'^f: cannot be written: at \$\.a\["b c"\]\[1\]: got a number that is not finite$'):
        dump_json({"a": {"b c": [1.0, value]}}, file="f", error=YolodscError)

    assert json.loads(dump_json(replace_nonfinite({"a": (1.0, value)}), file="f", error=YolodscError)) == {"a": [1.0, None]}


def paths_in(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Return all paths of a document."""
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(deeper for key, entry in entries for deeper in paths_in(entry, (*path, key)))]


VALUES = st.one_of(
    st.just(...),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.integers(-3, 40) | st.floats() | st.text(max_size=5) | st.just(10**400),
        lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
        max_leaves=6,
    ),
)


@pytest.mark.slow
@given(st.data())
def test_a_mutated_document_is_used_or_refused(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    """Any value at any path gives a result or a `YolodscError`."""
    kind = data.draw(st.sampled_from(sorted(VALID)))
    document = VALID[kind]
    for _ in range(data.draw(st.integers(1, 2))):
        paths = [path for path in paths_in(document) if path]
        if paths:
            document = changed(document, data.draw(st.sampled_from(paths)), data.draw(VALUES))
    folder = tmp_path_factory.getbasetemp() / "mutated"
    written(folder, kind, text_of(kind, document))

    try:
        _read(kind, folder / f"doubtful-{kind}.json", folder)
    except YolodscError as error:
        assert "\n" not in str(error).replace(str(folder), "")


def _read(kind: str, path: Path, folder: Path) -> None:
    """Run what the command does with the document."""
    dataset = read_coco(path if kind == "truth" else folder / "truth.json", InputReport())
    if kind == "evaluation":
        a, b = (read_evaluation(load_json(file), file=file) for file in (folder / "evaluation.json", path))
        assert a.matches.rule in RULES
        compare(a, b, draws=5)
    elif kind == "journal":
        journal = read_journal(folder / "run/detections.jsonl")
        assert journal is None or len(journal.rows(dataset).ids) == len(journal.rows(dataset).score)
    elif kind != "truth":
        rows = read_results(path, dataset, InputReport())
        assert np.isfinite(rows.boxes_xyxy).all()
