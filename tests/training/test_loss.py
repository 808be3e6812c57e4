"""Losses: their gradients, and what they say of hand-made cases."""

import numpy as np
import pytest

from tests.training.plain_loss import region_gradients, yolo_gradients
from tests.training.scenes import REGION, YOLO, student
from yolodsc.arrays import Array
from yolodsc.network.network import Network
from yolodsc.training.loss.distillation import head_loss, hint_loss
from yolodsc.training.loss.grid import Grid, cross_entropy, grids, log_softmax, logistic
from yolodsc.training.loss.iou_loss import KINDS, iou_loss
from yolodsc.training.loss.region import region_loss
from yolodsc.training.loss.targets import TargetBoxes, best_overlaps, shape_overlaps
from yolodsc.training.loss.yolo import yolo_loss

LABELS = [
    np.array([[1, 0.31, 0.42, 0.3, 0.5], [0, 0.7, 0.66, 0.21, 0.2]], np.float32),
    np.zeros((0, 5), np.float32),
    np.array([[0, 0.55, 0.15, 0.7, 0.6]], np.float32),
]
VARIANTS = {
    "mse": YOLO,
    "ciou": YOLO.replace("scale_x_y=1.1", "scale_x_y=1.1 iou_loss=ciou iou_normalizer=.3 label_smooth_eps=.1"),
    "giou": YOLO.replace("scale_x_y=1.1", "iou_loss=giou iou_thresh=.2"),
    "truth_thresh": YOLO.replace("scale_x_y=1.1", "truth_thresh=.3"),
    "region": REGION,
    "region-free": REGION.replace("bias_match=1", "bias_match=0"),
}


def grid_of(head: str) -> Grid:
    """The only head of the tiny student."""
    (grid,) = grids(student(head))
    return grid


def logits_of(grid: Grid, *, seed: int = 2) -> Array:
    """Random logits of three images."""
    channels = len(grid.anchors) * (5 + grid.classes)
    return np.random.default_rng(seed).standard_normal((3, channels, grid.height, grid.width)).astype(np.float32)


def central_difference(function: object, x: Array, positions: list[tuple[int, ...]], *, step: float) -> Array:
    """Central differences of the first of a function's results at some positions."""
    found = []
    for position in positions:
        high, low = x.copy(), x.copy()
        high[position] += step
        low[position] -= step
        found.append((function(high)[0] - function(low)[0]) / (high[position] - low[position]))  # type: ignore[operator]
    return np.array(found)


def positions_of(gradient: Array, count: int = 40) -> list[tuple[int, ...]]:
    """The largest entries of a gradient and some others."""
    order = np.argsort(-np.abs(gradient), axis=None)
    chosen = np.concatenate([order[: count // 2], np.random.default_rng(0).choice(order, count // 2, replace=False)])
    return [tuple(int(i) for i in np.unravel_index(k, gradient.shape)) for k in chosen]


@pytest.mark.parametrize("head", VARIANTS.values(), ids=VARIANTS.keys())
def test_gradients_of_detection_losses_equal_central_differences(head: str) -> None:
    """Where no overlap crosses a threshold within the step."""
    grid, targets = grid_of(head), TargetBoxes.joined(LABELS)
    loss = region_loss if grid.softmax else yolo_loss
    logits = logits_of(grid)

    _, gradient = loss(grid, logits, targets)

    factors = darknet_factors(grid, logits) if "iou_loss" in head else np.ones_like(logits)
    positions = positions_of(gradient / factors)
    expected = central_difference(lambda x: loss(grid, x, targets), logits, positions, step=2e-3)
    found = [(gradient / factors)[p] for p in positions]
    np.testing.assert_allclose(found, expected, atol=2e-3 * np.abs(gradient / factors).max())


def darknet_factors(grid: Grid, logits: Array) -> Array:
    """Darknet's delta of each logit, relative to the derivative of an IoU loss: without logistic, cell size and anchor."""
    factors = np.ones_like(grid.entries(logits))
    offset = logistic(grid.entries(logits)[:, :, :2])
    for axis, cells in enumerate((grid.width, grid.height)):
        factors[:, :, axis] = cells / (grid.stretch * offset[:, :, axis] * (1 - offset[:, :, axis]))
        factors[:, :, 2 + axis] = (1 / grid.anchors[:, axis])[:, None, None]
    return factors.reshape(logits.shape)


def test_an_iou_loss_moves_boxes_as_much_as_objectness_moves_scores() -> None:
    """With the normalizer of published cfg files: the deltas of the centres are not a small fraction of the others."""
    grid, targets = (
        grid_of(YOLO.replace("scale_x_y=1.1", "iou_loss=ciou iou_normalizer=.07 iou_thresh=.213")),
        TargetBoxes.joined(LABELS),
    )

    gradient = np.abs(grid.entries(yolo_loss(grid, 0.1 * logits_of(grid), targets)[1]))

    cells = gradient[:, :, 0] > 0
    assert gradient[:, :, :2].sum(axis=2)[cells].mean() > 0.1 * gradient[:, :, 4][cells].mean()


PLAIN = YOLO.replace("scale_x_y=1.1", "{}")
OPTIONS = {
    "ignore": PLAIN.format("ignore_thresh=.3"),
    "certain": PLAIN.format("truth_thresh=.4 ignore_thresh=.6"),
    "several anchors": PLAIN.format("iou_thresh=.2"),
    "scaled": PLAIN.format("iou_normalizer=.07 cls_normalizer=.5 obj_normalizer=2 label_smooth_eps=.1"),
    "region": REGION,
    "region, own sizes": REGION.replace("bias_match=1", "bias_match=0"),
    "region, rescored": REGION.replace("bias_match=1", "bias_match=1 rescore=1 thresh=.2 object_scale=5 noobject_scale=.5"),
}
CROWDED = [
    *LABELS,
    np.array([[0, 0.52, 0.53, 0.5, 0.37], [1, 0.54, 0.52, 0.49, 0.38], [1, 0.2, 0.8, 0.12, 0.12]], np.float32),
]


@pytest.mark.parametrize("head", OPTIONS.values(), ids=OPTIONS.keys())
def test_detection_losses_do_what_darknet_does_cell_by_cell(head: str) -> None:
    """Also where two objects meet in one cell, and boxes lie near to objects with and without a class of their own."""
    grid = grid_of(head)
    random = np.random.default_rng(5)
    logits = random.standard_normal((4, len(grid.anchors) * (5 + grid.classes), grid.height, grid.width)).astype(np.float32)
    entries = grid.entries(logits)
    entries[:, :, 2:4] *= 0.3
    entries[:, :, 5:] -= 1  # half of the boxes have no class over .25

    loss, plain = (region_loss, region_gradients) if grid.softmax else (yolo_loss, yolo_gradients)
    _, gradient = loss(grid, logits, TargetBoxes.joined(CROWDED))

    np.testing.assert_allclose(grid.entries(gradient), plain(grid, logits, CROWDED), atol=2e-5)


@pytest.mark.parametrize("head", [YOLO, REGION], ids=["yolo", "region"])
def test_gradients_of_distillation_are_its_slopes(head: str) -> None:
    """Of both kinds of heads."""
    grid = grid_of(head)
    own, expected = logits_of(grid), logits_of(grid, seed=3)

    _, gradient = head_loss(grid, own, expected)

    positions = positions_of(gradient)
    slopes = central_difference(lambda x: head_loss(grid, x, expected), own, positions, step=1e-3)
    np.testing.assert_allclose([gradient[p] for p in positions], slopes, atol=1e-3 * np.abs(gradient).max())


@pytest.mark.parametrize("head", [YOLO, REGION], ids=["yolo", "region"])
def test_a_student_that_says_the_same_loses_nothing(head: str) -> None:
    """Neither value nor gradient."""
    grid = grid_of(head)
    logits = logits_of(grid)

    value, gradient = head_loss(grid, logits, logits)

    assert value == pytest.approx(0, abs=1e-6)
    np.testing.assert_allclose(gradient, 0, atol=1e-6)


def test_background_does_not_drown_objects() -> None:
    """A wrong class costs the more, the surer the teacher is that there is something."""
    grid = grid_of(YOLO)
    teacher = np.full((1, 14, grid.height, grid.width), -6, np.float32)
    entries = grid.entries(teacher)
    entries[0, 0, 4, 1, 1], entries[0, 0, 4, 2, 2] = 4, -2
    entries[0, 0, 5, 1, 1] = entries[0, 0, 5, 2, 2] = 4
    own = np.zeros_like(teacher)

    _, gradient = head_loss(grid, own, teacher)

    classes = np.abs(grid.entries(gradient)[0, 0, 5])
    assert classes[1, 1] > 5 * classes[2, 2] > 5 * classes[0, 0] > 0


def test_gradient_of_a_map_is_its_slope() -> None:
    """As a share of the teacher's variance."""
    random = np.random.default_rng(0)
    own, teacher = (random.standard_normal((2, 3, 4, 4)).astype(np.float32) for _ in range(2))

    value, gradient = hint_loss(own, teacher)

    positions = positions_of(gradient, 12)
    np.testing.assert_allclose(
        [gradient[p] for p in positions],
        central_difference(lambda x: hint_loss(x, teacher), own, positions, step=1e-2),
        rtol=1e-2,
        atol=1e-6,
    )
    assert hint_loss(np.broadcast_to(teacher.mean(axis=(0, 2, 3), keepdims=True), teacher.shape), teacher)[0] == pytest.approx(
        1, rel=1e-4
    )
    assert value > 0


def test_a_map_of_one_pixel_has_a_gradient_in_proportion() -> None:
    """It varies over nothing when there is but one image: an error of one percent must not drown all others."""
    teacher = np.array([2.0, -1.0, 0.5], np.float32).reshape(1, 3, 1, 1)

    value, gradient = hint_loss(teacher * np.float32(1.01), teacher)

    assert value == pytest.approx(0.01, rel=1e-3)  # a ten-thousandth of the square, of which a hundredth counts
    assert np.abs(gradient).max() < 5


@pytest.mark.parametrize("kind", KINDS)
def test_gradient_of_an_overlap_is_its_slope(kind: str) -> None:
    """Of boxes that touch, and of those that don't."""
    random = np.random.default_rng(1)
    boxes, targets = random.uniform(0.1, 0.9, (2, 30, 4))

    value, gradient = iou_loss(boxes, targets, kind=kind)  # type: ignore[arg-type]

    for column in range(4):
        shift = np.eye(4)[column] * 1e-6
        high, low = (iou_loss(boxes + sign * shift, targets, kind=kind)[0] for sign in (1, -1))  # type: ignore[arg-type]
        np.testing.assert_allclose(gradient[:, column], (high - low) / 2e-6, atol=1e-5)
    assert (value >= 0).all()


@pytest.mark.parametrize("kind", KINDS)
def test_equal_boxes_lose_nothing(kind: str) -> None:
    """And boxes apart lose more, the further apart, where the kind can see it."""
    truth = np.array([[0.5, 0.5, 0.2, 0.3]])
    near, far = (truth + np.array([shift, 0, 0, 0]) for shift in (0.3, 0.4))

    assert iou_loss(truth, truth, kind=kind)[0][0] == pytest.approx(0, abs=1e-9)  # type: ignore[arg-type]
    values = [iou_loss(box, truth, kind=kind)[0][0] for box in (near, far)]  # type: ignore[arg-type]
    assert (values[0] < values[1]) == (kind != "iou")


def test_one_object_makes_one_cell_answer() -> None:
    """The anchor of the best shape, in the object's cell; Darknet's ``get_yolo_box`` inverted."""
    grid = grid_of(YOLO)
    targets = TargetBoxes.joined([np.array([[1, 0.55, 0.3, 16 / 32, 12 / 32]], np.float32)])
    logits = np.zeros((1, 14, grid.height, grid.width), np.float32)

    _, gradient = yolo_loss(grid, logits, targets)

    entries = grid.entries(gradient)
    row, column = int(0.3 * grid.height), int(0.55 * grid.width)
    assert entries[0, 1, 4, row, column] == pytest.approx(-0.5)  # anchor 16,12 is the second of this head's
    assert np.count_nonzero(entries[:, :, :4].any(axis=2)) == 1
    np.testing.assert_allclose(entries[0, 1, 5:, row, column], [0.5, -0.5])
    assert entries[0, 1, 2, row, column] == pytest.approx(0, abs=1e-6)


def test_objects_of_other_heads_anchors_are_left_to_them() -> None:
    """An object of the shape of anchor 0 (not in this head's mask) makes no cell answer."""
    grid = grid_of(YOLO)
    targets = TargetBoxes.joined([np.array([[0, 0.5, 0.5, 4 / 32, 4 / 32]], np.float32)])

    _, gradient = yolo_loss(grid, np.zeros((1, 14, grid.height, grid.width), np.float32), targets)

    assert not grid.entries(gradient)[:, :, [0, 1, 2, 3, 5, 6]].any()


@pytest.mark.slow
@pytest.mark.parametrize("head", [YOLO, REGION], ids=["yolo", "region"])
def test_logits_that_say_the_labels_lose_next_to_nothing(head: str) -> None:
    """Decoding and loss are inverse to each other."""
    network = student(head)
    grid = grid_of(head)
    targets = TargetBoxes.joined([np.array([[1, 0.3, 0.62, 0.5, 0.375]], np.float32)])
    logits = np.zeros((1, 14, grid.height, grid.width), np.float32)
    entries = grid.entries(logits)
    entries[:, :, 4] = -4

    for _ in range(4000):
        value, gradient = (region_loss if grid.softmax else yolo_loss)(grid, logits, targets)
        logits -= np.float32(0.5) * gradient

    decoded = network.heads[0].decode(_activated(network, logits[0]), input_shape=network.input_shape, thresh=0.5)
    assert value < 0.1
    np.testing.assert_allclose(decoded.boxes_xywh, [[0.3, 0.62, 0.5, 0.375]], atol=0.02)
    assert decoded.probabilities.argmax(axis=1).tolist() == [1]


def _activated(network: Network, logits: Array) -> Array:
    head = network.heads[0]
    return head.forward([logits], {})


def test_helpers_of_the_losses_against_formulas() -> None:
    """Logistic, cross entropy and softmax where floats overflow."""
    x = np.array([-1000, -1, 0, 2, 1000], np.float32)

    np.testing.assert_allclose(logistic(x), [0, 1 / (1 + np.e), 0.5, 1 / (1 + np.exp(-2)), 1], rtol=1e-6)
    np.testing.assert_allclose(cross_entropy(x[1:4], logistic(x[1:4])), 0, atol=1e-6)
    assert np.isfinite(cross_entropy(x, np.array([1, 0, 1, 0, 0], np.float32))).all()
    np.testing.assert_allclose(np.exp(log_softmax(x, axis=0)).sum(), 1, rtol=1e-6)


def test_overlaps_of_shapes_and_of_boxes() -> None:
    """By hand."""
    targets = TargetBoxes.joined([np.array([[0, 0.5, 0.5, 0.2, 0.2], [1, 0.25, 0.25, 0.5, 0.5]], np.float32)])
    boxes = np.array([[[0.5, 0.5, 0.2, 0.1], [0.25, 0.25, 0.5, 0.5], [0.9, 0.9, 0.1, 0.1]]], np.float32)

    best, which = best_overlaps(boxes, targets)

    np.testing.assert_allclose(best[0], [0.5, 1, 0], atol=1e-6)
    assert which[0].tolist() == [0, 1, -1]
    np.testing.assert_allclose(shape_overlaps(np.array([[2, 2]], np.float32), np.array([[2.0, 1], [4, 4]])), [[0.5, 0.25]])
