"""Average precision by every rule, beside slow oracles that share no code with it."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from yolodsc.evaluation.metrics import score_detections
from yolodsc.evaluation.metrics.ranking import falling, ranked
from yolodsc.evaluation.metrics.rules import RULES
from yolodsc.evaluation.metrics.tables import DetectionTable, GroundTruth

BEST = [name for name in RULES if name != "coco"]
POINTS = {
    "voc07": [0.1 * i for i in range(6)] + [1 - 0.1 * i for i in range(4, -1, -1)],
    "py-faster-rcnn-07": list(np.arange(0.0, 1.1, 0.1)),
    "darknet-11": [i * 0.1 for i in range(11)],
    "darknet-101": [i * 0.01 for i in range(101)],
}


@st.composite
def cases(draw):
    """A few images with overlapping boxes of two classes on a coarse grid, some difficult; distinct scores."""
    side = st.integers(0, 4).map(lambda v: 10.0 * v)
    size = st.integers(1, 3).map(lambda v: 10.0 * v)
    box = st.tuples(side, side, size, size).map(lambda b: (b[0], b[1], b[0] + b[2], b[1] + b[3]))
    objects = draw(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 1), box, st.booleans()), max_size=8))
    found = draw(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 1), box), max_size=12))
    scores = draw(st.permutations(range(1, len(found) + 1)))
    return objects, [(*row, s / 16) for row, s in zip(found, scores, strict=True)]


def tables(objects, found):
    """The same as columns."""
    ground_truth = GroundTruth.of(
        np.array([o[0] for o in objects], np.int64),
        np.array([o[1] for o in objects], np.int64),
        np.array([o[2] for o in objects], float).reshape(-1, 4),
        np.array([o[3] for o in objects], bool),
    )
    detections = DetectionTable(
        np.array([f[0] for f in found], np.int64),
        np.array([f[1] for f in found], np.int64),
        np.array([f[3] for f in found], float),
        np.array([f[2] for f in found], float).reshape(-1, 4),
    )
    return ground_truth, detections


def naive_iou(a, b, offset):
    """Overlap of two boxes."""
    w = min(a[2], b[2]) - max(a[0], b[0]) + offset
    h = min(a[3], b[3]) - max(a[1], b[1]) + offset
    if w <= 0 or h <= 0:
        return 0.0
    area = [(c[2] - c[0] + offset) * (c[3] - c[1] + offset) for c in (a, b)]
    return w * h / (area[0] + area[1] - w * h)


def naive_ap(name, objects, found, class_id):
    """One class by one rule, written as the programs write it: one loop over ranked detections."""
    darknet, strict = name.startswith("darknet"), name.startswith(("darknet", "py"))
    offset = 0.0 if darknet else 1.0
    own = [o for o in objects if o[1] == class_id and not (darknet and o[3])]
    positives = sum(not o[3] for o in own)
    if positives == 0:
        return 0.0 if darknet else None
    taken, right, wrong, curve = set(), 0, 0, []
    for f in sorted((f for f in found if f[1] == class_id), key=lambda f: -f[3]):
        best, at = 0.0, None
        for i, o in enumerate(own):
            if o[0] == f[0] and naive_iou(f[2], o[2], offset) > best:
                best, at = naive_iou(f[2], o[2], offset), i
        hit = at is not None and (best > 0.5 if strict else best >= 0.5)
        if hit and own[at][3]:
            continue
        if hit and at not in taken:
            taken.add(at)
            right += 1
        else:
            wrong += 1
        curve.append((right / positives, right / (right + wrong)))
    if name in POINTS:
        return sum(max((p for r, p in curve if r >= t), default=0.0) for t in POINTS[name]) / len(POINTS[name])
    ap, before = 0.0, 0.0
    for i, (r, _) in enumerate(curve):
        ap += (r - before) * max(p for _, p in curve[i:])
        before = r
    return ap


@pytest.mark.slow
@pytest.mark.parametrize("name", BEST)
@given(case=cases())
def test_every_rule_equals_its_loop(name, case):
    """Vectorised matching and AP equal one plain loop per rule."""
    objects, found = case
    ground_truth, detections = tables(objects, found)

    result = score_detections([RULES[name]], ground_truth, detections, classes=2, images=3)[name]

    for class_id in range(2):
        expected = naive_ap(name, objects, found, class_id)
        assert result.classes[class_id].ap == (None if expected is None else pytest.approx(expected, abs=1e-12))


@given(case=cases())
def test_coco_equals_pycocotools(case):
    """All twelve figures, with difficult objects given as crowds."""
    coco = pytest.importorskip("pycocotools.coco")
    evaluator = pytest.importorskip("pycocotools.cocoeval")
    objects, found = case
    ground_truth, detections = tables(objects, found)
    ground_truth = replace(ground_truth, crowd=ground_truth.difficult)
    ground = coco.COCO()
    xywh = [[b[0], b[1], b[2] - b[0], b[3] - b[1]] for b in (o[2] for o in objects)]
    ground.dataset = {
        "images": [{"id": i} for i in range(3)],
        "categories": [{"id": i} for i in range(2)],
        "annotations": [
            {"id": i + 1, "image_id": o[0], "category_id": o[1], "bbox": b, "area": b[2] * b[3], "iscrowd": int(o[3])}
            for i, (o, b) in enumerate(zip(objects, xywh, strict=True))
        ],
    }
    ground.createIndex()
    rows = [
        {"image_id": f[0], "category_id": f[1], "score": f[3], "bbox": [*f[2][:2], f[2][2] - f[2][0], f[2][3] - f[2][1]]}
        for f in found
    ]
    if not rows or not objects:
        return

    figures = score_detections([RULES["coco"]], ground_truth, detections, classes=2, images=3)["coco"].figures
    run = evaluator.COCOeval(ground, ground.loadRes(rows), "bbox")
    run.evaluate()
    run.accumulate()
    run.summarize()

    np.testing.assert_allclose(list(figures.values()), run.stats, atol=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("name", RULES)
@given(case=cases())
def test_ap_survives_monotone_scores_and_order_of_images(name, case):
    """Only the ranking counts, and images have no order."""
    objects, found = case
    ground_truth, detections = tables(objects, found)
    swapped = np.array([2, 0, 1])

    plain = score_detections([RULES[name]], ground_truth, detections, classes=2, images=3)[name]
    mapped = score_detections([RULES[name]], ground_truth, replace(detections, score=detections.score**3), classes=2, images=3)[
        name
    ]
    moved = score_detections(
        [RULES[name]],
        replace(ground_truth, image=swapped[ground_truth.image]),
        replace(detections, image=swapped[detections.image]),
        classes=2,
        images=3,
    )[name]

    assert plain.mean_ap == mapped.mean_ap
    assert plain.mean_ap == (None if moved.mean_ap is None else pytest.approx(moved.mean_ap))


def one_box(difficult, *, found=1):
    """One difficult and one ordinary object far apart, with detections of both."""
    objects = [(0, 0, (0, 0, 20, 20), difficult), (0, 0, (100, 100, 150, 150), False)]
    return tables(objects, [(0, 0, (0, 0, 20, 20), 0.9), (0, 0, (100, 100, 150, 150), 0.5)][-found - 1 :])


@pytest.mark.parametrize("name", ["voc07", "voc10", "py-faster-rcnn", "py-faster-rcnn-07", "cartucho"])
def test_finding_a_difficult_object_counts_neither_way(name):
    """A detection of a difficult object neither helps nor hurts."""
    ground_truth, detections = one_box(difficult=True)

    both = score_detections([RULES[name]], ground_truth, detections, classes=1, images=1)[name]

    assert both.mean_ap == 1.0
    assert both.classes[0].positives == 1


def test_darknet_calls_it_wrong_unless_listed():
    """Without the difficult list it is a false positive; with it, it leaves the curve but not FP at the threshold."""
    ground_truth, detections = one_box(difficult=True)
    listed = replace(RULES["darknet"], name="listed", difficult="list")

    results = score_detections([RULES["darknet"], listed], ground_truth, detections, classes=1, images=1)

    assert results["darknet"].mean_ap == 0.5
    assert results["listed"].mean_ap == 1.0
    assert results["listed"].classes[0].false_positives == 1


@pytest.mark.parametrize(("name", "positives", "found", "ap"), [
    ("voc07", 10, 3, 3 / 11), ("voc07", 10, 6, 7 / 11),
    ("py-faster-rcnn-07", 10, 3, 3 / 11), ("py-faster-rcnn-07", 10, 6, 6 / 11),
    ("darknet-11", 10, 3, 3 / 11), ("darknet-11", 10, 6, 6 / 11), ("darknet-11", 10, 5, 6 / 11),
    ("darknet-101", 100, 35, 35 / 101), ("darknet-101", 100, 7, 8 / 101),
])  # fmt: skip
def test_a_recall_of_tenths_may_miss_its_point_by_a_bit(name, positives, found, ap):
    """3 of 10 found: 3 * 0.1 is one bit more than 3 / 10; MATLAB counts from both ends, so that 6 of 10 reach its seventh point."""
    boxes = [(0, 0, (100.0 * i, 0.0, 100.0 * i + 50, 50.0), False) for i in range(positives)]
    ground_truth, detections = tables(boxes, [(0, 0, boxes[i][2], 1 - 0.001 * i) for i in range(found)])

    result = score_detections([RULES[name]], ground_truth, detections, classes=1, images=1)[name]

    assert result.mean_ap == pytest.approx(ap, abs=1e-12)


@given(scores=st.lists(st.floats(allow_nan=False) | st.sampled_from([0.0, -0.0, 0.25, 0.5]), max_size=40))
def test_ranking_is_stable(scores):
    """As NumPy's stable sort."""
    values = np.array(scores, float)

    np.testing.assert_array_equal(falling(values), np.argsort(-values, kind="stable"))


@given(rows=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 4)), max_size=40))
def test_groups_are_ranked_one_by_one(rows):
    """As by two keys."""
    group, values = np.array([row[0] for row in rows], np.int64) * 3000, np.array([row[1] for row in rows], float) / 4

    np.testing.assert_array_equal(ranked(values, group), np.lexsort((-values, group)))


def test_equal_scores_keep_the_order_given():
    """Of two equal scores at one object the first given is right."""
    objects = [(0, 0, (0, 0, 20, 20), False)]
    ground_truth, detections = tables(objects, [(0, 0, (0, 0, 20, 19), 0.5), (0, 0, (0, 0, 20, 20), 0.5)])

    result = score_detections([RULES["voc10"]], ground_truth, detections, classes=1, images=1)["voc10"].classes[0]

    assert result.outcomes.tolist() == [1, 0]
    assert result.ap == 1.0
