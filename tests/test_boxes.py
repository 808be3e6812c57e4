"""Overlaps and suppression against plain loops."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from yolodsc.arrays import Array
from yolodsc.network import boxes as boxes_module
from yolodsc.network.boxes import Candidates, NmsKind, _overlap, _suppressed, _suppressed_compiled, diou, iou, nms, to_xywh, to_xyxy

SIDE = st.floats(0.0625, 1, width=32)
BOXES = st.lists(st.tuples(SIDE, SIDE, SIDE, SIDE), min_size=1, max_size=8).map(lambda rows: np.array(rows, np.float32))


def overlap_by_hand(a: Array, b: Array, kind: NmsKind, beta: float) -> float:
    """box.c: box_iou and box_diounms in double precision."""
    ax, ay, aw, ah, bx, by, bw, bh = map(float, (*a, *b))
    left, right = max(ax - aw / 2, bx - bw / 2), min(ax + aw / 2, bx + bw / 2)
    top, bottom = max(ay - ah / 2, by - bh / 2), min(ay + ah / 2, by + bh / 2)
    common = max(right - left, 0) * max(bottom - top, 0)
    value = common / (aw * ah + bw * bh - common)
    if kind in ("default", "cornersnms"):
        return value
    width = max(ax + aw / 2, bx + bw / 2) - min(ax - aw / 2, bx - bw / 2)
    height = max(ay + ah / 2, by + bh / 2) - min(ay - ah / 2, by - bh / 2)
    apart = ((ax - bx) ** 2 + (ay - by) ** 2) / (width**2 + height**2)
    return value - apart ** (0.6 if kind == "greedynms" else beta)


@given(BOXES)
def test_formats_convert_both_ways(boxes: Array) -> None:
    """Corners and centre-with-size."""
    np.testing.assert_allclose(to_xywh(to_xyxy(boxes)), boxes, rtol=1e-4, atol=1e-6)


@given(BOXES)
def test_iou_is_symmetric_and_one_for_the_same_box(boxes: Array) -> None:
    """A box overlaps itself wholly."""
    table = np.stack([iou(box, boxes) for box in boxes])

    np.testing.assert_allclose(table, table.T, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(np.diag(table), 1, rtol=1e-4)


def test_empty_boxes_overlap_nothing() -> None:
    """Not even each other: 0, where pjreddie's division gives NaN."""
    empty = np.zeros((1, 4), np.float32)

    assert iou(empty[0], empty).tolist() == [0]
    assert diou(empty[0], empty, exponent=0.6).tolist() == [0]


@given(
    BOXES,
    st.sampled_from(["default", "greedynms", "diounms", "cornersnms"]),
    st.floats(0.1, 0.9),
    st.randoms(use_true_random=False),
)
def test_suppression_equals_the_double_loop(boxes: Array, kind: NmsKind, thresh: float, random) -> None:
    """Class by class, best first, equal scores in their order."""
    scores = np.array([[random.choice([0, 0.3, 0.5, 0.9]) for _ in range(2)] for _ in boxes], np.float32)
    expected, close = scores.copy(), False
    for k in range(2):
        order = sorted(range(len(boxes)), key=lambda i: -expected[i, k])
        for rank, i in enumerate(order):
            for j in order[rank + 1 :] if expected[i, k] else []:
                overlap = overlap_by_hand(boxes[i], boxes[j], kind, 0.3)
                close |= abs(overlap - thresh) < 1e-4
                if overlap > thresh:
                    expected[j, k] = 0

    kept = nms(Candidates(boxes, np.ones(len(boxes), np.float32), scores), kind=kind, thresh=thresh, beta=0.3)

    if not close:
        np.testing.assert_array_equal(kept.probabilities, expected)


def test_boxes_without_objectness_are_dropped() -> None:
    """And suppress nothing."""
    boxes = np.float32([[0.5, 0.5, 0.2, 0.2]] * 2)

    kept = nms(Candidates(boxes, np.float32([0, 1]), np.float32([[0.9], [0.4]])), kind="default", thresh=0.45)

    assert kept.probabilities.tolist() == [[0], [np.float32(0.4)]]


def test_an_overlap_equal_to_the_threshold_stays() -> None:
    """The comparison is strict."""
    boxes = np.float32([[0.5, 0.5, 0.5, 0.5], [0.5, 0.5, 0.5, 0.25]])
    candidates = Candidates(boxes, np.ones(2, np.float32), np.float32([[0.9], [0.8]]))

    assert nms(candidates, kind="default", thresh=0.5).probabilities[1, 0] > 0
    assert nms(candidates, kind="default", thresh=0.49).probabilities[1, 0] == 0


@pytest.mark.parametrize("kind", ["default", "greedynms", "diounms"])
def test_infinite_boxes_do_no_harm(kind: NmsKind) -> None:
    """An overflowing exponential is not an error."""
    boxes = np.float32([[0.5, 0.5, np.inf, np.inf], [0.5, 0.5, 0.1, 0.1], [0.5, 0.5, 0.1, 0.1]])

    kept = nms(Candidates(boxes, np.ones(3, np.float32), np.float32([[0.9], [0.8], [0.7]])), kind=kind, thresh=0.45)

    assert kept.probabilities[2, 0] == 0


ODD = st.sampled_from([0.0, -0.0, 0.25, 0.5, 1.0, 3e-8, 1e-30, 1e20, -0.5, np.inf, -np.inf, np.nan])
NUMBER = st.one_of(ODD, st.floats(0, 1, width=32), st.floats(width=32))


@pytest.mark.slow
@given(
    st.lists(st.tuples(NUMBER, NUMBER, NUMBER, NUMBER), max_size=40).map(lambda r: np.array(r, np.float32).reshape(-1, 4)),
    st.sampled_from(["default", "greedynms", "diounms", "cornersnms"]),
    st.floats(0, 1),
    st.sampled_from([0.6, 0.05, 1.0, 2.0, 0.0, -1.0]),
)
def test_compiled_suppression_equals_numpys_for_any_numbers(boxes: Array, kind: NmsKind, thresh: float, beta: float) -> None:
    """Boxes that are empty, inside out, infinite or NaN too."""
    rows = np.arange(len(boxes))

    with np.errstate(all="ignore"):
        plain = _suppressed(boxes, rows, kind=kind, thresh=thresh, beta=beta)
        compiled = _suppressed_compiled(boxes, rows, kind=kind, thresh=thresh, beta=beta)

    assert sorted(compiled) == sorted(plain)


@pytest.mark.parametrize("kind", ["default", "greedynms", "diounms"])
def test_compiled_suppression_equals_numpys_on_thresholds(kind: NmsKind) -> None:
    """Each pair is decided with the very overlap, and the float before it, as threshold: every rounding step counts."""
    rng = np.random.default_rng(0)
    rows = np.arange(2)
    for boxes in np.concatenate([0.4 + 0.2 * rng.random((300, 2, 2)), 0.3 + rng.random((300, 2, 2))], axis=2).astype(np.float32):
        overlap = float(_overlap(boxes[0], boxes[1:], kind=kind, beta=0.3)[0])
        for thresh, gone in ((overlap, []), (float(np.nextafter(np.float32(overlap), np.float32(-9))), [1])):
            assert _suppressed(boxes, rows, kind=kind, thresh=thresh, beta=0.3).tolist() == gone
            assert _suppressed_compiled(boxes, rows, kind=kind, thresh=thresh, beta=0.3).tolist() == gone


def test_crowds_are_suppressed_by_the_compiled_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    """The NumPy loop, a second for 10,000 boxes, is left to few boxes."""
    monkeypatch.setattr(boxes_module, "_suppressed", None)
    count = 10_000
    boxes = np.random.default_rng(0).random((count, 4), np.float32) * np.float32([1, 1, 0.02, 0.02])
    scores = np.linspace(1, 0.5, count, dtype=np.float32)[:, None]

    found = nms(Candidates(boxes, np.ones(count, np.float32), scores), kind="greedynms", thresh=0.45)

    assert 0 < np.count_nonzero(found.probabilities) < count
