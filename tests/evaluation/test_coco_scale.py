"""The coco rule on many detections: the same figures as pycocotools, and only a part of the work."""

import contextlib
import io
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from yolodsc.evaluation.metrics import score_detections
from yolodsc.evaluation.metrics.rules import RULES
from yolodsc.evaluation.metrics.tables import DetectionTable, GroundTruth

IMAGES, CLASSES = 12, 3


def crowded(seed: int) -> tuple[GroundTruth, DetectionTable]:
    """More than 100 detections of a class in an image, objects of all sizes, crowds, and equal scores."""
    rng = np.random.default_rng(seed)
    corners = rng.uniform(0, 200, (150, 2))
    truth = GroundTruth.of(
        rng.integers(0, IMAGES, 150),
        rng.integers(0, CLASSES, 150),
        np.concatenate([corners, corners + rng.uniform(4, 200, (150, 2))], axis=1).round(),
    )
    truth = replace(truth, crowd=rng.random(150) < 0.1)
    near = rng.integers(0, 150, 6000)
    boxes = truth.boxes_xyxy[near] + rng.normal(0, 8, (6000, 4))
    boxes[:, 2:] = np.maximum(boxes[:, 2:], boxes[:, :2] + 1)
    image, class_id = truth.image[near], truth.class_id[near]
    stray = rng.random(6000) < 0.4
    class_id[stray] = rng.integers(0, CLASSES, stray.sum())
    return truth, DetectionTable(image, class_id, rng.integers(1, 500, 6000) / 500, boxes)


def pycocotools_figures(truth: GroundTruth, found: DetectionTable) -> list[float]:
    """The twelve figures of ``COCOeval``."""
    coco = pytest.importorskip("pycocotools.coco")
    evaluator = pytest.importorskip("pycocotools.cocoeval")
    ground = coco.COCO()
    xywh = np.concatenate([truth.boxes_xyxy[:, :2], truth.boxes_xyxy[:, 2:] - truth.boxes_xyxy[:, :2]], axis=1).tolist()
    rows = zip(truth.image.tolist(), truth.class_id.tolist(), xywh, truth.crowd.tolist(), strict=True)
    annotations = [
        {"id": i, "image_id": p, "category_id": c, "bbox": b, "area": b[2] * b[3], "iscrowd": int(crowd)}
        for i, (p, c, b, crowd) in enumerate(rows, 1)
    ]
    ground.dataset = {
        "images": [{"id": i} for i in range(IMAGES)],
        "categories": [{"id": i} for i in range(CLASSES)],
        "annotations": annotations,
    }
    boxes = np.concatenate([found.boxes_xyxy[:, :2], found.boxes_xyxy[:, 2:] - found.boxes_xyxy[:, :2]], axis=1)
    with contextlib.redirect_stdout(io.StringIO()):
        ground.createIndex()
        table = np.concatenate([found.image[:, None], boxes, found.score[:, None], found.class_id[:, None]], axis=1)
        run = evaluator.COCOeval(ground, ground.loadRes(table), "bbox")
        run.evaluate()
        run.accumulate()
        run.summarize()
    return [float(figure) for figure in run.stats]


@pytest.mark.parametrize("seed", [1, 2])
def test_crowded_images_score_as_in_pycocotools(seed: int) -> None:
    """All twelve figures, to the last bits of a double."""
    truth, found = crowded(seed)

    figures = score_detections([RULES["coco"]], truth, found, classes=CLASSES, images=IMAGES)["coco"].figures

    np.testing.assert_allclose(list(figures.values()), pycocotools_figures(truth, found), rtol=0, atol=1e-14)


def test_only_detections_that_overlap_an_object_are_matched(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a million detections most overlap none; the matching of forty conditions does not visit them."""
    from yolodsc.evaluation.metrics import coco

    truth, found = crowded(3)
    far = replace(found, boxes_xyxy=found.boxes_xyxy + 10_000)
    both = DetectionTable(
        *(np.concatenate([getattr(t, c) for t in (found, far)]) for c in ("image", "class_id", "score", "boxes_xyxy"))
    )
    matched: list[int] = []
    kernel = coco.greedy_outcomes

    def counted(boxes: Any, *args: Any, **options: Any) -> Any:
        matched.append(len(boxes))
        return kernel(boxes, *args, **options)

    monkeypatch.setattr(coco, "greedy_outcomes", counted)
    score_detections([replace(RULES["coco"], per_image=None)], truth, both, classes=CLASSES, images=IMAGES)

    assert 0 < matched[0] < len(found)
