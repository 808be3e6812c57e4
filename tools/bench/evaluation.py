"""All nine rules on a million detections beside a plain ``voc_eval`` and pycocotools: ``python tools/bench/evaluation.py``.

The detections are synthetic: 4,952 images, 20 classes, 2.4 objects an image, boxes scattered around objects and elsewhere.
"""

import argparse
import contextlib
import io
import platform
from collections import defaultdict
from time import perf_counter

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from yolodsc.evaluation.metrics import score_detections
from yolodsc.evaluation.metrics.rules import RULES
from yolodsc.evaluation.metrics.tables import DetectionTable, GroundTruth

IMAGES, CLASSES = 4952, 20


def synthetic(detections: int, seed: int = 7) -> tuple[GroundTruth, DetectionTable]:
    """Objects, and detections of which a third lie near one."""
    rng = np.random.default_rng(seed)
    objects = 12032
    corners = rng.uniform(0, 300, (objects, 2))
    truth = GroundTruth.of(
        rng.integers(0, IMAGES, objects),
        rng.integers(0, CLASSES, objects),
        np.concatenate([corners, corners + rng.uniform(20, 200, (objects, 2))], axis=1).round(),
        rng.random(objects) < 0.15,
    )
    near = rng.integers(0, objects, detections)
    boxes = truth.boxes_xyxy[near] + rng.normal(0, 12, (detections, 4))
    stray = rng.random(detections) > 1 / 3
    image, class_id = truth.image[near], truth.class_id[near]
    image[stray] = rng.integers(0, IMAGES, stray.sum())
    class_id[stray] = rng.integers(0, CLASSES, stray.sum())
    boxes[:, 2:] = np.maximum(boxes[:, 2:], boxes[:, :2] + 1)
    return truth, DetectionTable(image, class_id, rng.random(detections), boxes)


def plain_voc_eval(truth: GroundTruth, found: DetectionTable) -> float:
    """One rule (all points) as evaluation scripts do it: a loop over ranked detections, small NumPy per image."""
    aps = []
    for c in range(CLASSES):
        objects: dict[int, list[int]] = defaultdict(list)
        for i in np.flatnonzero(truth.class_id == c):
            objects[int(truth.image[i])].append(int(i))
        own = np.flatnonzero(found.class_id == c)
        own = own[np.argsort(-found.score[own], kind="stable")]
        right, wrong, taken = np.zeros(len(own)), np.zeros(len(own)), set()
        for rank, d in enumerate(own):
            box, best, at = found.boxes_xyxy[d], -np.inf, -1
            rows = objects.get(int(found.image[d]), [])
            if rows:
                those = truth.boxes_xyxy[rows]
                width = np.maximum(np.minimum(those[:, 2], box[2]) - np.maximum(those[:, 0], box[0]) + 1, 0)
                height = np.maximum(np.minimum(those[:, 3], box[3]) - np.maximum(those[:, 1], box[1]) + 1, 0)
                area = (those[:, 2] - those[:, 0] + 1) * (those[:, 3] - those[:, 1] + 1)
                iou = width * height / ((box[2] - box[0] + 1) * (box[3] - box[1] + 1) + area - width * height)
                at = int(iou.argmax())
                best, at = iou[at], rows[at]
            if best > 0.5:
                if truth.difficult[at]:
                    continue
                right[rank], wrong[rank] = at not in taken, at in taken
                taken.add(at)
            else:
                wrong[rank] = 1
        tp, fp = np.cumsum(right), np.cumsum(wrong)
        recall = tp / np.count_nonzero((truth.class_id == c) & ~truth.difficult)
        precision = np.maximum.accumulate((tp / np.maximum(tp + fp, 1e-16))[::-1])[::-1]
        aps.append(float((np.diff(recall, prepend=0) * precision).sum()))
    return float(np.mean(aps))


def pycocotools_figures(truth: GroundTruth, found: DetectionTable) -> float:
    """``COCOeval`` from arrays to its twelve figures."""
    xywh = np.concatenate([truth.boxes_xyxy[:, :2], truth.boxes_xyxy[:, 2:] - truth.boxes_xyxy[:, :2]], axis=1)
    ground = COCO()
    ground.dataset = {
        "images": [{"id": i} for i in range(IMAGES)],
        "categories": [{"id": i} for i in range(CLASSES)],
        "annotations": [
            {"id": i + 1, "image_id": int(p), "category_id": int(c), "bbox": b, "area": b[2] * b[3], "iscrowd": 0}
            for i, (p, c, b) in enumerate(zip(truth.image, truth.class_id, xywh.tolist(), strict=True))
        ],
    }
    ground.createIndex()
    boxes = np.concatenate([found.boxes_xyxy[:, :2], found.boxes_xyxy[:, 2:] - found.boxes_xyxy[:, :2]], axis=1)
    rows = np.concatenate([found.image[:, None], boxes, found.score[:, None], found.class_id[:, None]], axis=1)
    results = ground.loadRes(rows)
    start = perf_counter()  # reading is not timed on either side
    run = COCOeval(ground, results, "bbox")
    run.evaluate()
    run.accumulate()
    run.summarize()
    return perf_counter() - start


def main() -> None:
    """Print seconds and ratios."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--detections", type=int, default=10**6)
    truth, found = synthetic(parser.parse_args().detections)
    none_difficult = GroundTruth.of(truth.image, truth.class_id, truth.boxes_xyxy)
    score_detections(RULES.values(), truth, found[np.arange(10)], classes=CLASSES, images=IMAGES)  # compile

    def timed(rules: list[str], objects: GroundTruth) -> tuple[float, dict]:  # type: ignore[type-arg]
        start = perf_counter()
        results = score_detections([RULES[name] for name in rules], objects, found, classes=CLASSES, images=IMAGES)
        return perf_counter() - start, results

    every = min(timed(list(RULES), truth)[0] for _ in range(3))
    voc, results = min((timed(["py-faster-rcnn"], truth) for _ in range(3)), key=lambda pair: pair[0])
    coco = min(timed(["coco"], none_difficult)[0] for _ in range(3))
    start = perf_counter()
    mean = plain_voc_eval(truth, found)
    plain = perf_counter() - start
    with contextlib.redirect_stdout(io.StringIO()):
        theirs = pycocotools_figures(none_difficult, found)
    print(f"{platform.processor() or platform.machine()}, Python {platform.python_version()}, NumPy {np.__version__}")
    print(f"{len(found):,} detections, {IMAGES:,} images; same mean AP: {abs(mean - results['py-faster-rcnn'].mean_ap) < 1e-9}")
    print(f"all nine rules       {every:7.2f} s")
    print(f"one VOC rule         {voc:7.2f} s   plain voc_eval {plain:7.2f} s   {plain / voc:6.1f} x")
    print(f"coco                 {coco:7.2f} s   pycocotools    {theirs:7.2f} s   {theirs / coco:6.1f} x")


if __name__ == "__main__":
    main()
