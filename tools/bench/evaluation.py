"""All nine rules on a million detections beside a plain ``voc_eval``, and ``coco`` beside three programs.

``python tools/bench/evaluation.py``

The detections are synthetic: 4,952 images, 20 classes, 2.4 objects an image, boxes scattered around objects and elsewhere.
"""

import argparse
import contextlib
import io
import json
import os
import platform
import tempfile
from collections import defaultdict
from collections.abc import Callable
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np

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


def coco_run(program: str, truth: GroundTruth, found: DetectionTable) -> Callable[[], list[float]]:
    """A program's ``COCOeval``, from loaded ground truth and detections to its twelve figures; reading is not timed on any side."""
    coco_of, eval_of = coco_classes(program)
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        path = Path(folder) / "ground_truth.json"
        path.write_text(json.dumps(ground_truth_json(truth)))
        ground = coco_of(str(path))
        results = ground.loadRes(detection_rows(found))

    def run() -> list[float]:
        with contextlib.redirect_stdout(io.StringIO()):
            evaluation = eval_of(ground, results, "bbox")
            evaluation.evaluate()
            evaluation.accumulate()
            evaluation.summarize()
        return [float(figure) for figure in evaluation.stats[:12]]

    return run


def coco_classes(program: str) -> tuple[Any, Any]:
    """The classes of a program that stand for pycocotools' ``COCO`` and ``COCOeval``."""
    if program == "pycocotools":
        return import_module("pycocotools.coco").COCO, import_module("pycocotools.cocoeval").COCOeval
    module = import_module(program.replace("-", "_"))
    return module.COCO, getattr(module, "COCOeval_faster", None) or module.COCOeval


def ground_truth_json(truth: GroundTruth) -> dict[str, Any]:
    """COCO's file."""
    xywh = np.concatenate([truth.boxes_xyxy[:, :2], truth.boxes_xyxy[:, 2:] - truth.boxes_xyxy[:, :2]], axis=1)
    return {
        "images": [{"id": i, "file_name": f"{i}.jpg", "width": 500, "height": 500} for i in range(IMAGES)],
        "categories": [{"id": i + 1, "name": str(i)} for i in range(CLASSES)],
        "annotations": [
            {"id": i + 1, "image_id": int(p), "category_id": int(c) + 1, "bbox": b, "area": b[2] * b[3], "iscrowd": 0}
            for i, (p, c, b) in enumerate(zip(truth.image, truth.class_id, xywh.tolist(), strict=True))
        ],
    }


def detection_rows(found: DetectionTable) -> Any:
    """The array that ``loadRes`` reads: image, left, top, width, height, score, category."""
    boxes = np.concatenate([found.boxes_xyxy[:, :2], found.boxes_xyxy[:, 2:] - found.boxes_xyxy[:, :2]], axis=1)
    return np.concatenate([found.image[:, None], boxes, found.score[:, None], found.class_id[:, None] + 1], axis=1)


def seconds(function: Callable[[], Any]) -> tuple[float, Any]:
    """Time of a call, and what it returns."""
    start = perf_counter()
    value = function()
    return perf_counter() - start, value


def compare_coco(truth: GroundTruth, found: DetectionTable, programs: list[str], rounds: int) -> None:
    """Print the times of the coco rule and of each program, run in turn ``rounds`` times (pycocotools once)."""
    truth = GroundTruth.of(truth.image, truth.class_id, truth.boxes_xyxy)

    def ours() -> list[float]:
        return list(score_detections([RULES["coco"]], truth, found, classes=CLASSES, images=IMAGES)["coco"].figures.values())

    for program in programs:
        theirs = coco_run(program, truth, found)
        turns = 1 if program == "pycocotools" else rounds
        pairs = [(seconds(ours), seconds(theirs)) for _ in range(turns)]
        mine, other = (median(pair[side][0] for pair in pairs) for side in (0, 1))
        ratio = median(pair[1][0] / pair[0][0] for pair in pairs)
        apart = np.abs(np.subtract(pairs[0][0][1], pairs[0][1][1])).max()
        timed = f"{program} {version(program)} {other:6.2f} s   {ratio:6.2f} x"
        print(f"coco {mine:6.2f} s   {timed}   largest difference of figures {apart:.0e}")


def main() -> None:
    """Print seconds and ratios."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--detections", type=int, default=10**6)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--programs", default="hotcoco,faster-coco-eval,pycocotools", help="programs to compare the coco rule with")
    options = parser.parse_args()
    truth, found = synthetic(options.detections)
    score_detections(RULES.values(), truth, found[np.arange(10)], classes=CLASSES, images=IMAGES)  # compile

    def scored(rules: list[str]) -> Any:
        return score_detections([RULES[name] for name in rules], truth, found, classes=CLASSES, images=IMAGES)

    every = min(seconds(lambda: scored(list(RULES)))[0] for _ in range(3))
    voc, results = min((seconds(lambda: scored(["py-faster-rcnn"])) for _ in range(3)), key=lambda pair: pair[0])
    plain, mean = seconds(lambda: plain_voc_eval(truth, found))
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    print(
        f"{platform.processor() or platform.machine()}, {cores} cores, Python {platform.python_version()}, NumPy {np.__version__}"
    )
    print(f"{len(found):,} detections, {IMAGES:,} images; same mean AP: {abs(mean - results['py-faster-rcnn'].mean_ap) < 1e-9}")
    print(f"all nine rules       {every:7.2f} s")
    print(f"one VOC rule         {voc:7.2f} s   plain voc_eval {plain:7.2f} s   {plain / voc:6.1f} x")
    compare_coco(truth, found, options.programs.split(","), options.rounds)


if __name__ == "__main__":
    main()
