"""Kinds of error on cases made by hand, and the bootstrap beside plain repetition of images."""

import numpy as np
import pytest
from hypothesis import given
from msgspec.structs import replace

from tests.test_metrics import cases, tables
from yolodsc.errors import DatasetError
from yolodsc.evaluation.comparison.bootstrap import compare, read_evaluation
from yolodsc.evaluation.comparison.resampled import resampled_ap
from yolodsc.evaluation.errors.breakdown import KINDS, breakdown
from yolodsc.evaluation.metrics import score_detections
from yolodsc.evaluation.metrics.rules import RECALL_POINTS, RULES

A, B = (0, 0, 100, 100), (200, 200, 300, 300)
NEAR_A = (0, 0, 100, 40)  # IoU .4 with A
NOWHERE = (400, 400, 450, 450)


@pytest.mark.parametrize(
    ("kind", "objects", "found", "cost", "missed"),
    [
        ("classification", [(0, A)], [(1, A, 0.9)], 1.0, 0),
        ("localisation", [(0, A)], [(0, NEAR_A, 0.9)], 1.0, 0),
        ("both", [(0, A)], [(1, NEAR_A, 0.9)], 0.0, 1),
        ("duplicate", [(0, A), (0, B)], [(0, A, 0.9), (0, A, 0.8), (0, B, 0.7)], 1 - (51 + 50 * 2 / 3) / 101, 0),
        ("background", [(0, A)], [(0, NOWHERE, 0.95), (0, A, 0.9)], 0.5, 0),
        ("missed", [(0, A), (0, B)], [(0, A, 0.9)], 50 / 101, 1),
    ],
)
def test_each_kind_of_error_is_named_and_priced(kind, objects, found, cost, missed):
    """What is mended is the one thing that was wrong; a price is the mean AP gained."""
    ground_truth, detections = tables([(0, c, box, False) for c, box in objects], [(0, c, box, s) for c, box, s in found])

    result = breakdown(ground_truth, detections, classes=2)

    assert result.counts == {name: int(name == kind) for name in KINDS} | {"missed": missed}
    assert result.costs[kind] == pytest.approx(cost, abs=1e-12)


def test_difficult_objects_are_not_missed_and_cost_nothing():
    """Who finds one is named, as TIDE does it, but has no part in AP."""
    ground_truth, detections = tables([(0, 0, A, True), (0, 0, B, False)], [(0, 0, A, 0.9), (0, 0, B, 0.8)])

    result = breakdown(ground_truth, detections, classes=1)

    assert result.counts == dict.fromkeys(KINDS, 0) | {"background": 1}
    assert set(result.costs.values()) == {0.0}
    assert result.mean_ap == 1.0


@pytest.mark.filterwarnings("ignore")  # tidecv's own
@given(case=cases())
def test_the_breakdown_is_tidecvs(case):
    """Counts and costs, with difficult objects as regions to be ignored."""
    tidecv, data = pytest.importorskip("tidecv"), pytest.importorskip("tidecv.data")
    objects, found = case
    if not objects or not found:
        return
    ground_truth, detections = tables(objects, found)
    ground, results = data.Data("ground"), data.Data("results")
    for image, class_id, (x1, y1, x2, y2), difficult in objects:
        add = ground.add_ignore_region if difficult else ground.add_ground_truth
        add(image, class_id, [x1, y1, x2 - x1, y2 - y1])
    for image, class_id, (x1, y1, x2, y2), s in found:
        results.add_detection(image, class_id, s, [x1, y1, x2 - x1, y2 - y1])
    for image in range(3):
        ground.add_image(image, str(image))  # those without objects too
    try:
        run = tidecv.TIDE().evaluate(ground, results, mode=tidecv.TIDE.BOX)
        costs = run.fix_main_errors()
    except ZeroDivisionError:  # tidecv's mean over no class at all
        return

    result = breakdown(ground_truth, detections, classes=2)

    assert 100 * result.mean_ap == pytest.approx(run.ap)
    for name, (kind, cost) in zip(KINDS, costs.items(), strict=True):
        assert result.counts[name] == len(run.error_dict[kind])
        assert 100 * result.costs[name] == pytest.approx(cost, abs=1e-9)


def test_no_detections_at_all_are_objects_missed():
    """And nothing else."""
    ground_truth, detections = tables([(0, 0, A, False)], [])

    result = breakdown(ground_truth, detections, classes=1)

    assert result.counts["missed"] == 1
    assert result.mean_ap == 0.0


def random_case(seed):
    """Eight images of one class."""
    rng = np.random.default_rng(seed)
    corners = rng.integers(0, 30, (20, 2)) * 10.0
    objects = [(int(rng.integers(8)), 0, (x, y, x + 50, y + 50), bool(rng.random() < 0.2)) for x, y in corners]
    moved = [(o[0], 0, tuple(np.array(o[2]) + rng.integers(-2, 3) * 6)) for o in objects for _ in range(2)]
    scores = rng.permutation(len(moved)) / 64
    return objects, [(*row, s) for row, s in zip(moved, scores, strict=True)]


@pytest.mark.parametrize("name", ["voc07", "voc10", "py-faster-rcnn-07", "darknet-101"])
@pytest.mark.parametrize("seed", range(4))
def test_a_image_drawn_twice_counts_as_two_images(name, seed):
    """The bootstrap's AP of a draw is the AP of a dataset with the images repeated: between equal copies the envelope is flat."""
    objects, found = random_case(seed)
    draw = np.array([2, 1, 0, 3, 1, 0, 1, 0])
    copies = [(p, copy) for p in range(8) for copy in range(draw[p])]
    number = {copy: i for i, copy in enumerate(copies)}
    repeated = tables(
        [(number[p, k], c, box, d) for p, c, box, d in objects for k in range(draw[p])],
        [(number[p, k], c, box, s) for p, c, box, s in found for k in range(draw[p])],
    )
    single = score_detections([RULES[name]], *tables(objects, found), classes=1, images=8)[name].classes[0]
    wanted = np.array([o[0] for o in objects if not o[3]])
    recalls = RECALL_POINTS[RULES[name].interpolation]

    ap = resampled_ap(single.image, single.outcomes == 1, wanted, draw[None], np.zeros(0) if recalls is None else recalls)[0]
    expected = score_detections([RULES[name]], *repeated, classes=1, images=8)[name].classes[0].ap

    assert ap == pytest.approx(expected, abs=1e-12)


def evaluation(found, objects):
    """What ``--json`` holds of it, as far as a comparison reads it."""
    from yolodsc.evaluation.datasets.dataset import Dataset
    from yolodsc.evaluation.evaluation import evaluate

    ground_truth, detections = tables(objects, found)
    dataset = Dataset(("thing",), tuple(map(str, range(8))), ground_truth, np.full((8, 2), 500.0))
    content = evaluate(dataset, detections, [RULES["voc10"]]).to_json()
    return read_evaluation(content, file="a.json")


def test_nothing_lies_between_an_evaluation_and_itself():
    """Difference and interval are 0."""
    objects, found = random_case(0)
    one = evaluation(found, objects)

    difference = compare(one, one)[""]

    assert (difference.value, difference.low, difference.high) == (0.0, 0.0, 0.0)


def test_the_interval_is_seeded_and_holds_the_difference():
    """The same twice; losing half of the detections shows."""
    objects, found = random_case(1)
    a, b = evaluation(found, objects), evaluation([row for row in found if row[3] > 0.4], objects)

    first, second = compare(a, b), compare(a, b)

    assert first == second
    assert first[""].low < first[""].value < first[""].high
    assert first["thing"].value == first[""].value
    assert compare(a, evaluation([], objects))[""].high < 0


def test_evaluations_of_other_images_are_not_compared():
    """An error says what differs."""
    objects, found = random_case(2)
    a = evaluation(found, objects)

    with pytest.raises(DatasetError, match="differ in their images"):
        compare(a, replace(a, images=[*map(str, range(1, 9))]))
