"""The verdict: totals, confusion matrix, calibration, classes, and how they are printed."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from yolodsc.cli import run
from yolodsc.cli.notes import MAX_NOTES
from yolodsc.evaluation.datasets.dataset import Dataset
from yolodsc.evaluation.evaluation import Evaluation, evaluate
from yolodsc.evaluation.metrics.rules import RULES
from yolodsc.evaluation.metrics.tables import DetectionTable, GroundTruth
from yolodsc.evaluation.restriction import restricted
from yolodsc.evaluation.verdict.calibration import calibration
from yolodsc.evaluation.verdict.confusion import confusion

CAT, DOG, COW = range(3)
BOX = np.array([10.0, 10, 50, 50])


def scene() -> tuple[GroundTruth, DetectionTable]:
    """Two images: a cat found, a dog taken for a cat, a dog missed, a difficult cat found, two false alarms, a low score."""
    objects = [(0, CAT, 0, False), (0, DOG, 100, False), (1, DOG, 0, False), (1, CAT, 200, True)]
    found = [(0, CAT, 2, 0.9), (0, CAT, 100, 0.8), (1, CAT, 203, 0.7), (1, DOG, 300, 0.6), (0, CAT, 4, 0.5), (1, DOG, 0, 0.1)]
    truth = GroundTruth.of(
        np.array([o[0] for o in objects]),
        np.array([o[1] for o in objects]),
        np.stack([BOX + np.array([o[2], 0, o[2], 0]) for o in objects]),
        np.array([o[3] for o in objects]),
    )
    boxes = np.stack([BOX + np.array([f[2], 0, f[2], 0]) for f in found])
    columns = np.array([f[0] for f in found]), np.array([f[1] for f in found]), np.array([f[3] for f in found])
    return truth, DetectionTable(*columns, boxes)


def evaluated() -> Evaluation:
    """The scene by all rules."""
    truth, found = scene()
    dataset = Dataset(("cat", "dog", "cow"), ("a", "b"), truth, np.full((2, 2), 400.0))
    return evaluate(dataset, found, RULES.values())


def test_totals_are_sums_over_the_classes_as_darknet_prints_them() -> None:
    """TP, FP and FN by the headline rule, and the rates of these sums."""
    evaluation = evaluated()

    found = evaluation.totals

    assert evaluation.headline.rule.name == "voc07"
    assert (found.objects, found.true_positives, found.false_positives, found.false_negatives) == (3, 1, 3, 2)
    assert (found.precision, found.recall) == (0.25, 1 / 3)
    assert found.f1 == pytest.approx(2 * 0.25 * (1 / 3) / (0.25 + 1 / 3))
    assert evaluation.to_json()["headline"] == {
        "rule": "voc07", "mean_ap": evaluation.headline.mean_ap, "objects": 3, "tp": 1, "fp": 3, "fn": 2,
        "precision": 0.25, "recall": 1 / 3, "f1": pytest.approx(2 / 7),
    }  # fmt: skip


def test_the_confusion_matrix_counts_pairs_whatever_their_class() -> None:
    """Rows of objects, columns of detections; false alarms in the last row, missed objects in the last column."""
    truth, found = scene()

    matrix = confusion(truth, found, classes=3, thresh=0.25).matrix

    expected = np.zeros((4, 4), int)
    expected[CAT, CAT] = expected[DOG, CAT] = expected[DOG, 3] = expected[3, DOG] = expected[3, CAT] = 1
    assert matrix.tolist() == expected.tolist()
    assert confusion(truth, found, classes=3, thresh=0.25).pairs() == [(DOG, CAT, 1)]


def test_a_detection_takes_its_best_object_and_an_object_its_best_detection() -> None:
    """A detection whose object is taken does not turn to another one, as in Ultralytics' matrix."""
    boxes = np.array([[0.0, 0, 100, 100], [0, 0, 100, 64]])
    truth = GroundTruth.of(np.zeros(2, int), np.array([CAT, DOG]), boxes)
    found = DetectionTable(
        np.zeros(2, int), np.array([CAT, CAT]), np.array([0.9, 0.8]), np.array([[0.0, 0, 100, 98], [0, 0, 100, 90]])
    )

    matrix = confusion(truth, found, classes=2, thresh=0.25).matrix

    assert matrix.tolist() == [[1, 0, 0], [0, 0, 1], [1, 0, 0]]


def test_calibration_is_the_mean_distance_of_score_and_precision() -> None:
    """Over bins of a twentieth, weighted by their detections; detections of difficult objects do not count."""
    evaluation = evaluated()

    found = calibration(evaluation.headline, thresh=0.25)

    assert found.detections == 4
    assert found.ece == pytest.approx((abs(0.9 - 1) + 0.8 + 0.6 + 0.5) / 4)
    assert (found.score, found.precision) == (pytest.approx(0.7), 0.25)
    assert found.counts.sum() == 5
    assert calibration(evaluation.headline, thresh=0.95).ece is None
    json.dumps(evaluation.to_json(), allow_nan=False)


def test_a_perfectly_calibrated_detector_has_no_error() -> None:
    """Nine of ten detections with score .9 are right."""
    n = 10
    truth = GroundTruth.of(np.arange(n), np.zeros(n, int), np.tile(BOX, (n, 1)))
    boxes = np.tile(BOX, (n, 1))
    boxes[0] += 100
    found = DetectionTable(np.arange(n), np.zeros(n, int), np.full(n, 0.9), boxes)
    dataset = Dataset(("cat",), tuple("abcdefghij"), truth, np.full((n, 2), 400.0))

    assert evaluate(dataset, found, [RULES["voc07"]]).calibration.ece == pytest.approx(0.0, abs=1e-12)


def test_selected_classes_are_scored_as_if_there_were_no_others() -> None:
    """Objects and detections of the others are left out, in the given order of classes."""
    truth, found = scene()
    dataset = Dataset(("cat", "dog", "cow"), ("a", "b"), truth, np.full((2, 2), 400.0))

    kept, detections, missing = restricted(dataset, found, frozenset({2}), [COW, CAT])
    result = evaluate(kept, detections, [RULES["voc07"]], missing=missing)

    assert kept.names == ("cow", "cat")
    assert missing == {0}
    assert result.headline.classes[0] is None
    assert result.headline.mean_ap == evaluated().headline.classes[CAT].ap  # type: ignore[union-attr]
    assert result.totals.objects == 1


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    """The scene as files, with the options that name them."""
    truth, found = scene()
    names = ("cat", "dog", "cow")
    boxes = np.concatenate([truth.boxes_xyxy[:, :2], truth.boxes_xyxy[:, 2:] - truth.boxes_xyxy[:, :2]], axis=1).tolist()
    rows = zip(truth.image.tolist(), truth.class_id.tolist(), boxes, truth.difficult.tolist(), strict=True)
    content = {
        "images": [{"id": i, "width": 400, "height": 400} for i in range(2)],
        "categories": [{"id": i, "name": name} for i, name in enumerate(names)],
        "annotations": [{"image_id": p, "category_id": c, "bbox": b, "iscrowd": int(d)} for p, c, b, d in rows],
    }
    (tmp_path / "truth.json").write_text(json.dumps(content))
    boxes = np.concatenate([found.boxes_xyxy[:, :2], found.boxes_xyxy[:, 2:] - found.boxes_xyxy[:, :2]], axis=1).tolist()
    results = zip(found.image.tolist(), found.class_id.tolist(), boxes, found.score.tolist(), strict=True)
    (tmp_path / "found.json").write_text(
        json.dumps([{"image_id": p, "category_id": c, "bbox": b, "score": s} for p, c, b, s in results])
    )
    return ["evaluate", "--data", str(tmp_path / "truth.json"), "--detections", str(tmp_path / "found.json")]


def test_the_verdict_comes_first_and_names_its_rule(files: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """The rule of the dataset's program, or the one that is asked for; then images, objects and totals."""
    assert run(files) == 0
    by_default = capsys.readouterr().out.splitlines()
    assert run([*files, "--rule", "voc10", "--confusion"]) == 0
    asked = capsys.readouterr().out.splitlines()

    assert by_default[0].startswith("coco: mean AP ")
    assert asked[0].startswith("voc10: mean AP 62.50 % of 2 classes (VOC devkit 2010")
    assert asked[1] == "2 images, 3 objects and 1 difficult or crowd, 6 detections"
    assert asked[2] == "score > 0.25: TP 1, FP 3, FN 2; precision 25.00, recall 33.33, F1 28.57 %"
    assert asked[4].split()[:3] == ["AP", "%", "voc10"]
    assert "no objects of 1 class (cow); 0 in the mean of darknet, darknet-11, darknet-101" in asked
    assert not any(line.startswith("cow") for line in asked)
    assert "confused, score > 0.25: dog as cat 1" in asked
    assert any(line.startswith("calibration, score > 0.25: ECE 50.00 %, mean score 70.00, precision 25.00") for line in asked)
    assert [line.split() for line in asked if line.startswith("2  dog")] == [["2", "dog", "1", ".", "1"]]


def test_classes_and_an_unknown_rule_on_the_command_line(files: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """By name or number; what is unknown is one line."""
    assert run([*files, "--classes", "cat", "--rule", "voc07"]) == 0
    out = capsys.readouterr().out
    assert run([*files, "--classes", "horse"]) == 2
    assert run([*files, "--rule", "best"]) == 2

    err = capsys.readouterr().err.splitlines()
    assert "2 images, 1 objects and 1 difficult or crowd, 4 detections" in out
    assert "dog" not in out
    assert "--classes horse: unknown class; expected cat, dog, cow" in err[0]
    assert "--rule best: expected one of voc07, voc10" in err[1]


def test_a_comparison_names_its_rule_and_refuses_another(
    files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The rule that the two files were written with."""
    a, b = str(tmp_path / "a.json"), str(tmp_path / "b.json")
    for path in (a, b):
        assert run([*files, "--rule", "voc10", "--json", path, "--quiet"]) == 0
    assert run(["evaluate", "--compare", a, b]) == 0
    assert run(["evaluate", "--compare", a, b, "--rule", "darknet"]) == 2

    captured = capsys.readouterr()
    assert re.match(rf"voc10: mean AP [\d.]+ % of A \({re.escape(a)}\), [\d.]+ % of B \({re.escape(b)}\), 2 images\n", captured.out)
    assert "holds the matches of voc10; expected files written with --rule darknet" in captured.err


@pytest.mark.parametrize(
    ("more", "named"),
    [
        (["--thresh", ".1"], "--thresh"),
        (["--model", "x", "--set", "test"], "--set, --model"),
        (["--json", "c.json", "--confusion"], "--json, --confusion"),
        (["--no-exif", "--streams", "2", "--resume"], "--exif, --streams, --resume"),
    ],
)
def test_a_comparison_refuses_options_without_effect(
    more: list[str], named: str, files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """All of them in one line; ``--quiet`` prints nothing."""
    a = str(tmp_path / "a.json")
    assert run([*files, "--json", a, "--quiet"]) == 0
    assert run(["evaluate", "--compare", a, a, "--quiet"]) == 0
    assert capsys.readouterr().out == ""

    assert run(["evaluate", "--compare", a, a, *more]) == 2

    assert f"--compare reads two files and has no use for {named}; expected" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["evaluate", "audit"])
def test_notes_that_are_not_printed_are_counted(
    command: str, files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Twenty notes, and how many more there are."""
    labels = tmp_path / "many"
    labels.mkdir()
    (labels / "good.txt").write_text("0 .5 .5 .2 .2\n")
    (labels / "bad.txt").write_text("0 .5 .5 .2\n" * 25)

    assert run([command, "--gt", str(labels), "--format", "yolo", "--detections", str(labels)]) in (0, 2)

    lines = capsys.readouterr().err.splitlines()
    assert sum("bad.txt" in line for line in lines) <= MAX_NOTES
    assert any("more (" in line for line in lines)


@pytest.mark.slow
def test_plots_hold_the_confusion_matrix_and_the_reliability_diagram(files: list[str], tmp_path: Path) -> None:
    """As PNG beside the curves."""
    pytest.importorskip("matplotlib")

    assert run([*files, "--plots", str(tmp_path / "plots"), "--quiet"]) == 0

    for name in ("confusion.png", "reliability.png"):
        assert (tmp_path / "plots" / name).read_bytes().startswith(b"\x89PNG")
